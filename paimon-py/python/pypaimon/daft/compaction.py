"""Compacting a table: Daft's workers merge its files, the process that asked commits what they made."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, Any

import daft
import pyarrow as pa
from daft import DataType, Series, col, runners
from daft.functions import to_struct

from pypaimon.daft.compaction_summary import Summary
from pypaimon.daft.partition import partition_spec
from pypaimon.daft.pinned import PinnedTable
from pypaimon.exceptions import InvalidInputError

if TYPE_CHECKING:
    from daft.dataframe import DataFrame

    from pypaimon._native import NativeCommitMessage, NativeCompacted, NativeCompactTask
    from pypaimon.daft.compaction_summary import Bucket
    from pypaimon.table.file_store_table import FileStoreTable

    Progress = Callable[["CompactionProgress"], object]

#: On Ray each task is a partition of the frame, for a worker of its own; up to so many.
_PARTITIONS = 256

#: How often what gave way to others is planned again.
_ROUNDS = 4

#: Those at work in this process, by name: Daft pickles functions even for its own threads.
_at_work: dict[str, _Run] = {}


@dataclass(frozen=True, slots=True)
class CompactionProgress:
    """How far a compaction is; ``str()`` says it in a line.

    Attributes:
        tasks: What there is to do: pieces of work, each about some files of one bucket.
        tasks_done: How many of them are done.
        bytes: Size of the files that all tasks merge.
        bytes_done: Size of those that are merged.
    """

    tasks: int
    tasks_done: int
    bytes: int
    bytes_done: int

    def __str__(self) -> str:
        done, all = (f"{size / (1 << 20):,.1f}" for size in (self.bytes_done, self.bytes))
        return f"compacted {self.tasks_done} of {self.tasks} tasks, {done} of {all} MiB"


def compact_table(
    table: FileStoreTable,
    *,
    full: bool = False,
    partitions: Sequence[Mapping[str, Any]] | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> DataFrame:
    """Compacts a table, see ``FileStoreTable.compact``."""
    table = table.refresh()  # rows are written anew, with all the columns that there are now
    native, specs = table.native, _specs(table, partitions)
    user, identity = table.new_batch_write_builder().commit_user, native.identity()
    plan = native.plan_compaction(full=full, partitions=specs)
    summary = Summary(plan)
    if dry_run:
        return summary.frame()
    tasks, run = plan.tasks, _Run(table, progress)
    for _ in range(_ROUNDS):
        made = run.messages(tasks)
        done = native.commit_compaction(plan, made, user=user, identity=identity)
        summary.add(tasks, made, done)
        again = {key for number, task in enumerate(tasks) for key in _to_do_again(number, task, made[number], done)}
        if not again:
            break
        plan = native.plan_compaction(full=full, partitions=specs)
        tasks = [task for task in plan.tasks if (task.partition, task.bucket) in again]
        if not tasks:
            break
        summary.plan_again(plan, tasks)
    return summary.frame()


def _to_do_again(
    number: int, task: NativeCompactTask, made: list[NativeCommitMessage], done: NativeCompacted
) -> set[Bucket]:
    """The buckets that are worth another look: where others were faster, and where rows that waited went."""
    if number in done.gave_way:
        return {(task.partition, task.bucket)}
    into = {(message.partition, message.bucket) for message in made}
    return into - {(task.partition, task.bucket)}


class _Run:
    """Lets Daft's workers carry out tasks: on the native runner threads of this process, else other processes.

    Daft hands over what was made in the order of the tasks, so that those of this process tell by themselves when they
    have ended.

    Args:
        table: The table.
        progress: Told before the first task of a round, and after each.
    """

    def __init__(self, table: FileStoreTable, progress: Progress | None) -> None:
        self._table, self._progress = table, progress
        self._name = uuid.uuid4().hex
        self._lock = Lock()
        self._tasks: list[NativeCompactTask] = []
        self._made: dict[int, list[NativeCommitMessage]] = {}
        self._told = CompactionProgress(0, 0, 0, 0)
        self._failure: Exception | None = None
        self._stopped = False

    def messages(self, tasks: list[NativeCompactTask]) -> list[list[NativeCommitMessage]]:
        """What each task made. When one fails, what the others made is deleted, and its error is raised."""
        if not tasks:
            return []
        self._tasks, self._made = tasks, {}
        _at_work[self._name] = self
        try:
            with self._lock:
                self._tell(tasks=len(tasks), bytes=sum(task.file_size for task in tasks))
            for row in self._frame().iter_rows(results_buffer_size=None):
                self.ended(row["number"], pickle.loads(row["outcome"]))
            if self._failure is not None:
                raise self._failure
        except BaseException:
            with self._lock:
                self._stopped = True
                self._delete([message for messages in self._made.values() for message in messages])
            raise
        finally:
            del _at_work[self._name]
        return [self._made[number] for number in range(len(self._tasks))]

    @property
    def stopped(self) -> bool:
        """Whether it came to nothing, so that no task is worth starting."""
        return self._stopped or self._failure is not None

    def ended(self, number: int, outcome: list[NativeCommitMessage] | Exception) -> None:
        """Takes what a task made, or its error; the second time a task ends nothing happens."""
        with self._lock:
            if isinstance(outcome, Exception):
                self._failure = self._failure or outcome
            elif self._stopped:
                self._delete(outcome)
            elif number not in self._made:
                self._made[number] = outcome
                self._tell(tasks_done=1, bytes_done=self._tasks[number].file_size)

    def _frame(self) -> DataFrame:
        # The largest come first, so that the last ones to end are small.
        order = sorted(range(len(self._tasks)), key=lambda number: -self._tasks[number].file_size)
        frame = daft.from_pydict({"number": order, "task": [self._tasks[number].to_bytes() for number in order]})
        if runners.get_or_create_runner().name == "ray":
            frame = frame.into_partitions(min(len(order), _PARTITIONS))
        table = PinnedTable.of(self._table, self._table.native.catalog_options(), follow_latest=True)
        work = daft.func.batch(return_dtype=DataType.binary(), batch_size=1, use_process=False)(
            _Work(table, self._name)
        )
        return frame.select("number", work(to_struct(col("number"), col("task"))).alias("outcome"))

    def _tell(self, **more: int) -> None:
        self._told = replace(self._told, **{name: getattr(self._told, name) + count for name, count in more.items()})
        if self._progress is None or self.stopped:
            return
        try:
            self._progress(self._told)
        except Exception as error:
            self._failure = error

    def _delete(self, messages: list[NativeCommitMessage]) -> None:
        self._table.native.abort(messages)


class _Work:
    """Carries out tasks, on any worker. A pickle of it carries the catalog options, credentials included.

    Args:
        table: The table.
        name: Of the run.
    """

    def __init__(self, table: PinnedTable, name: str) -> None:
        self._table, self._name = table, name
        self.__name__ = "paimon_compact"  # what Daft calls it

    def __call__(self, tasks: Series) -> Series:
        outcomes = [pickle.dumps(self._outcome(**task)) for task in tasks.to_pylist()]
        return Series.from_pylist(outcomes, dtype=DataType.binary())

    def _outcome(self, number: int, task: bytes) -> list[NativeCommitMessage] | Exception:
        """What a task made; or its error: were it raised, nobody would hear of the others' files."""
        from pypaimon._native import NativeCompactTask

        run = _at_work.get(self._name)
        if run is not None and run.stopped:
            return []
        outcome: list[NativeCommitMessage] | Exception
        try:
            outcome = self._table.native.run_compaction(NativeCompactTask.from_bytes(task))
        except Exception as error:
            outcome = error
        if run is not None:
            run.ended(number, outcome)
        return outcome


def _specs(table: FileStoreTable, partitions: Sequence[Mapping[str, Any]] | None) -> list[dict[str, str]] | None:
    if partitions is None:
        return None
    if isinstance(partitions, Mapping) or not partitions:
        raise InvalidInputError(
            f"partitions must be a list with at least one partition, such as [{{'dt': '2024-01-01'}}], got: "
            f"{partitions!r}; leave it out for the whole table"
        )
    fields = pa.schema(table.native.arrow_schema())
    null_name = table.options.get("partition.default-name", "__DEFAULT_PARTITION__")
    return [partition_spec(partition, table.partition_keys, fields, null_name) for partition in partitions]
