"""The table of one read: a location, a schema and a snapshot, all fixed when the frame is built."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pypaimon.exceptions import SnapshotExpiredError

if TYPE_CHECKING:
    from pypaimon._native import NativeTable
    from pypaimon.table.file_store_table import FileStoreTable


@dataclass(frozen=True, eq=False)
class PinnedTable:
    """A table at a snapshot, that can be opened again in another process.

    It holds the catalog options, credentials included, because workers need them: mind where a pickle of it goes.

    Attributes:
        name: Full name, for messages.
        location: URL of the table's directory.
        catalog_options: What the catalog was opened with.
        schema_json: The schema, dynamic options included.
        branch: Branch read, or ``None`` for main.
        follows_latest: No snapshot is pinned: each execution reads the latest one.
        snapshot_id: The pinned snapshot; ``None``: the table had none, and reads as empty.
        pinned_at: When it was pinned.
    """

    name: str
    location: str
    catalog_options: dict[str, str]
    schema_json: str
    branch: str | None
    follows_latest: bool
    snapshot_id: int | None
    pinned_at: dt.datetime

    @classmethod
    def of(cls, table: FileStoreTable, catalog_options: dict[str, str], *, follow_latest: bool) -> PinnedTable:
        """Fixes the snapshot that the table's options name, or its latest one."""
        native = table.native
        snapshot = None if follow_latest else native.resolve()
        pinned = cls(
            name=str(table.identifier.get_full_name()),
            location=native.location,
            catalog_options=dict(catalog_options),
            schema_json=native.schema_json(),
            branch=table.identifier.get_branch_name(),
            follows_latest=follow_latest,
            snapshot_id=None if snapshot is None else int(snapshot["id"]),
            pinned_at=dt.datetime.now(dt.timezone.utc),
        )
        pinned.__dict__["native"] = native if follow_latest else native.pin(pinned.snapshot_id)
        return pinned

    @cached_property
    def native(self) -> NativeTable:
        """The opened table; opening it does not look whether the snapshot is still there."""
        from pypaimon._native import NativeTable

        opened = NativeTable.open(self.location, self.catalog_options, self.schema_json, self.branch)
        return opened if self.follows_latest else opened.pin(self.snapshot_id)

    def expired(self) -> SnapshotExpiredError | None:
        """The error to raise when storage holds the pinned snapshot no longer, neither itself nor in a tag."""
        if self.snapshot_id is None:
            return None
        try:
            self.native.resolve()
        except SnapshotExpiredError:
            pass
        else:
            return None
        return SnapshotExpiredError(
            f"snapshot {self.snapshot_id} of table {self.name}, pinned at {self.pinned_at:%Y-%m-%d %H:%M:%S %Z} when "
            f"this frame was built, has expired and its files may be gone from {self.location}: read the table again "
            "for its latest snapshot, or keep snapshots longer (table option snapshot.time-retained, or a tag)"
        )

    def check(self) -> None:
        """Checks that the pinned snapshot can still be read.

        Raises:
            SnapshotExpiredError: It is no longer in storage.
        """
        if (error := self.expired()) is not None:
            raise error

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "native"}

    def __repr__(self) -> str:
        return f"PinnedTable({self.name!r}, snapshot_id={self.snapshot_id})"
