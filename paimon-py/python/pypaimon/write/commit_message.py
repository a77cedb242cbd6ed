"""What writers prepared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pypaimon import _native

__all__ = ["CommitMessage", "WrittenFile"]


@dataclass(frozen=True)
class WrittenFile:
    """A data file that a commit will add."""

    file_name: str
    file_size: int
    row_count: int
    schema_id: int


class CommitMessage:
    """What one writer did to one bucket of one partition; made by `TableWrite.prepare_commit`. It can be pickled."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.NativeCommitMessage) -> None:
        self._native = native

    @property
    def bucket(self) -> int:
        """The bucket."""
        return self._native.bucket

    @property
    def new_files(self) -> list[WrittenFile]:
        """The files that were written."""
        return [
            WrittenFile(file.file_name, file.file_size, file.row_count, file.schema_id)
            for file in self._native.new_files
        ]

    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return self._native.is_empty()

    def __reduce__(self) -> tuple[Any, ...]:
        return CommitMessage, (self._native,)

    def __repr__(self) -> str:
        return f"CommitMessage(bucket={self.bucket}, new_files={self.new_files})"
