"""What a compaction did, as a frame: a row for each bucket, and one for the manifests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import daft
import pyarrow as pa

from pypaimon.daft.partition import partition_text

if TYPE_CHECKING:
    from daft.dataframe import DataFrame

    from pypaimon._native import (
        NativeBucket,
        NativeCommitMessage,
        NativeCompacted,
        NativeCompactPlan,
        NativeCompactTask,
    )

_COUNTS = ("files", "level_0", "bytes", "rows")
_SCHEMA = pa.schema(
    [
        ("partition", pa.string()),
        ("bucket", pa.int32()),
        ("work", pa.string()),
        *((f"{count}_{when}", pa.int64()) for count in _COUNTS for when in ("before", "after")),
        ("gave_way", pa.bool_()),
    ]
)

#: Partition and number.
Bucket = tuple[bytes, int]


class Summary:
    """The frame that ``FileStoreTable.compact`` returns, in the making.

    Args:
        plan: What is to be done.
    """

    def __init__(self, plan: NativeCompactPlan) -> None:
        self._partitions: dict[bytes, str] = {}
        self._touched: dict[Bucket, _Touched] = {}
        self._manifests = _named("before", _of_manifests(plan.manifests))
        self._done = False
        self.plan_again(plan, plan.tasks)

    def plan_again(self, plan: NativeCompactPlan, tasks: Sequence[NativeCompactTask]) -> None:
        """Takes tasks of another plan, for what gave way to others, or came in by the tasks before."""
        self._found = {(bucket.partition_bytes, bucket.bucket): bucket for bucket in plan.buckets}
        self._partitions |= {key[0]: partition_text(bucket.partition()) for key, bucket in self._found.items()}
        for task in tasks:
            key = (task.partition, task.bucket)
            self._touch(task, key).start(self._found[key])

    def add(
        self,
        tasks: Sequence[NativeCompactTask],
        made: Sequence[Sequence[NativeCommitMessage]],
        done: NativeCompacted,
    ) -> None:
        """Takes what became of tasks.

        Args:
            tasks: Those that were carried out.
            made: What each of them made.
            done: What of that was published.
        """
        self._done = True
        self._manifests |= _named("after", _of_manifests(done.manifests))
        gave_way = set(done.gave_way)
        for number, (task, messages) in enumerate(zip(tasks, made, strict=True)):
            if number in gave_way:
                self._touch(task, (task.partition, task.bucket)).gave_way = True
                continue
            for message in messages:
                self._touch(task, (message.partition, message.bucket)).apply(message)

    def frame(self) -> DataFrame:
        """A row for each bucket, and one for the manifests."""
        rows = []
        for (partition, number), bucket in self._touched.items():
            row = {"partition": self._partitions[partition], "bucket": number, "work": ", ".join(bucket.works)}
            row |= _named("before", bucket.before)
            if self._done:
                row |= {**_named("after", bucket.after), "gave_way": bucket.gave_way}
            rows.append(row)
        rows.sort(key=lambda row: (row["partition"], row["bucket"]))
        rows.append({"work": "manifests", **self._manifests})
        return daft.from_arrow(pa.Table.from_pylist(rows, schema=_SCHEMA))

    def _touch(self, task: NativeCompactTask, key: Bucket) -> _Touched:
        if key not in self._touched:
            self._touched[key] = _Touched(self._found.get(key))
        bucket = self._touched[key]
        bucket.works[task.work] = None
        return bucket


class _Touched:
    """A bucket that a compaction touches. Where rows that waited for a bucket are its first, nothing was there.

    Attributes:
        before: What there was, in the order of `_COUNTS`.
        after: What there is, as far as this compaction goes.
        works: What is done to it.
        gave_way: Whether some of that was not done.
    """

    def __init__(self, there: NativeBucket | None) -> None:
        self.before = self.after = [0, 0, 0, 0]
        self.works: dict[str, None] = {}
        self.gave_way = False
        if there is not None:
            self.start(there)
            self.before = self.after

    def start(self, there: NativeBucket) -> None:
        """Starts from what there is now."""
        self.after = [there.file_count, there.level_0_count, there.file_size, there.row_count]
        self.gave_way = False

    def apply(self, message: NativeCommitMessage) -> None:
        """Counts what a message replaces."""
        for sign, files in ((-1, message.compact_before), (1, message.compact_after)):
            for file in files:
                counts = (1, file.level == 0, file.file_size, file.row_count)
                self.after = [count + sign * more for count, more in zip(self.after, counts, strict=True)]


def _named(when: str, counts: Sequence[int | None]) -> dict[str, Any]:
    return {f"{name}_{when}": count for name, count in zip(_COUNTS, counts, strict=True)}


def _of_manifests(manifests: tuple[int, int, int]) -> tuple[int | None, ...]:
    files, size, entries = manifests
    return (files, None, size, entries)
