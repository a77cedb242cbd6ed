"""Bringing rows that belong together to one worker, on Ray."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

import daft
import pyarrow as pa
from daft import DataType, Series, col
from daft.expressions import ExpressionsProjection
from daft.functions import to_struct
from daft.recordbatch import MicroPartition

if TYPE_CHECKING:
    from daft.dataframe import DataFrame

#: Numbers that are tried for each channel, until Daft's hash sends one to every partition.
_TRIED_LABELS = 32


def exchange(
    frame: DataFrame,
    channels: int,
    keys: list[str],
    route: Callable[[pa.RecordBatch], pa.Array],
    work: Callable[[pa.RecordBatch, int], Series],
    result: DataType,
) -> tuple[DataFrame, str]:
    """Divides the rows among channels, and lets one worker work on all rows of a channel at once: one shuffle.

    Args:
        frame: The rows.
        channels: How many channels there are; those without rows are not worked on.
        keys: The columns that rows are divided by.
        route: Tells the channel of each row, from 0, by these columns.
        work: Gets the rows of a channel, and its number.
        result: What comes out of ``work``.

    Returns:
        A frame of what came out of all work, and the name of its column.
    """
    names = frame.column_names
    channel, made = free_name("__paimon_channel", names), free_name("__paimon_made", names)
    labels = _labels(channels)
    routed = daft.func.batch(return_dtype=DataType.int32(), use_process=False)(_Route(route, labels))
    worked = daft.func.batch(return_dtype=result, use_process=False)(_Work(work, channel, labels))
    rows = frame.select(*names, routed(to_struct(*(col(name) for name in keys))).alias(channel))
    done = rows.repartition(len(labels), channel).groupby(channel).map_groups(worked(row_of(rows)).alias(made))
    return done.select(made), made


def row_of(frame: DataFrame) -> daft.Expression:
    """All columns of a frame as one."""
    return to_struct(*(col(name) for name in frame.column_names))


def batch_of(rows: Series) -> pa.RecordBatch:
    """The columns of what `row_of` made."""
    return pa.RecordBatch.from_struct_array(rows.to_arrow())


def free_name(name: str, taken: list[str]) -> str:
    """A name that is not taken."""
    return next(free for number in count() if (free := f"{name}_{number}") not in taken)


class _Route:
    def __init__(self, route: Callable[[pa.RecordBatch], pa.Array], labels: list[int]) -> None:
        self._route, self._labels = route, labels
        self.__name__ = "paimon_route"

    def __call__(self, keys: Series) -> Series:
        return Series.from_arrow(pa.array(self._labels, pa.int32()).take(self._route(batch_of(keys))))


class _Work:
    def __init__(self, work: Callable[[pa.RecordBatch, int], Series], channel: str, labels: list[int]) -> None:
        self._work, self._channel, self._labels = work, channel, labels
        self.__name__ = "paimon_write"

    def __call__(self, rows: Series) -> Series:
        batch = batch_of(rows)
        at = batch.schema.get_field_index(self._channel)
        number = self._labels.index(batch.column(at)[0].as_py())
        return self._work(batch.remove_column(at), number)


def _labels(channels: int) -> list[int]:
    """A number for each channel, such that Daft's hash sends each to a partition of its own.

    Otherwise some workers would get several channels, and others none.
    """
    tried = MicroPartition.from_arrow(pa.table({"n": pa.array(range(_TRIED_LABELS * channels), pa.int32())}))
    parts = tried.partition_by_hash(ExpressionsProjection([col("n")]), channels)
    firsts = [part.slice(0, 1).to_pydict()["n"] for part in parts]
    return [first for (first,) in firsts] if all(firsts) else list(range(channels))
