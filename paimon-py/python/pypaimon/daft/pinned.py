"""The table of one read: a location, a schema and a state, all fixed when the frame is built."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pypaimon.exceptions import SnapshotExpiredError

if TYPE_CHECKING:
    from pypaimon._native import NativePlan, NativeTable
    from pypaimon.table.file_store_table import FileStoreTable

    State = tuple[str, int | None, int | None]


@dataclass(frozen=True, eq=False)
class PinnedTable:
    """A table at a state or an increment, that can be opened again in another process.

    It holds the catalog options, credentials included, because workers need them: mind where a pickle of it goes.

    Attributes:
        name: Full name, for messages.
        location: URL of the table's directory.
        catalog_options: What the catalog was opened with.
        schema_json: The schema, dynamic options included.
        branch: Branch read, or ``None`` for main.
        view: What of the table is read: ``None``: all; ``"ro"``: only what needs no merge; ``"row_tracking"``: the
            table with the ids of its rows.
        state: What is read, as ``NativeTable.pinned`` has it; ``None``: each execution reads the latest snapshot.
        pinned_at: When it was pinned.
    """

    name: str
    location: str
    catalog_options: dict[str, str]
    schema_json: str
    branch: str | None
    view: str | None
    state: State | None
    pinned_at: dt.datetime

    @classmethod
    def of(cls, table: FileStoreTable, catalog_options: dict[str, str], *, follow_latest: bool) -> PinnedTable:
        """Fixes the state or the increment that the table's options name, or its latest snapshot."""
        native = table.native if follow_latest else table.native.pin()
        pinned = cls(
            name=str(table.identifier.get_full_name()),
            location=native.location,
            catalog_options=dict(catalog_options),
            schema_json=native.schema_json(),
            branch=table.identifier.get_branch_name(),
            view=native.view,
            state=native.pinned,
            pinned_at=dt.datetime.now(dt.timezone.utc),
        )
        pinned.__dict__["native"] = native
        return pinned

    @property
    def snapshot_id(self) -> int | None:
        """The last snapshot that is read; ``None``: the table had none and reads as empty, or follows the latest."""
        return None if self.state is None else self.state[2]

    @cached_property
    def native(self) -> NativeTable:
        """The opened table; opening it does not look whether its state is still there."""
        from pypaimon._native import NativeTable

        opened = NativeTable.open(self.location, self.catalog_options, self.schema_json, self.branch, self.view)
        return opened if self.state is None else opened.pin(self.state)

    def plan(self, **request: Any) -> NativePlan:
        """Plans a read, as ``NativeTable.plan`` does.

        Raises:
            SnapshotExpiredError: The pinned state is no longer in storage.
        """
        try:
            return self.native.plan(**request)
        except FileNotFoundError as error:
            raise self.expired() or error from error

    def expired(self) -> SnapshotExpiredError | None:
        """The error to raise when storage holds the pinned state no longer, neither in snapshots nor in tags."""
        try:
            self.native.check_pin()
        except SnapshotExpiredError:
            pass
        else:
            return None
        return SnapshotExpiredError(
            f"{self._described()} of table {self.name}, pinned at {self.pinned_at:%Y-%m-%d %H:%M:%S %Z} when "
            f"this frame was built, has expired and its files may be gone from {self.location}: read the table again "
            "for its latest snapshot, or keep snapshots longer (table option snapshot.time-retained, or a tag)"
        )

    def _described(self) -> str:
        kind, start, end = self.state or ("snapshot", None, None)
        return f"snapshot {end}" if kind == "snapshot" else f"the increment from {start or 0} to {end}"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "native"}

    def __repr__(self) -> str:
        return f"PinnedTable({self.name!r}, state={self.state})"
