"""Planning: from a condition to splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pypaimon import _native
from pypaimon.exceptions import InvalidInputError
from pypaimon.read.plan import Plan
from pypaimon.read.split import DataSplit
from pypaimon.unsupported import refuse, unsupported

if TYPE_CHECKING:
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["TableScan"]


#: What the native module counts up to. No table has so many rows, so that a slice may end there as well.
_MAX_SHARDS, _MAX_ROWS = 2**32 - 1, 2**63 - 1


class TableScan:
    """Finds the files that may hold rows of a read; made by `ReadBuilder.new_scan`."""

    def __init__(
        self,
        table: FileStoreTable,
        predicate: _native.NativePredicate | None,
        partition_predicate: _native.NativePredicate | None,
        columns: Sequence[str] | None = None,
    ) -> None:
        self.table = table
        self._predicate = predicate
        self._partition_predicate = partition_predicate
        self._columns = columns
        self._shard: tuple[int, int] | None = None
        self._rows: tuple[int, int] | None = None

    def with_shard(self, idx_of_this_subtask: int, number_of_para_subtasks: int) -> TableScan:
        """Plans one of several parts of the rows, whose sizes differ by one row at most.

        Rows are counted before filters; files are cut where a part ends. All parts must be planned at one snapshot:
        ``table.copy({"scan.snapshot-id": ...})`` fixes it.

        Args:
            idx_of_this_subtask: Which part, from 0.
            number_of_para_subtasks: How many parts there are.

        Raises:
            InvalidInputError: There is no such part, or `with_slice` was called before.

        Example:
            >>> scans = [builder.new_scan().with_shard(worker, 4) for worker in range(4)]  # doctest: +SKIP
        """
        index, total = idx_of_this_subtask, number_of_para_subtasks
        if not _is_int(total) or total <= 0:
            raise InvalidInputError(f"number_of_para_subtasks must be a positive integer, found {total!r}")
        if not _is_int(index) or index < 0:
            raise InvalidInputError(f"idx_of_this_subtask must be a non-negative integer, found {index!r}")
        if total > _MAX_SHARDS:
            raise InvalidInputError(f"number_of_para_subtasks must be at most {_MAX_SHARDS}, found {total}")
        if index >= total:
            raise InvalidInputError(
                f"idx_of_this_subtask must be less than number_of_para_subtasks, found {index} of {total}"
            )
        if self._rows is not None:
            raise InvalidInputError("with_shard and with_slice cannot be used simultaneously")
        self._shard = (index, total)
        return self

    def with_slice(self, start_pos: int, end_pos: int) -> TableScan:
        """Plans the rows from one position up to but without another, in the order of a plan, counted before filters.

        Args:
            start_pos: The first row, from 0.
            end_pos: After the last row; there may be fewer.

        Raises:
            InvalidInputError: The positions are not in order, or `with_shard` was called before.
            UnsupportedFeatureError: The table has a primary key.
        """
        if not _is_int(start_pos) or not _is_int(end_pos) or start_pos < 0 or start_pos >= end_pos:
            raise InvalidInputError(
                "start_pos must be non-negative and less than end_pos; both must be integers, "
                f"found {start_pos!r} and {end_pos!r}"
            )
        if self.table.is_primary_key_table:
            refuse("with_slice() of a primary-key table", "use with_shard() instead")
        if self._shard is not None:
            raise InvalidInputError("with_slice and with_shard cannot be used simultaneously")
        self._rows = (min(start_pos, _MAX_ROWS - 1), min(end_pos, _MAX_ROWS))
        return self

    def plan(self) -> Plan:
        """Reads the metadata of the table's state and no data.

        Raises:
            InvalidInputError: The state that the table's options name does not exist.
            CorruptTableError: A metadata file is broken.
        """
        planned = self._plan()
        return Plan([DataSplit(split) for split in planned.splits], planned.snapshot_id)

    def _plan(self) -> _native.NativePlan:
        return self.table._native.plan(
            predicate=self._predicate,
            partition_predicate=self._partition_predicate,
            shard=self._shard,
            rows=self._rows,
            columns=self._columns,
        )

    with_chunk_shuffle = unsupported("TableScan.with_chunk_shuffle", "shuffle the list that plan().splits() gives")
    with_row_ranges = unsupported("TableScan.with_row_ranges")
    with_global_index_result = unsupported("TableScan.with_global_index_result")


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
