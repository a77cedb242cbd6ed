"""Rows that change after they were written: some columns at first, new values, deletes, rows by key."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from conftest import Tables, append, read
from pypaimon.exceptions import (
    CommitConflictError,
    InvalidInputError,
    PaimonError,
    UnsupportedError,
    UnsupportedFeatureError,
)
from pypaimon.table.file_store_table import FileStoreTable
from pypaimon.write.commit_message import CommitMessage

EVOLVING = {"row-tracking.enabled": "true", "data-evolution.enabled": "true", "deletion-vectors.enabled": "true"}
COLUMNS = {"p": pa.string(), "id": pa.int64(), "name": pa.string(), "image": pa.large_binary()}


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    """Rows 0 to 2 of one file, 3 and 4 of another."""
    made = tables.create(COLUMNS, options=EVOLVING)
    append(made, {"p": ["x"] * 3, "id": [10, 11, 12], "name": ["a", "b", "c"], "image": [b"A", None, b""]})
    append(made, {"p": ["y"] * 2, "id": [13, 14], "name": ["d", "e"], "image": [b"D", b"E"]})
    return made


def publish(table: FileStoreTable, messages: list[CommitMessage]) -> int | None:
    return table.new_batch_write_builder().new_commit().commit(messages)


def update(table: FileStoreTable) -> Any:
    return table.new_batch_write_builder().new_update()


def rows(table: FileStoreTable, *names: str) -> dict[int, Any]:
    """By row id: the values of some columns."""
    found = read(table, projection=[*names, "_ROW_ID"]).to_pylist()
    return {row.pop("_ROW_ID"): tuple(row.values()) if len(names) > 1 else row[names[0]] for row in found}


def equal(table: FileStoreTable, column: str, value: Any) -> Any:
    return table.new_read_builder().new_predicate_builder().equal(column, value)


def test_new_values_by_row_id_leave_all_others(table: FileStoreTable) -> None:
    values = pa.table({"image": pa.array([b"new", None], pa.binary()), "name": ["E", "B"], "_ROW_ID": [4, 1]})
    messages = update(table).update_by_arrow_with_row_id(values)
    assert sum(file.row_count for message in messages for file in message.new_files) == 3 + 2 + 2 + 2
    assert publish(table, pickle.loads(pickle.dumps(messages))) == 3
    assert rows(table, "id", "name", "image") == {
        0: (10, "a", b"A"),
        1: (11, "B", None),
        2: (12, "c", b""),
        3: (13, "d", b"D"),
        4: (14, "E", b"new"),
    }


def test_the_update_type_says_which_columns_count(table: FileStoreTable) -> None:
    chosen = update(table).with_update_type(["name"])
    publish(table, chosen.update_by_arrow_with_row_id(pa.table({"_ROW_ID": [0], "name": ["A"], "id": [99], "z": [1]})))
    assert rows(table, "id", "name")[0] == (10, "A")
    with pytest.raises(InvalidInputError, match="Column z is not in table schema"):
        update(table).with_update_type(["z"])


def test_tables_of_new_values_are_committed_together(table: FileStoreTable) -> None:
    parts = [pa.table({"_ROW_ID": [first], "name": [name]}) for first, name in ((0, "first"), (3, "second"))]
    publish(table, update(table).update_by_arrow_batches_with_row_id(iter(parts)))
    assert rows(table, "name") == {0: "first", 1: "b", 2: "c", 3: "second", 4: "e"}
    files = sorted(Path(table.table_path).rglob("data-*"))
    with pytest.raises(InvalidInputError, match="overlapping first_row_ids"):
        update(table).update_by_arrow_batches_with_row_id([*parts, pa.table({"_ROW_ID": [1], "name": ["again"]})])
    assert sorted(Path(table.table_path).rglob("data-*")) == files, "nothing is left behind"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"_ROW_ID": [1, 1], "name": ["x", "y"]}, "duplicate _ROW_ID values"),
        ({"_ROW_ID": [5, 0], "name": ["x", "y"]}, "Row ID 5 does not belong to any valid range"),
        ({"_ROW_ID": [None], "name": ["x"]}, "_ROW_ID"),
        ({"name": ["x"]}, "must contain _ROW_ID"),
        ({"_ROW_ID": [0], "id": ["x"]}, "id"),
        ({"_ROW_ID": [0], "image": [7]}, "expected bytes or File values"),
        ({"_ROW_ID": [0]}, "cannot be empty"),
    ],
)
def test_what_cannot_be_updated_is_told(table: FileStoreTable, values: dict[str, list[Any]], text: str) -> None:
    with pytest.raises(InvalidInputError, match=text):
        update(table).update_by_arrow_with_row_id(pa.table(values))
    assert table.snapshot_manager().get_latest_snapshot().id == 2


def test_two_jobs_that_change_one_column_of_the_same_rows_are_told(table: FileStoreTable) -> None:
    def changed(name: str, row_id: int) -> list[CommitMessage]:
        return update(table).update_by_arrow_with_row_id(pa.table({"_ROW_ID": [row_id], name: [name]}))

    first, same, other_rows, other_column = changed("name", 0), changed("name", 2), changed("name", 3), changed("p", 1)
    for messages in (first, other_rows, other_column):
        publish(table, messages)
    with pytest.raises(CommitConflictError):
        publish(table, same)
    assert rows(table, "p", "name")[1] == ("p", "b")


def test_rows_change_by_what_they_hold(table: FileStoreTable) -> None:
    publish(table, update(table).update_by_predicate(equal(table, "p", "x"), {"name": "one", "id": pa.scalar(7)}))
    assert rows(table, "id", "name") == {0: (7, "one"), 1: (7, "one"), 2: (7, "one"), 3: (13, "d"), 4: (14, "e")}
    publish(table, update(table).update_by_predicate(None, {"id": pa.array([1, 2, 3, 4, 5])}))
    assert list(rows(table, "id").values()) == [1, 2, 3, 4, 5]
    seen = []

    def doubled(matched: pa.Table) -> pa.ChunkedArray:
        seen.append(matched.column_names)
        return pc.multiply(matched["id"], 2)

    builder = table.new_read_builder().new_predicate_builder()
    publish(table, update(table).update_by_predicate(builder.greater_than("id", 2), {"id": doubled}, ["id"]))
    assert list(rows(table, "id").values()) == [1, 2, 6, 8, 10]
    assert seen == [["id", "_ROW_ID"]] * 2, "one call for each row group"
    assert update(table).update_by_predicate(equal(table, "id", 77), {"id": 1}) == []


def test_what_is_called_gets_the_bytes_of_blobs(table: FileStoreTable) -> None:
    def described(matched: pa.Table) -> pa.Array:
        return pa.array([None if value is None else f"{len(value)}" for value in matched["image"].to_pylist()])

    publish(table, update(table).update_by_predicate(None, {"name": described}, ["image"]))
    assert list(rows(table, "name").values()) == ["1", None, "0", "1", "1"]


@pytest.mark.parametrize(
    ("assignments", "read_columns", "text"),
    [
        ({}, None, "must not be empty"),
        ({"z": 1}, None, "Column z"),
        ({"id": 1}, ["id"], "requires a callable"),
        ({"id": lambda matched: matched["id"]}, None, "require read_columns"),
        ({"id": lambda matched: matched["id"]}, ["z"], "Read column z"),
        ({"id": lambda matched: 7}, ["id"], "must return a pyarrow.Array"),
        ({"id": lambda matched: matched["id"][:1]}, ["id"], "Assignment array length"),
        ({"id": pa.array([1])}, None, "Assignment array length"),
        ({"id": lambda matched: matched["id"], "name": pa.array(["x"])}, ["id"], "cannot be combined"),
        ({"id": "seven"}, None, "does not fit"),
    ],
)
def test_assignments_that_make_no_sense_are_refused(
    table: FileStoreTable, assignments: Any, read_columns: Any, text: str
) -> None:
    with pytest.raises(InvalidInputError, match=text):
        update(table).update_by_predicate(None, assignments, read_columns)


def test_partition_columns_do_not_change(tables: Tables) -> None:
    table = tables.create(COLUMNS, partition_keys=["p"], options=EVOLVING)
    append(table, {"p": ["x"], "id": [1], "name": ["a"], "image": [None]})
    with pytest.raises(InvalidInputError, match="partition column 'p'"):
        update(table).update_by_predicate(None, {"p": "y"})
    with pytest.raises(InvalidInputError, match="'p' is a key"):
        update(table).update_by_arrow_with_row_id(pa.table({"_ROW_ID": [0], "p": ["y"]}))


def test_rows_are_deleted_by_id_and_by_what_they_hold(table: FileStoreTable) -> None:
    publish(table, update(table).delete_by_row_id([3, 0]))
    assert rows(table, "id") == {1: 11, 2: 12, 4: 14}
    publish(table, update(table).delete_by_row_id(pa.array([2, 3])))
    assert rows(table, "id", "image") == {1: (11, None), 4: (14, b"E")}
    publish(table, update(table).delete_by_predicate(equal(table, "id", 14)))
    assert rows(table, "id") == {1: 11}
    assert update(table).delete_by_row_id([0, 4]) == [], "they are deleted already"
    with pytest.raises(InvalidInputError, match="Row ID 9 does not belong"):
        update(table).delete_by_row_id([9])
    with pytest.raises(InvalidInputError, match="must not be null"):
        update(table).delete_by_row_id([None])
    with pytest.raises(InvalidInputError, match="Row ID 0 is deleted"):
        update(table).update_by_arrow_with_row_id(pa.table({"_ROW_ID": [0], "name": ["gone"]}))
    assert table.new_read_builder().new_scan().plan().splits()


def test_deleting_needs_its_option_but_for_whole_partitions(tables: Tables) -> None:
    options = {**EVOLVING, "deletion-vectors.enabled": "false"}
    table = tables.create({"p": pa.string(), "id": pa.int64()}, partition_keys=["p"], options=options)
    append(table, {"p": ["x", "y", "x"], "id": [1, 2, 3]})
    with pytest.raises(InvalidInputError, match=r"delete requires 'deletion-vectors\.enabled'"):
        update(table).delete_by_row_id([0])
    publish(table, update(table).delete_by_predicate(equal(table, "p", "x")))
    assert rows(table, "id") == {2: 2}


def test_two_jobs_that_delete_rows_of_one_file_are_told(table: FileStoreTable) -> None:
    first, second = update(table).delete_by_row_id([0]), update(table).delete_by_row_id([1])
    publish(table, first)
    with pytest.raises(CommitConflictError):
        publish(table, second)
    assert sorted(rows(table, "id")) == [1, 2, 3, 4]


def test_an_upsert_changes_what_is_there_and_adds_the_rest(table: FileStoreTable) -> None:
    given = pa.table({"id": [11, 20, 11], "name": ["first", "new", "last"], "p": ["x", "z", "x"]})
    publish(table, update(table).upsert_by_arrow_with_key(given, ["id"]))
    assert rows(table, "id", "name", "p", "image") == {
        0: (10, "a", "x", b"A"),
        1: (11, "last", "x", None),
        2: (12, "c", "x", b""),
        3: (13, "d", "y", b"D"),
        4: (14, "e", "y", b"E"),
        5: (20, "new", "z", None),
    }
    named = update(table).with_update_type(["name"])
    publish(
        table, named.upsert_by_key([{"id": 13, "name": "D", "p": "other"}, {"id": 30, "name": "f", "p": "w"}], ["id"])
    )
    assert rows(table, "id", "name", "p")[3] == (13, "D", "y")
    assert rows(table, "id", "name", "p")[6] == (30, "f", "w")
    for bad, text in (([], "must not be empty"), ([{"id": 1}, {"name": "x"}], "same columns")):
        with pytest.raises(InvalidInputError, match=text):
            update(table).upsert_by_key(bad, ["id"])
    with pytest.raises(InvalidInputError, match="upsert_key 'name' is not in input data"):
        update(table).upsert_by_key({"id": 1}, ["name"])


def test_rows_may_bring_some_columns_only(table: FileStoreTable) -> None:
    builder = table.new_batch_write_builder()
    with builder.new_write().with_write_type(["name", "id"]) as write, builder.new_commit() as commit:
        write.write_arrow(pa.table({"id": [20], "name": ["f"]}))
        with pytest.raises(InvalidInputError, match="before the first row"):
            write.with_write_type(["id"])
        with pytest.raises(InvalidInputError, match="extra fields"):
            write.write_arrow(pa.table({"id": [20], "name": ["f"], "p": ["x"]}))
    with builder.new_write().with_write_type(["image"]) as write, builder.new_commit() as commit:
        write.write_arrow(pa.table({"image": [b"only"]}))
        messages = write.prepare_commit()
        assert [file.file_name.rsplit(".")[-1] for file in messages[0].new_files] == ["parquet", "blob"]
        commit.commit(messages)
    assert rows(table, "p", "id", "name", "image")[5] == (None, None, None, b"only")
    publish(table, update(table).update_by_arrow_with_row_id(pa.table({"_ROW_ID": [5], "id": [21]})))
    assert rows(table, "id", "image")[5] == (21, b"only")


def test_a_write_type_has_its_limits(tables: Tables) -> None:
    fields = [pa.field("p", pa.string()), pa.field("id", pa.int64(), nullable=False), pa.field("n", pa.int64())]
    table = tables.create(pa.schema(fields), partition_keys=["p"], options=EVOLVING)
    write = table.new_batch_write_builder().new_write()
    for columns, text in (
        (["z"], "Column z is not in table schema"),
        (["id"], "'p' cannot"),
        (["p", "n"], "'id' cannot"),
    ):
        with pytest.raises(InvalidInputError, match=text):
            write.with_write_type(columns)
    keyed = tables.create(pa.schema(fields), name="keyed", primary_keys=["id"], options={"bucket": "1"})
    with pytest.raises(UnsupportedError, match="primary key"):
        keyed.new_batch_write_builder().new_write().with_write_type(["id"])
    plain = tables.create({"id": pa.int64(), "n": pa.int64()}, name="plain")
    builder = plain.new_batch_write_builder()
    with builder.new_write().with_write_type(["id"]) as write, builder.new_commit() as commit:
        write.write_arrow(pa.table({"id": [1]}))
        commit.commit(write.prepare_commit())
    assert read(plain).to_pylist() == [{"id": 1, "n": None}]


def test_tables_whose_rows_have_no_ids_are_refused(tables: Tables) -> None:
    table = tables.create({"id": pa.int64()})
    for call in (lambda made: made.delete_by_row_id([0]), lambda made: made.update_by_predicate(None, {"id": 1})):
        with pytest.raises(InvalidInputError, match=r"requires 'row-tracking\.enabled'"):
            call(update(table))
    with pytest.raises(UnsupportedFeatureError, match="merge_into"):
        update(table).merge_into(None, on=None)
    with pytest.raises(InvalidInputError, match="overwrites"):
        table.new_batch_write_builder().overwrite().new_update()


def test_an_update_that_fails_leaves_no_file(table: FileStoreTable) -> None:
    files = sorted(Path(table.table_path).rglob("*"))
    missing = pa.array([{"url": f"file://{table.table_path}/gone", "position": 0, "size": 1}])
    with pytest.raises(PaimonError, match="gone"):
        update(table).update_by_arrow_with_row_id(pa.table({"_ROW_ID": [4], "name": ["x"], "image": missing}))
    assert sorted(Path(table.table_path).rglob("*")) == files
