"""Another name of ``pypaimon.daft.compat``."""

from pypaimon.daft.compat import daft_version, require_daft

__all__ = [
    "daft_version",
    "file_range_position_field",
    "file_range_size_field",
    "has_file_range_reads",
    "require_daft",
]


def has_file_range_reads() -> bool:
    """Whether Daft reads ranges of files: every tested version does."""
    return True


def file_range_position_field() -> str:
    """What Daft calls the position within a file."""
    return "position"


def file_range_size_field() -> str:
    """What Daft calls the size of a range of a file."""
    return "size"
