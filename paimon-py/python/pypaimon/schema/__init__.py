"""Schemas and types."""
