"""Another name of ``pypaimon.daft.sink``."""

from pypaimon.daft.sink import PaimonDataSink

__all__ = ["PaimonDataSink"]
