"""Another name of ``pypaimon.daft.source``."""

from pypaimon.daft.source import PaimonDataSource

__all__ = ["PaimonDataSource"]
