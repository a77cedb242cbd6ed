"""Another name of ``pypaimon.daft.catalog``."""

from pypaimon.daft.catalog import PaimonCatalog, PaimonTable

__all__ = ["PaimonCatalog", "PaimonTable"]
