"""Planning: from a condition to splits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pypaimon import _native
from pypaimon.read.plan import Plan
from pypaimon.read.split import DataSplit
from pypaimon.unsupported import unsupported

if TYPE_CHECKING:
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["TableScan"]


class TableScan:
    """Finds the files that may hold rows of a read; made by `ReadBuilder.new_scan`."""

    def __init__(
        self,
        table: FileStoreTable,
        predicate: _native.NativePredicate | None,
        partition_predicate: _native.NativePredicate | None,
        limit: int | None,
    ) -> None:
        self.table = table
        self._predicate = predicate
        self._partition_predicate = partition_predicate
        self._limit = limit

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
            predicate=self._predicate, partition_predicate=self._partition_predicate, limit=self._limit
        )

    with_shard = unsupported("TableScan.with_shard", "share out the list that plan().splits() gives")
    with_slice = unsupported("TableScan.with_slice", "share out the list that plan().splits() gives")
    with_chunk_shuffle = unsupported("TableScan.with_chunk_shuffle", "shuffle the list that plan().splits() gives")
    with_row_ranges = unsupported("TableScan.with_row_ranges")
    with_global_index_result = unsupported("TableScan.with_global_index_result")
