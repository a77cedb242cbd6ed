"""The tasks of a scan that our own reader executes."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from daft.datatype import DataType
from daft.io.source import DataSourceTask
from daft.recordbatch import RecordBatch
from daft.schema import Schema
from daft.series import Series

from pypaimon.daft.arrow import to_daft_layout
from pypaimon.daft.delivery import ConsumerGone, Delivery
from pypaimon.daft.files import (
    Budget,
    cut_by_bytes,
    daft_schema,
    file_columns,
    file_io_config,
    to_record_batch,
)

if TYPE_CHECKING:
    from daft.io import IOConfig

    from pypaimon._native import NativeSplit, NativeStream, NativeTable
    from pypaimon.daft.pinned import PinnedTable
    from pypaimon.daft.predicate import Tree

#: Handing a batch to Daft costs about 1 ms whatever its size, so small ones are joined up to one of these.
_BATCH_ROWS, _BATCH_BYTES = 65_536, 64 << 20

#: Bytes of BLOB values that the files of a batch stand for.
_BLOB_BYTES = Budget()

#: A task costs Daft about 1.4 ms, so small splits share one; large ones are not worth joining beyond this.
_TASK_BYTES_MIN, _TASK_BYTES_MAX = 4 << 20, 128 << 20

#: Splits of one task that are read at the same time.
_PARALLEL_SPLITS = 4

#: What opening one more file weighs, in bytes read in the same time.
_OPEN_FILE_BYTES = 64 << 10


def pack(splits: Sequence[NativeSplit]) -> list[list[NativeSplit]]:
    """Groups splits into tasks: enough of them to keep the machine busy, and as few as that allows."""
    weights = [_weight(split) for split in splits]
    target = min(max(sum(weights) // (2 * _processors()), _TASK_BYTES_MIN), _TASK_BYTES_MAX)
    groups: list[list[NativeSplit]] = []
    room = 0
    for split, weight in zip(splits, weights, strict=True):
        if not groups or weight > room:
            groups.append([])
            room = target
        groups[-1].append(split)
        room -= weight
    return groups


def _weight(split: NativeSplit) -> int:
    """What reading a split costs, in bytes: of a file of BLOB values only the index at its end is read."""
    files = split.files
    return sum(file.file_size for file in files if not file.is_blob) + _OPEN_FILE_BYTES * len(files)


class _SplitsTask(DataSourceTask):
    """Reads some splits of a table. A pickled task carries the catalog options, credentials included."""

    def __init__(self, table: PinnedTable, splits: Sequence[NativeSplit]) -> None:
        self._table = table
        self._splits = list(splits)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_splits": [split.to_bytes() for split in self._splits]}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._splits = [_split_from_bytes(data, self._table.native) for data in state["_splits"]]


class PaimonReadTask(_SplitsTask):
    """Reads some splits of a table, off the event loop that Daft shares among all Python tasks.

    Args:
        table: The table at its snapshot.
        splits: What to read, in this order.
        columns: Names of the columns to produce, at least one.
        predicate: Rows that fail it need not be produced.
        limit: Rows to produce at most.
        io_config: How Daft's own readers reach the storage; ``None``: inferred from the catalog options.
    """

    def __init__(
        self,
        table: PinnedTable,
        splits: Sequence[NativeSplit],
        columns: Sequence[str],
        predicate: Tree | None = None,
        limit: int | None = None,
        io_config: IOConfig | None = None,
    ) -> None:
        super().__init__(table, splits)
        self._columns = list(columns)
        self._predicate = predicate
        self._limit = limit
        self._io_config = io_config

    @property
    def schema(self) -> Schema:
        """The columns of the batches."""
        fields = pa.schema(self._table.native.arrow_schema())
        return daft_schema(pa.schema([fields.field(name) for name in self._columns]))

    async def read(self) -> AsyncIterator[RecordBatch]:
        """Yields batches of at least 64k rows, or less where these stand for many BLOB bytes, two ahead of Daft."""
        loop, threads = asyncio.get_running_loop(), _threads(os.getpid())
        delivery = Delivery()
        reader = _Reader(self._table, self._splits, self._columns, self._predicate, self._limit, self._io_config)
        any_sent = False
        try:
            while True:
                batch = reader.ready_batch()
                if batch is None:
                    await delivery.wanted()
                    batch = await loop.run_in_executor(threads, reader.next_batch)
                if batch is None:
                    break
                yield delivery.send(batch)
                any_sent = True
                del batch  # not held while the consumer works on it
        except ConsumerGone:
            raise  # reaches nobody; if somebody listens after all, an error is better than missing rows
        except Exception:
            if not any_sent:
                yield RecordBatch.empty(self.schema)  # see `EmptyTask`
            raise
        finally:
            reader.close()


class EmptyTask(DataSourceTask):
    """Produces nothing, beside another task that may fail.

    Daft 0.7.26 loses the error of a scan that has one task, when that fails before its first batch below a filter:
    the query then succeeds with no rows. Two tasks, or a batch before the error, and it does not.

    Args:
        schema: The columns of the scan.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    @property
    def schema(self) -> Schema:
        """The columns of the scan."""
        return self._schema

    async def read(self) -> AsyncIterator[RecordBatch]:
        """Yields nothing."""
        return
        yield  # makes this a generator


class PaimonCountTask(_SplitsTask):
    """Produces a number of rows as Daft's count pushdown wants it: one uint64 under a given name.

    Args:
        name: Name of the column to produce.
        known: Rows that metadata tells of.
        table: The table at its snapshot.
        splits: Those whose rows are counted by reading, and added.
    """

    def __init__(self, name: str, known: int, table: PinnedTable, splits: Sequence[NativeSplit] = ()) -> None:
        super().__init__(table, splits)
        self._name = name
        self._known = known

    @property
    def schema(self) -> Schema:
        """The columns of the batches."""
        return Schema._from_field_name_and_types([(self._name, DataType.uint64())])

    async def read(self) -> AsyncIterator[RecordBatch]:
        """Yields the one row."""
        count = self._known
        if self._splits:
            count += await asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), self._count)
        # Not `pa.array([count])`, which imports pandas where it is installed: 0.2 s.
        column = Series.from_pylist([count], self._name, dtype=DataType.uint64())
        yield RecordBatch.from_pydict({self._name: column})

    def _count(self) -> int:
        try:
            return self._table.native.count_splits(self._splits, parallelism=min(_PARALLEL_SPLITS, len(self._splits)))
        except FileNotFoundError as error:
            raise self._table.expired() or error from error


class _Reader:
    """The blocking side of a read task; one call at a time."""

    def __init__(
        self,
        table: PinnedTable,
        splits: list[NativeSplit],
        columns: list[str],
        predicate: Tree | None,
        limit: int | None,
        io_config: IOConfig | None,
    ) -> None:
        self._table, self._splits, self._columns = table, splits, columns
        self._predicate, self._limit, self._io_config = predicate, limit, io_config
        fields = file_columns(pa.schema(table.native.arrow_schema()))
        self._files = {name: kind for name, kind in fields.items() if name in columns}
        self._ready: deque[RecordBatch] = deque()
        self._stream: NativeStream | None = None
        self._closed = False

    def ready_batch(self) -> RecordBatch | None:
        """The next batch where it takes no work; ``None``: ask `next_batch`."""
        return self._ready.popleft() if self._ready else None

    def next_batch(self) -> RecordBatch | None:
        """The next batch; ``None`` at the end."""
        try:
            if self._stream is None:
                self._stream = self._open()
            if not self._ready:
                self._ready.extend(self._gather(self._stream))
            return self.ready_batch()
        except FileNotFoundError as error:
            raise self._table.expired() or error from error

    def close(self) -> None:
        """Stops the work behind the stream."""
        self._closed = True
        if self._stream is not None:
            self._stream.close()

    def _open(self) -> NativeStream:
        native = self._table.native
        return native.read(
            self._splits,
            columns=self._columns,
            predicate=None if self._predicate is None else native.predicate(self._predicate),
            limit=self._limit,
            parallelism=1 if self._limit is not None else min(_PARALLEL_SPLITS, len(self._splits)),
            blobs="files",
            io_config=file_io_config(self._table.catalog_options, self._io_config) if self._files else None,
        )

    def _gather(self, stream: NativeStream) -> list[RecordBatch]:
        batches: list[pa.RecordBatch] = []
        rows = size = 0
        while rows < _BATCH_ROWS and size < _BATCH_BYTES and not self._closed:
            native = stream.read_next()
            if native is None:
                break
            batch = to_daft_layout(pa.record_batch(native))
            if batch.num_rows:
                batches.append(batch)
                rows, size = rows + batch.num_rows, size + batch.nbytes
        if not batches:
            return []
        if not self._files:
            return [RecordBatch.from_arrow_record_batches(batches, batches[0].schema)]
        whole = pa.concat_batches(batches)
        return [to_record_batch(part, self._files) for part in cut_by_bytes(whole, self._files, _BLOB_BYTES)]


def _split_from_bytes(data: bytes, table: NativeTable) -> NativeSplit:
    from pypaimon._native import NativeSplit

    return NativeSplit.from_bytes(data, table)


@cache
def _threads(process: int) -> ThreadPoolExecutor:
    # A thread only waits for Rust and wraps what comes; the processes of a fork do not share threads.
    return ThreadPoolExecutor(2 * _processors(), thread_name_prefix="paimon-read")


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
