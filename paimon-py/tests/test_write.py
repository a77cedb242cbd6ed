from __future__ import annotations

import pickle
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon.exceptions import CommitConflictError, InvalidInputError, PaimonError, UnsupportedFeatureError
from pypaimon.table.file_store_table import FileStoreTable
from pypaimon.write.commit_message import CommitMessage


def overwrite(table: FileStoreTable, rows: dict[str, list[Any]], spec: dict[str, Any] | None = None) -> None:
    target = pa.schema(table._native.arrow_schema())
    builder = table.new_batch_write_builder().overwrite(spec)
    with builder.new_write() as write, builder.new_commit() as commit:
        write.write_arrow(pa.table({name: pa.array(values, target.field(name).type) for name, values in rows.items()}))
        commit.commit(write.prepare_commit())


def pairs(table: FileStoreTable) -> list[tuple[Any, ...]]:
    return sorted(tuple(row.values()) for row in read(table).to_pylist())


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    made = tables.create({"p": pa.string(), "n": pa.int32()}, partition_keys=["p"])
    append(made, {"p": ["a", "b"], "n": [1, 2]})
    return made


def test_each_form_of_input_is_written(tables: Tables) -> None:
    pandas = pytest.importorskip("pandas")
    table = tables.create({"n": pa.int64(), "s": pa.string()})
    builder = table.new_batch_write_builder()
    with builder.new_write() as write, builder.new_commit() as commit:
        write.write_arrow(pa.table({"n": [1], "s": ["table"]}))
        write.write_arrow_batch(pa.record_batch({"s": ["batch, other order"], "n": [2]}))
        write.write_arrow(pa.RecordBatchReader.from_stream(pa.table({"n": [3], "s": ["stream"]})))
        write.write_pandas(pandas.DataFrame({"n": [4], "s": ["pandas"]}))
        messages = write.prepare_commit()
        assert sum(file.row_count for message in messages for file in message.new_files) == 4
        assert commit.commit(messages) == 1
    assert sorted(read(table)["n"].to_pylist()) == [1, 2, 3, 4]


def test_nothing_is_seen_before_the_commit_and_messages_travel_as_bytes(table: FileStoreTable) -> None:
    builder = table.new_batch_write_builder()
    write = builder.new_write()
    write.write_arrow(pa.table({"p": ["c"], "n": pa.array([3], pa.int32())}))
    messages = pickle.loads(pickle.dumps(write.prepare_commit()))
    assert len(pairs(table)) == 2
    assert all(isinstance(message, CommitMessage) and not message.is_empty() for message in messages)
    pickle.loads(pickle.dumps(builder)).new_commit().commit(messages)
    assert pairs(table) == [("a", 1), ("b", 2), ("c", 3)]


def test_a_writer_that_is_closed_leaves_no_files(table: FileStoreTable, tmp_path: Any) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    with table.new_batch_write_builder().new_write() as write:
        write.write_arrow(pa.table({"p": ["c"], "n": pa.array([3], pa.int32())}))
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


def test_messages_that_are_aborted_leave_no_files(table: FileStoreTable, tmp_path: Any) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    builder = table.new_batch_write_builder()
    write = builder.new_write()
    write.write_arrow(pa.table({"p": ["c"], "n": pa.array([3], pa.int32())}))
    messages = write.prepare_commit()
    assert {path for path in tmp_path.rglob("*") if path.is_file()} > before
    builder.new_commit().abort(messages)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_commit_object_commits_once(table: FileStoreTable) -> None:
    commit = table.new_batch_write_builder().new_commit()
    assert commit.commit([]) is None
    with pytest.raises(RuntimeError, match="one-time"):
        commit.commit([])


def test_snapshot_properties_are_kept(table: FileStoreTable) -> None:
    builder = table.new_batch_write_builder()
    write = builder.new_write()
    write.write_arrow(pa.table({"p": ["c"], "n": pa.array([3], pa.int32())}))
    builder.new_commit().commit(write.prepare_commit(), {"job": "nightly", "attempt": 2})
    snapshot = table.snapshot_manager().get_latest_snapshot()
    assert snapshot is not None
    assert snapshot.properties == {"job": "nightly", "attempt": "2"}
    assert snapshot.commit_user == builder.commit_user


def test_overwrite_replaces_the_partitions_that_are_written(table: FileStoreTable) -> None:
    overwrite(table, {"p": ["a"], "n": [10]})
    assert pairs(table) == [("a", 10), ("b", 2)]
    overwrite(table, {"p": [], "n": []})
    assert pairs(table) == [("a", 10), ("b", 2)]


def test_a_static_partition_counts_only_without_dynamic_overwrite(table: FileStoreTable) -> None:
    with pytest.warns(UserWarning, match="no effect"):
        overwrite(table, {"p": ["a"], "n": [10]}, {"p": "b"})
    assert pairs(table) == [("a", 10), ("b", 2)]
    static = table.copy({"dynamic-partition-overwrite": "false"})
    overwrite(static, {"p": ["b"], "n": [20]}, {"p": "b"})
    assert pairs(table) == [("a", 10), ("b", 20)]
    overwrite(static, {"p": [], "n": []}, {"p": "a"})
    assert pairs(table) == [("b", 20)]
    with pytest.raises(InvalidInputError, match="n is no partition column"):
        overwrite(static, {"p": ["b"], "n": [20]}, {"n": "1"})


def test_an_unpartitioned_overwrite_replaces_everything_also_by_nothing(tables: Tables) -> None:
    table = tables.create({"n": pa.int32()})
    append(table, {"n": [1]})
    overwrite(table, {"n": [2]})
    assert pairs(table) == [(2,)]
    overwrite(table, {"n": []})
    assert pairs(table) == []


def test_truncate_deletes_partitions_or_everything(table: FileStoreTable) -> None:
    table.new_batch_write_builder().new_commit().truncate_partitions([{"p": "a"}])
    assert pairs(table) == [("b", 2)]
    table.new_batch_write_builder().new_commit().truncate_table()
    assert pairs(table) == []


def test_a_commit_into_a_table_that_was_dropped_and_created_again_is_refused(tables: Tables) -> None:
    table = tables.create({"n": pa.int32()})
    builder = table.new_batch_write_builder()
    write = builder.new_write()
    write.write_arrow(pa.table({"n": pa.array([1], pa.int32())}))
    messages = write.prepare_commit()
    tables.catalog.drop_table("db.t")
    again = tables.create({"n": pa.int32(), "m": pa.int32()})
    with pytest.raises(CommitConflictError):
        builder.new_commit().commit(messages)
    assert again.snapshot_manager().get_latest_snapshot() is None


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ({"n": [1]}, "p"),
        ({"p": ["a"], "n": [1], "x": [1]}, "x"),
        ({"p": ["a"], "n": [2**40]}, "n"),
        ({"p": ["a"], "n": ["one"]}, "n"),
        ({"p": ["a"], "n": [1.5]}, "n"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_column(
    table: FileStoreTable, rows: dict[str, list[Any]], text: str
) -> None:
    with table.new_batch_write_builder().new_write() as write, pytest.raises(InvalidInputError, match=text):
        write.write_arrow(pa.table(rows))
    assert len(pairs(table)) == 2


def test_null_in_a_not_null_column_is_refused(tables: Tables) -> None:
    table = tables.create(pa.schema([pa.field("n", pa.int32(), nullable=False)]))
    with table.new_batch_write_builder().new_write() as write, pytest.raises(InvalidInputError, match="n"):
        write.write_arrow(pa.table({"n": pa.array([None], pa.int32())}))


def test_a_writer_does_not_go_on_after_a_failure_or_its_end(table: FileStoreTable) -> None:
    good = pa.table({"p": ["a"], "n": pa.array([1], pa.int32())})
    write = table.new_batch_write_builder().new_write()
    with pytest.raises(InvalidInputError):
        write.write_arrow(pa.table({"n": [1]}))
    with pytest.raises(InvalidInputError, match="earlier write"):
        write.write_arrow(good)
    write.close()
    write = table.new_batch_write_builder().new_write()
    write.write_arrow(good)
    write.prepare_commit()
    with pytest.raises(InvalidInputError, match="start a new one"):
        write.write_arrow(good)


def test_an_error_of_the_input_comes_through(table: FileStoreTable) -> None:
    def batches() -> Any:
        yield pa.record_batch({"p": ["a"], "n": pa.array([1], pa.int32())})
        raise LookupError("the source is gone")

    schema = pa.schema([("p", pa.string()), ("n", pa.int32())])
    with table.new_batch_write_builder().new_write() as write, pytest.raises(Exception, match="the source is gone"):
        write.write_arrow(pa.RecordBatchReader.from_batches(schema, batches()))


def test_frames_that_do_not_fit_are_refused(tables: Tables) -> None:
    pandas = pytest.importorskip("pandas")
    table = tables.create({"n": pa.int32()})
    with table.new_batch_write_builder().new_write() as write:
        with pytest.raises(InvalidInputError, match="other"):
            write.write_pandas(pandas.DataFrame({"n": [1], "other": [2]}))
        with pytest.raises(InvalidInputError, match="fit"):
            write.write_pandas(pandas.DataFrame({"n": ["one"]}))


def test_a_table_with_an_index_of_keys_is_refused_by_name(tables: Tables) -> None:
    fields = pa.schema([pa.field("n", pa.int32(), nullable=False)])
    table = tables.create(fields, primary_keys=["n"], options={"pk-btree.index.columns": "n"})
    with pytest.raises(PaimonError, match=r"primary-key.*pk-btree\.index\.columns") as refused:
        table.new_batch_write_builder().new_write().write_arrow(pa.table({"n": pa.array([1], pa.int32())}))
    assert isinstance(refused.value, NotImplementedError)


def test_writing_into_a_bucket_by_hand_is_refused(table: FileStoreTable) -> None:
    with table.new_batch_write_builder().new_write() as write, pytest.raises(UnsupportedFeatureError, match="bucket"):
        write.write_arrow(pa.table({"p": ["a"], "n": [1]}), bucket=1)
