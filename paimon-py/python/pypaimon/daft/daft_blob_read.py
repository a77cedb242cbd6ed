"""Another name of ``pypaimon.daft.blob``."""

from pypaimon.daft.blob import open_blob, read_blob

__all__ = ["open_blob", "read_blob"]
