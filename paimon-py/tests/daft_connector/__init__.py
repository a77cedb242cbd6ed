"""Tests of `pypaimon.daft`."""
