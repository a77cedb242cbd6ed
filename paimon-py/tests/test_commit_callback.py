"""Callbacks after commits."""

from __future__ import annotations

import pickle
from pathlib import Path

import pyarrow as pa
import pytest

from conftest import Tables, read
from pypaimon.exceptions import CommitCallbackError
from pypaimon.table.file_store_table import FileStoreTable
from pypaimon.write.commit_callback import CommitCallback, CommitCallbackContext


class Recorder(CommitCallback):
    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[CommitCallbackContext] = []
        self.closed = 0
        self._error = error

    def call(self, context: CommitCallbackContext) -> None:
        self.told.append(context)
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    return tables.create({"p": pa.string(), "n": pa.int32()}, partition_keys=["p"])


def commit(table: FileStoreTable, *callbacks: CommitCallback, overwrite: bool = False) -> None:
    builder = table.new_batch_write_builder()
    if overwrite:
        builder.overwrite()
    with builder.new_write() as write, builder.new_commit() as made:
        for callback in callbacks:
            made.add_commit_callback(callback)
        write.write_arrow(pa.table({"p": ["a", "a", "b"], "n": pa.array([1, 2, 3], pa.int32())}))
        made.commit(write.prepare_commit())


def test_callbacks_are_told_the_snapshot_and_its_files(table: FileStoreTable) -> None:
    first, second = Recorder(), Recorder()
    commit(table, first, second)
    for recorder in (first, second):
        (context,) = recorder.told
        assert context.snapshot == table.snapshot_manager().get_latest_snapshot()
        assert context.identifier == context.snapshot.commit_identifier
        told = {entry.partition.to_dict()["p"]: entry for entry in context.commit_entries}
        assert {value: (entry.kind, entry.bucket, entry.file.row_count) for value, entry in told.items()} == {
            "a": (0, 0, 2),
            "b": (0, 0, 1),
        }
        assert all(Path(entry.file.file_path).is_file() for entry in context.commit_entries)
        assert recorder.closed == 1


def test_an_overwrite_tells_what_it_removed(table: FileStoreTable) -> None:
    commit(table)
    recorder = Recorder()
    commit(table, recorder, overwrite=True)
    kinds = sorted(entry.kind for entry in recorder.told[0].commit_entries)
    assert (recorder.told[0].snapshot.commit_kind, kinds) == ("OVERWRITE", [0, 0, 1, 1])


def test_a_commit_of_nothing_tells_nobody(table: FileStoreTable) -> None:
    recorder = Recorder()
    with table.new_batch_write_builder().new_commit() as made:
        made.add_commit_callback(recorder)
        assert made.commit([]) is None
    assert (recorder.told, recorder.closed) == ([], 1)


def test_only_callbacks_are_taken(table: FileStoreTable) -> None:
    with pytest.raises(TypeError, match="expected a CommitCallback, got: <built-in function print>"):
        table.new_batch_write_builder().new_commit().add_commit_callback(print)  # type: ignore[arg-type]


def test_a_truncation_is_told(table: FileStoreTable) -> None:
    commit(table)
    recorder = Recorder()
    with table.new_batch_write_builder().new_commit() as made:
        made.add_commit_callback(recorder)
        made.truncate_table()
    assert [entry.kind for entry in recorder.told[0].commit_entries] == [1, 1]


def test_a_callback_that_fails_undoes_nothing_and_keeps_no_other_from_being_told(table: FileStoreTable) -> None:
    broken, other = Recorder(ValueError("no disk left")), Recorder()
    with pytest.raises(
        CommitCallbackError, match="snapshot 1 is committed.*Recorder: ValueError: no disk left"
    ) as raised:
        commit(table, broken, other)
    assert raised.value.snapshot_id == 1
    assert isinstance(raised.value.__cause__, ValueError)
    assert not isinstance(raised.value, ValueError)  # which callers take for "nothing was committed"
    again = pickle.loads(pickle.dumps(raised.value))
    assert (str(again), again.snapshot_id) == (str(raised.value), 1)
    assert len(other.told) == 1
    assert read(table).num_rows == 3
