"""Finds the snapshots of a table."""

from __future__ import annotations

from pypaimon import _native
from pypaimon.snapshot.snapshot import Snapshot
from pypaimon.unsupported import unsupported

__all__ = ["SnapshotManager"]


class SnapshotManager:
    """The snapshots that a table (or its branch) retains; made by `FileStoreTable.snapshot_manager`."""

    def __init__(self, native: _native.NativeSnapshots) -> None:
        self._native = native

    def get_latest_snapshot(self) -> Snapshot | None:
        """The newest snapshot; ``None`` for a table without one."""
        data = self._native.latest()
        return None if data is None else Snapshot.from_dict(data)

    def get_snapshot_by_id(self, snapshot_id: int) -> Snapshot | None:
        """The snapshot with an id; ``None`` when it does not exist (any more)."""
        data = self._native.get(snapshot_id)
        return None if data is None else Snapshot.from_dict(data)

    def try_get_earliest_snapshot(self) -> Snapshot | None:
        """The oldest retained snapshot; ``None`` for a table without one."""
        return next(iter(self._snapshots()), None)

    def list_snapshots(self) -> list[Snapshot]:
        """All retained snapshots, oldest first."""
        return list(self._snapshots())

    def earlier_or_equal_time_mills(self, timestamp: int) -> Snapshot | None:
        """The last snapshot committed at or before a time.

        Args:
            timestamp: Milliseconds since 1970.
        """
        earlier = [snapshot for snapshot in self._snapshots() if snapshot.time_millis <= timestamp]
        return earlier[-1] if earlier else None

    later_or_equal_watermark = unsupported("SnapshotManager.later_or_equal_watermark")
    find_next_scannable = unsupported("SnapshotManager.find_next_scannable", "streaming reads are not supported yet")

    def _snapshots(self) -> list[Snapshot]:
        found = (self.get_snapshot_by_id(snapshot_id) for snapshot_id in self._native.ids())
        return [snapshot for snapshot in found if snapshot is not None]
