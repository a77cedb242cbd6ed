"""Writing frames to primary-key tables: rows in the frame's order, and one writer for each bucket.

Of rows with the same key the last one counts, so writers must know the order of the frame. Daft's own sinks do not:
0.7.26 hands them the pieces of a frame as these become ready. And two writers of one bucket would count its sequence
numbers twice.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from threading import Lock
from typing import TYPE_CHECKING, Any

import daft
import pyarrow as pa
from daft import DataType, Series, col, runners

from pypaimon.daft.assigning import RouteAssigned, assign
from pypaimon.daft.exchange import batch_of, exchange, free_name, row_of

if TYPE_CHECKING:
    from daft.dataframe import DataFrame

    from pypaimon._native import NativeWriter
    from pypaimon.daft.pinned import PinnedTable
    from pypaimon.daft.sink import Assigned, PaimonDataSink

#: Rows that a writer is given at once, as Daft cuts them.
_BATCH_ROWS = 131_072


#: Those at work in this process, by number: Daft pickles functions even for its own threads.
_at_work: dict[int, _InOrder] = {}
_numbers = count()


def write_keyed(frame: DataFrame, sink: PaimonDataSink) -> DataFrame:
    """Executes a frame and commits its rows to the primary-key table of ``sink``.

    On the native runner one writer takes the pieces, and no row is moved. On Ray the rows of each bucket are brought to
    one worker: one shuffle, and another one before it where buckets are decided by what the table holds.
    """
    sink.start()
    messages: list[bytes] = []
    if runners.get_or_create_runner().name == "ray":
        messages = _write_on_ray(frame, sink)
    else:
        _write_here(frame, sink)
    return daft.DataFrame._from_micropartitions(sink.commit(messages))


def _write_here(frame: DataFrame, sink: PaimonDataSink) -> None:
    order = free_name("__paimon_order", frame.column_names)
    writing = _InOrder(order, sink.write_batch)
    with writing, daft.execution_config_ctx(maintain_order=True):
        write = daft.func.batch(return_dtype=DataType.bool(), use_process=False)(writing.take)
        rows = frame._add_monotonically_increasing_id(order)
        # Not `write_sink`, which gives up the order; what comes out of the function is NULL, and dropped.
        rows.select(write(row_of(rows)).alias(order)).where(col(order)).collect()
    writing.check()


class _InOrder:
    """Takes the pieces of a frame from several threads, as they become ready, and hands them on in the frame's order.

    Daft makes few pieces ahead of the first one that is not finished, so few wait here.

    Args:
        order: The column that numbers the rows from 0.
        write: Takes the rows of a piece, without that column; one call at a time.
    """

    def __init__(self, order: str, write: Callable[[pa.RecordBatch], None]) -> None:
        self._order, self._write = order, write
        self._lock = Lock()
        self._waiting: dict[int, pa.RecordBatch] = {}
        self._next_row = 0
        self._number = next(_numbers)

    def take(self, rows: Series) -> Series:
        """Takes a piece; what it returns says nothing."""
        batch = batch_of(rows)
        if batch.num_rows:
            column = batch.schema.get_field_index(self._order)
            first = batch.column(column)[0].as_py()
            with self._lock:
                self._waiting[first] = batch.remove_column(column)
                while (ready := self._waiting.pop(self._next_row, None)) is not None:
                    self._write(ready)
                    self._next_row += ready.num_rows
        return Series.from_arrow(pa.nulls(batch.num_rows, pa.bool_()))

    def check(self) -> None:
        """Checks that nothing waits any more.

        Raises:
            RuntimeError: Rows are missing.
        """
        if self._waiting:
            raise RuntimeError(
                f"Daft left out the rows from {self._next_row} to {min(self._waiting)}: nothing is written"
            )

    def __enter__(self) -> _InOrder:
        _at_work[self._number] = self
        return self

    def __exit__(self, *_: object) -> None:
        del _at_work[self._number]

    def __reduce__(self) -> tuple[Any, ...]:
        return _at_work.__getitem__, (self._number,)


def _write_on_ray(frame: DataFrame, sink: PaimonDataSink) -> list[bytes]:
    order = free_name("__paimon_order", frame.column_names)
    rows = frame._add_monotonically_increasing_id(order)
    rows = rows.select(*frame.column_names, col(order).cast(DataType.int64()))
    channels = _channels(frame, sink)
    assigned = None
    route: Callable[[pa.RecordBatch], pa.Array]
    if sink.assigns:
        rows, assigned = assign(rows, sink, order)
        keys = [*sink.partition_keys, assigned.bucket]
        route = RouteAssigned(sink.table, assigned.bucket, channels)
    else:
        keys = sink.table.native.routing().columns()
        route = _Route(sink.table, channels)
    messages = DataType.list(DataType.binary())
    written, column = exchange(rows, channels, keys, route, _WriteChannel(sink, order, assigned), messages)
    return [message for messages in written.to_pydict()[column] for message in messages]


class _Route:
    """Tells which channel takes each row.

    Args:
        table: The table.
        channels: How many there are.
    """

    def __init__(self, table: PinnedTable, channels: int) -> None:
        self._table, self._channels = table, channels

    def __call__(self, keys: pa.RecordBatch) -> pa.Array:
        return pa.record_batch(self._table.native.routing().route(keys, self._channels)).column(0)


class _WriteChannel:
    """Writes all rows of a channel with a writer of its own.

    Args:
        sink: Where they go.
        order: The column that numbers the rows of the frame.
        assigned: How rows say their bucket, if they do.
    """

    def __init__(self, sink: PaimonDataSink, order: str, assigned: Assigned | None) -> None:
        self._sink, self._order, self._assigned = sink, order, assigned

    def __call__(self, rows: pa.RecordBatch, number: int) -> Series:
        writer: NativeWriter = self._sink.open_writer(self._order, assigned=self._assigned)
        try:
            for start in range(0, rows.num_rows, _BATCH_ROWS):
                self._sink.write_batch(rows.slice(start, _BATCH_ROWS), writer)
            messages = writer.prepare_commit()
        except BaseException:
            writer.abort()
            raise
        written = [[message.to_bytes() for message in messages]]
        return Series.from_pylist(written, dtype=DataType.list(DataType.binary()))


def _channels(frame: DataFrame, sink: PaimonDataSink) -> int:
    """How many writers: each has about as much to do as a partition of the frame holds, and each processor has some.

    In a table without partitions a bucket is the least that a writer can have.
    """
    import ray

    workers = int(ray.cluster_resources().get("CPU", 1))  # type: ignore[no-untyped-call]
    wanted = max(2 * workers, frame.num_partitions() or 1)
    return min(wanted, sink.buckets) if sink.buckets > 0 and not sink.partition_keys else wanted
