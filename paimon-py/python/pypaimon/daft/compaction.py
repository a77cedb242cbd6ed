"""Compacting a table: Daft's workers merge its files, the process that asked commits what they made."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Condition, Lock
from typing import TYPE_CHECKING, Any

import daft
import pyarrow as pa
from daft import DataType, Series, col, runners
from daft.functions import to_struct

from pypaimon._native import NativeCompactTask, NativeStop
from pypaimon.common.size import size_text
from pypaimon.daft.compaction_summary import Summary
from pypaimon.daft.partition import partition_spec
from pypaimon.daft.pinned import PinnedTable
from pypaimon.exceptions import InvalidInputError

if TYPE_CHECKING:
    from daft.dataframe import DataFrame

    from pypaimon._native import NativeCommitMessage, NativeCompacted
    from pypaimon.daft.compaction_summary import Bucket
    from pypaimon.table.file_store_table import FileStoreTable

    Progress = Callable[["CompactionProgress"], object]
    Outcome = list[NativeCommitMessage] | Exception

#: On Ray each task is a partition of the frame, for a worker of its own; up to so many.
_PARTITIONS = 256

#: How often what gave way to others is planned again.
_ROUNDS = 4

#: How long tasks of this process, once they are stopped, may take to delete what they have written.
_STOPPING_SECONDS = 5.0

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
        sizes = f"{size_text(self.bytes_done)} of {size_text(self.bytes)}"
        return f"compacted {self.tasks_done} of {self.tasks} tasks, {sizes}"


def compact_table(
    table: FileStoreTable,
    *,
    full: bool = False,
    partitions: Sequence[Mapping[str, Any]] | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> DataFrame:
    """Compacts a table, see ``FileStoreTable.compact``."""
    for name, flag in (("full", full), ("dry_run", dry_run)):
        if not isinstance(flag, bool):
            raise InvalidInputError(f"{name} must be True or False, got: {flag!r}")
    if progress is not None and not callable(progress):
        raise InvalidInputError(
            f"progress must be a function of a CompactionProgress, such as print, got: {progress!r}"
        )
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
        done = plan.commit(made, user=user, identity=identity)
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
    have ended. When it comes to nothing (a task or ``progress`` fails, Ctrl-C), the tasks of this process are stopped
    and waited for, so that their files are deleted before the caller hears of it.

    Args:
        table: The table.
        progress: Told before the first task of a round, and after each.
    """

    def __init__(self, table: FileStoreTable, progress: Progress | None) -> None:
        self._table, self._progress = table, progress
        self._name = uuid.uuid4().hex
        self._tasks: list[NativeCompactTask] = []
        self._told, self._telling = CompactionProgress(0, 0, 0, 0), Lock()
        self._stop = NativeStop()
        #: Guards what follows, and says when `_working` has changed.
        self._changed = Condition()
        self._working = 0
        self._made: dict[int, list[NativeCommitMessage]] = {}
        self._failure: Exception | None = None
        self._stopped = False

    def messages(self, tasks: list[NativeCompactTask]) -> list[list[NativeCommitMessage]]:
        """What each task made. When one fails, what the others made is deleted, and its error is raised."""
        if not tasks:
            return []
        self._tasks, self._made = tasks, {}
        _at_work[self._name] = self
        try:
            self._tell(tasks=len(tasks), bytes=sum(task.file_size for task in tasks))
            for row in self._frame().iter_rows(results_buffer_size=None):
                self._ended(row["number"], pickle.loads(row["outcome"]))
            if self._failure is not None:
                raise self._failure
        except BaseException:
            self._undo()
            raise
        finally:
            del _at_work[self._name]
        return [self._made[number] for number in range(len(self._tasks))]

    def carry_out(self, number: int, work: Callable[[NativeStop], Outcome]) -> Outcome:
        """Does a task in this process, unless the run has come to nothing."""
        with self._changed:
            if self._stopped:
                return []
            self._working += 1
        try:
            outcome = work(self._stop)
            is_new = self._take(number, outcome)
        finally:
            with self._changed:
                self._working -= 1
                self._changed.notify_all()
        if is_new:
            self._tell_of(number)
        return outcome

    def _ended(self, number: int, outcome: Outcome) -> None:
        if self._take(number, outcome):
            self._tell_of(number)

    def _take(self, number: int, outcome: Outcome) -> bool:
        """Keeps what a task made, or its error; whether it was kept: it is not where it comes twice, or too late."""
        if isinstance(outcome, Exception):
            self._fail(outcome)
            return False
        with self._changed:
            if not self._stopped:
                is_new = number not in self._made
                self._made[number] = outcome
                return is_new
        self._table.native.abort(outcome)
        return False

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._failure = self._failure or error
            self._stopped = True
        self._stop.stop()

    def _undo(self) -> None:
        with self._changed:
            self._stopped = True
        self._stop.stop()
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._working == 0, _STOPPING_SECONDS)
        finally:
            self._table.native.abort([message for messages in self._made.values() for message in messages])

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

    def _tell_of(self, number: int) -> None:
        self._tell(tasks_done=1, bytes_done=self._tasks[number].file_size)

    def _tell(self, **more: int) -> None:
        # Under a lock of its own: what `progress` does may take long.
        with self._telling:
            counts = {name: getattr(self._told, name) + count for name, count in more.items()}
            self._told = replace(self._told, **counts)
            if self._progress is None or self._stopped:
                return
            try:
                self._progress(self._told)
            except Exception as error:
                self._fail(error)


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

    def _outcome(self, number: int, task: bytes) -> Outcome:
        run = _at_work.get(self._name)
        if run is None:  # in another process than the one that asked
            return self._done(task)
        return run.carry_out(number, lambda stop: self._done(task, stop))

    def _done(self, task: bytes, stop: NativeStop | None = None) -> Outcome:
        """What a task made; or its error: were it raised, nobody would hear of the others' files."""
        try:
            return NativeCompactTask.from_bytes(task).run(self._table.native, stop)
        except Exception as error:
            return error


def _specs(table: FileStoreTable, given: Sequence[Mapping[str, Any]] | None) -> list[dict[str, str]] | None:
    if given is None:
        return None
    is_list = isinstance(given, Iterable) and not isinstance(given, (Mapping, str, bytes))
    partitions = list(given) if is_list else []
    if not partitions:
        raise InvalidInputError(
            f"partitions must be a list with at least one partition, such as [{{'dt': '2024-01-01'}}], got: {given!r}; "
            "leave it out for the whole table"
        )
    fields = pa.schema(table.native.arrow_schema())
    null_name = table.options.get("partition.default-name", "__DEFAULT_PARTITION__")
    return [partition_spec(partition, table.partition_keys, fields, null_name) for partition in partitions]
