"""A Paimon table as a Daft data source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from daft import context, runners
from daft.daft import StorageConfig
from daft.io.partitioning import PartitionField
from daft.io.pushdowns import Pushdowns
from daft.io.source import DataSource, DataSourceTask
from daft.recordbatch import RecordBatch
from daft.schema import Schema

from pypaimon.daft.arrow import to_daft_layout
from pypaimon.daft.expiry import watch
from pypaimon.daft.files import daft_schema
from pypaimon.daft.io_config import infer_io_config
from pypaimon.daft.scan import Scan, convert_partition_filter, kept_partitions, plan_scan
from pypaimon.daft.tasks import EmptyTask, PaimonCountTask, PaimonReadTask, pack

if TYPE_CHECKING:
    from daft.io import IOConfig

    from pypaimon.daft.explain import PaimonScanExplain
    from pypaimon.daft.pinned import PinnedTable


class PaimonDataSource(DataSource):
    """Reads one state, or one increment, of one table.

    A pickled source carries the catalog options and the I/O configuration, credentials included: workers need them.

    Args:
        table: The table at its snapshot.
        io_config: How Daft's own readers reach the storage; ``None``: inferred from the catalog options.
        reader: ``"auto"`` gives Parquet files to Daft's reader where the answer is certain to be the same;
            ``"paimon"`` sends every file to ours.
    """

    def __init__(self, table: PinnedTable, *, io_config: IOConfig | None = None, reader: str = "auto") -> None:
        if reader not in ("auto", "paimon"):
            raise ValueError(f"reader must be 'auto' or 'paimon', got: {reader!r}")
        self._table = table
        self._io_config = io_config
        self._reader = reader
        self._fields = pa.schema(table.native.arrow_schema())
        watch(table)

    @property
    def name(self) -> str:
        """What Daft calls this source in plans."""
        return f"Paimon {self._table.name}"

    @property
    def schema(self) -> Schema:
        """The table's columns, as Daft sees them."""
        return daft_schema(self._fields)

    @property
    def snapshot_id(self) -> int | None:
        """The last snapshot that is read; ``None``: no snapshot, or not pinned."""
        return self._table.snapshot_id

    def get_partition_fields(self) -> list[PartitionField]:
        """The partition columns: Daft leaves filters on these alone to the source."""
        keys = pa.record_batch(self._table.native.partition_batch([])).schema.names
        schema = self.schema
        return [PartitionField.create(schema[key]) for key in keys]

    def supports_count_pushdown(self) -> bool:
        """Row counts are answered from metadata where it tells them."""
        return True

    async def get_tasks(self, pushdowns: Pushdowns) -> AsyncIterator[DataSourceTask]:
        """Plans one execution."""
        # Daft calls this on a thread of its own, where planning may block.
        tasks = self._read_tasks if pushdowns.aggregation is None else self._count_tasks
        for task in tasks(pushdowns):
            yield task

    def explain_scan(self, pushdowns: Pushdowns, verbose: bool = False) -> PaimonScanExplain:
        """Plans a scan and tells what each stage dropped and which reader takes each split."""
        from pypaimon.daft.explain import explain

        scan = plan_scan(self._table, self.schema, pushdowns, self._reader)
        return explain(self._table, scan, pushdowns, verbose=verbose)

    def _read_tasks(self, pushdowns: Pushdowns) -> Iterator[DataSourceTask]:
        scan = plan_scan(self._table, self.schema, pushdowns, self._reader)
        yield from self._native_tasks(scan, pushdowns)
        if sum(len(part.files) for part in scan.splits) == 1 and scan.splits[0].reason is None:
            yield EmptyTask(self.schema)
        ours = [part.split for part in scan.splits if part.reason is not None]
        # Without a filter the plan holds just enough splits for the LIMIT, and one task can stop when it has them.
        in_one = scan.limit is not None and scan.row_filter.tree is None
        for splits in [ours] if in_one and ours else pack(ours):
            yield PaimonReadTask(self._table, splits, scan.columns, scan.row_filter.tree, scan.limit, self._io_config)

    def _native_tasks(self, scan: Scan, pushdowns: Pushdowns) -> Iterator[DataSourceTask]:
        schema = self.schema
        if pushdowns.columns is None:
            # Files of keyed tables have more columns than the table, and Daft would decode them all.
            pushdowns = replace(pushdowns, columns=schema.column_names())
        storage = self._storage_config()
        partitions = scan.partitions
        values = None
        if partitions.num_columns:
            values = RecordBatch.from_arrow_record_batches([partitions], partitions.schema)
        for part in scan.splits:
            if part.reason is not None:
                continue
            of_split = None if values is None else values.slice(part.partition, part.partition + 1)
            for file in part.files:
                yield DataSourceTask.parquet(
                    path=file.path,
                    schema=schema,
                    pushdowns=pushdowns,
                    num_rows=file.row_count,
                    size_bytes=file.file_size,
                    partition_values=of_split,
                    storage_config=storage,
                )

    def _count_tasks(self, pushdowns: Pushdowns) -> Iterator[DataSourceTask]:
        assert pushdowns.aggregation is not None
        name = pushdowns.aggregation.name()
        native = self._table.native
        condition = convert_partition_filter(native, self.schema, pushdowns)
        predicate = None if condition.tree is None else native.predicate(condition.tree)
        if condition.exact and (count := native.count_rows(predicate)) is not None:
            yield PaimonCountTask(name, count, self._table)
            return
        planned = self._table.plan(partition_predicate=predicate, columns=[]).splits
        partitions = to_daft_layout(pa.record_batch(native.partition_batch(planned)))
        splits = (
            [planned[index] for index in kept_partitions(condition, partitions)] if condition.conjuncts else planned
        )
        yield PaimonCountTask(name, sum(split.merged_row_count or 0 for split in splits), self._table)
        for group in pack([split for split in splits if split.merged_row_count is None]):
            yield PaimonCountTask(name, 0, self._table, group)

    def _storage_config(self) -> StorageConfig:
        config = self._io_config or infer_io_config(self._table.catalog_options)
        config = config or context.get_context().daft_planning_config.default_io_config
        return StorageConfig(runners.get_or_create_runner().name != "ray", config)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (self._table, self._io_config, self._reader)


def _restore(table: PinnedTable, io_config: IOConfig | None, reader: str) -> PaimonDataSource:
    return PaimonDataSource(table, io_config=io_config, reader=reader)
