"""Another name of ``pypaimon.daft.explain``."""

from pypaimon.daft.explain import (
    READER_MODE_NATIVE_PARQUET,
    READER_MODE_PYPAIMON_FALLBACK,
    PaimonReaderSplitExplain,
    PaimonScanExplain,
)

__all__ = [
    "READER_MODE_NATIVE_PARQUET",
    "READER_MODE_PYPAIMON_FALLBACK",
    "PaimonReaderSplitExplain",
    "PaimonScanExplain",
]
