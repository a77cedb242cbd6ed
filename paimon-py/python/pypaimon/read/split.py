"""Units of reading."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pypaimon import _native

__all__ = ["DataFile", "DataSplit", "Partition", "Split"]


@dataclass(frozen=True)
class DataFile:
    """A data file of a split.

    Attributes:
        file_name: Its name in the bucket's folder.
        file_path: Its path on local disks, else its URL without the scheme, as Daft's own connector and the
            filesystems of pyarrow want it; `DataSplit.file_paths` has whole URLs.
        file_size: Bytes.
        row_count: Rows, deleted ones included.
        schema_id: The schema it was written with.
        level: Its level in a primary-key table; 0 elsewhere.
        has_deletions: Whether some of its rows are deleted.
    """

    file_name: str
    file_path: str
    file_size: int
    row_count: int
    schema_id: int
    level: int
    has_deletions: bool


@dataclass(frozen=True)
class Partition:
    """The values of a split's partition columns, in path order."""

    names: tuple[str, ...]
    values: tuple[Any, ...]

    def to_dict(self) -> dict[str, Any]:
        """Values by column."""
        return dict(zip(self.names, self.values, strict=True))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)


class Split:
    """A unit of reading."""


class DataSplit(Split):
    """Files of one bucket that are read together; made by `TableScan.plan`. It can be pickled."""

    __slots__ = ("_native",)

    def __init__(self, native: _native.NativeSplit) -> None:
        self._native = native

    @property
    def snapshot_id(self) -> int:
        """The snapshot it belongs to."""
        return self._native.snapshot_id

    @property
    def partition(self) -> Partition:
        """The partition's values as Python objects."""
        values = self._native.partition()
        return Partition(tuple(values), tuple(values.values()))

    @property
    def bucket(self) -> int:
        """The bucket."""
        return self._native.bucket

    @property
    def files(self) -> list[DataFile]:
        """The data files."""
        return [data_file(file) for file in self._native.files]

    @property
    def file_paths(self) -> list[str]:
        """The paths or URLs of the data files."""
        return [_path(file) for file in self._native.files]

    @property
    def file_size(self) -> int:
        """Bytes of all files."""
        return self._native.file_size

    @property
    def row_count(self) -> int:
        """Rows of all files, deleted ones included."""
        return self._native.row_count

    @property
    def raw_convertible(self) -> bool:
        """Whether the files can be read one by one, without merging."""
        return self._native.raw_convertible

    def merged_row_count(self) -> int | None:
        """Rows that a read without filter gives; ``None`` when only the read can tell."""
        return self._native.merged_row_count

    def __reduce__(self) -> tuple[Any, ...]:
        return DataSplit, (self._native,)

    def __repr__(self) -> str:
        return (
            f"DataSplit(partition={self.partition.to_dict()}, bucket={self.bucket}, "
            f"files={self._native.file_count}, row_count={self.row_count})"
        )


def data_file(file: _native.NativeFile) -> DataFile:
    """A file of the native module."""
    return DataFile(
        file.file_name,
        _path(file).rpartition("://")[2],
        file.file_size,
        file.row_count,
        file.schema_id,
        file.level,
        file.has_deletions,
    )


def _path(file: _native.NativeFile) -> str:
    return file.path.removeprefix("file://")
