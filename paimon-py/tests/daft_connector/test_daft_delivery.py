"""A task stays a few batches ahead of Daft, and stops when Daft does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pyarrow as pa
from daft.io.__internal import _get_record_batches
from daft.io.pushdowns import Pushdowns
from daft.io.source import DataSource, DataSourceTask
from daft.recordbatch import RecordBatch
from daft.schema import Schema

from pypaimon.daft.delivery import Delivery

SCHEMA = Schema.from_pyarrow_schema(pa.schema([("id", pa.int64())]))
BATCHES = 40


class Counting(DataSourceTask):
    """Makes batches as fast as it may, and counts them."""

    def __init__(self) -> None:
        self.made = 0
        self.closed = False

    @property
    def schema(self) -> Schema:
        return SCHEMA

    async def read(self) -> AsyncIterator[RecordBatch]:
        delivery = Delivery(ahead=2)
        try:
            while self.made < BATCHES:
                await delivery.wanted()
                self.made += 1
                rows = RecordBatch.from_arrow_table(pa.table({"id": [self.made] * 1000}))
                yield delivery.send(rows)
        finally:
            self.closed = True


class Source(DataSource):
    def __init__(self, task: DataSourceTask) -> None:
        self._task = task

    @property
    def name(self) -> str:
        return "counting"

    @property
    def schema(self) -> Schema:
        return SCHEMA

    async def get_tasks(self, pushdowns: Pushdowns) -> AsyncIterator[DataSourceTask]:
        yield self._task


def wait_until_closed(task: Counting) -> bool:
    deadline = time.monotonic() + 5
    while not task.closed and time.monotonic() < deadline:
        time.sleep(0.05)
    return task.closed


def test_all_batches_arrive_in_order() -> None:
    task = Counting()
    ids = Source(task).read().to_pydict()["id"]
    assert ids == [number for number in range(1, BATCHES + 1) for _ in range(1000)]
    assert wait_until_closed(task)


def test_a_limit_stops_the_task() -> None:
    task = Counting()
    assert len(Source(task).read().limit(1).to_pydict()["id"]) == 1
    assert wait_until_closed(task)
    assert task.made <= 5


def test_a_consumer_that_leaves_stops_the_task() -> None:
    task = Counting()
    batches = _get_record_batches(task)  # what the engine calls
    next(batches)
    batches.close()
    assert wait_until_closed(task)
    assert task.made <= 4


def test_a_consumer_that_pauses_is_neither_flooded_nor_left() -> None:
    task = Counting()
    batches = _get_record_batches(task)
    next(batches)
    time.sleep(3)  # longer than it takes to find that a consumer has gone
    assert task.made <= 4
    assert 1 + sum(1 for _ in batches) == BATCHES


def test_a_slow_consumer_is_waited_for() -> None:
    async def consume() -> tuple[int, int]:
        task = Counting()
        batches = task.read()
        first = await batches.__anext__()
        second = asyncio.ensure_future(batches.__anext__())
        await asyncio.sleep(0.05)
        third = asyncio.ensure_future(_next_after(second, batches))
        await asyncio.sleep(0.2)
        ahead = task.made  # two made, none looked at: the third must wait
        assert not third.done()
        len(first)  # now the first one is taken
        await asyncio.wait_for(third, timeout=5)
        await batches.aclose()
        return ahead, task.made

    assert asyncio.run(consume()) == (2, 3)


async def _next_after(previous: object, batches: AsyncIterator[RecordBatch]) -> RecordBatch:
    await previous  # type: ignore[misc]
    return await batches.__anext__()
