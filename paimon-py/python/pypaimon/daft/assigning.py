"""Buckets of rows on Ray, for tables whose rows find their bucket by what the table holds.

One exchange brings all rows of a key to one worker, which knows, or decides, in which bucket the key is; another one
brings the rows of a bucket to its writer. In between rows have columns of their own, as ``Assigned`` names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from daft import DataType, Series, col

from pypaimon.daft.arrow import to_daft_layout
from pypaimon.daft.exchange import exchange, free_name
from pypaimon.daft.sink import Assigned

if TYPE_CHECKING:
    from daft.dataframe import DataFrame

    from pypaimon.daft.pinned import PinnedTable
    from pypaimon.daft.sink import PaimonDataSink


def assign(rows: DataFrame, sink: PaimonDataSink, order: str) -> tuple[DataFrame, Assigned]:
    """Gives each row its bucket, and adds those that take a key out of the partition where it was.

    Args:
        rows: The rows, with their order.
        sink: Where they go.
        order: The column that numbers them.
    """
    native = sink.table.native
    routing, latest = native.routing(), native.snapshots().latest()
    names = rows.column_names
    assigned = Assigned(
        free_name("__paimon_bucket", names),
        free_name("__paimon_kind", names),
        None if latest is None else latest["id"],
    )
    workers = rows.num_partitions() or 1
    schema = to_daft_layout(_schema(pa.schema(native.arrow_schema()), assigned, order))
    made, column = exchange(
        rows,
        routing.assigners(workers),
        routing.assigning_columns(),
        _RouteToAssigner(sink.table, workers),
        _Assign(sink, assigned, order, routing.assigners(workers), schema),
        DataType.from_arrow_type(pa.struct(list(schema))),
    )
    return made.select(*(col(column).get(name).alias(name) for name in schema.names)), assigned


def _schema(table: pa.Schema, assigned: Assigned, order: str) -> pa.Schema:
    own = [pa.field(order, pa.int64()), pa.field(assigned.kind, pa.string()), pa.field(assigned.bucket, pa.int32())]
    return pa.schema([field.with_nullable(True) for field in [*own, *table]])


class _RouteToAssigner:
    def __init__(self, table: PinnedTable, workers: int) -> None:
        self._table, self._workers = table, workers

    def __call__(self, keys: pa.RecordBatch) -> pa.Array:
        return pa.record_batch(self._table.native.routing().route_to_assigners(keys, self._workers)).column(0)


class RouteAssigned:
    """Tells which channel takes each row that knows its bucket.

    Args:
        table: The table.
        bucket: The column with the bucket.
        channels: How many there are.
    """

    def __init__(self, table: PinnedTable, bucket: str, channels: int) -> None:
        self._table, self._bucket, self._channels = table, bucket, channels

    def __call__(self, keys: pa.RecordBatch) -> pa.Array:
        """The channels, by the partition columns and that of the bucket."""
        return pa.record_batch(self._table.native.routing().route_assigned(keys, self._bucket, self._channels)).column(
            0
        )


class _Assign:
    def __init__(self, sink: PaimonDataSink, assigned: Assigned, order: str, assigners: int, schema: pa.Schema) -> None:
        self._sink, self._assigned, self._order = sink, assigned, order
        self._assigners, self._schema = assigners, schema

    def __call__(self, rows: pa.RecordBatch, number: int) -> Series:
        made: Any = self._sink.table.native.routing().assign_buckets(
            self._sink.checked(rows),
            assigner=number,
            assigners=self._assigners,
            bucket_column=self._assigned.bucket,
            kind_column=self._assigned.kind,
            row_kind_column=self._sink.row_kind_column,
            order_column=self._order,
            overwrite=self._sink.overwrites,
        )
        batch = pa.record_batch(made).cast(self._schema)
        return Series.from_arrow(batch.to_struct_array())
