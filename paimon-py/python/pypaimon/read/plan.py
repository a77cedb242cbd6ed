"""What a scan gives."""

from __future__ import annotations

from dataclasses import dataclass

from pypaimon.read.split import DataSplit

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The splits of one snapshot.

    Attributes:
        snapshot_id: The snapshot; ``None`` for a table without one.
    """

    _splits: list[DataSplit]
    snapshot_id: int | None = None

    def splits(self) -> list[DataSplit]:
        """The units of reading; they may be read in any order and by any process."""
        return self._splits
