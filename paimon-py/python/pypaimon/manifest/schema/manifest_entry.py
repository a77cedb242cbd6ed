"""One line of a manifest."""

from __future__ import annotations

from dataclasses import dataclass

from pypaimon import _native
from pypaimon.read.split import DataFile, Partition, data_file

__all__ = ["ManifestEntry"]


@dataclass(frozen=True)
class ManifestEntry:
    """A data file that a commit added or removed.

    Attributes:
        kind: 0: added; 1: removed.
        partition: The partition's values.
        bucket: The bucket.
        total_buckets: How many buckets the partition had.
        file: The file.
    """

    kind: int
    partition: Partition
    bucket: int
    total_buckets: int
    file: DataFile

    @classmethod
    def from_native(cls, entry: _native.NativeEntry) -> ManifestEntry:
        """An entry of the native module."""
        values = entry.partition()
        partition = Partition(tuple(values), tuple(values.values()))
        return cls(entry.kind, partition, entry.bucket, entry.total_buckets, data_file(entry.file))
