"""Branches, tags and the way back: lines of snapshots, and names for them."""

from __future__ import annotations

import datetime
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon import SchemaChange, TagManager
from pypaimon.catalog.catalog_exception import (
    BranchAlreadyExistException,
    BranchNotExistException,
    TableNotExistException,
    TagAlreadyExistException,
    TagNotExistException,
)
from pypaimon.exceptions import InvalidInputError, SnapshotNotExistException
from pypaimon.schema.data_types import AtomicType
from pypaimon.table.file_store_table import FileStoreTable


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    """Three snapshots with a row each; the second one is tagged."""
    made = tables.create({"n": pa.int32()})
    for n in (1, 2):
        append(made, {"n": [n]})
    made.create_tag("two")
    append(made, {"n": [3]})
    return made


def rows(table: FileStoreTable) -> list[int]:
    return sorted(read(table)["n"].to_pylist())


def test_a_branch_from_a_tag_has_its_rows_and_goes_its_own_way(table: FileStoreTable, tables: Tables) -> None:
    table.branch_manager().create_branch("b", "two")
    branch = tables.catalog.get_table("db.t$branch_b")
    assert (branch.current_branch(), rows(branch)) == ("b", [1, 2])
    append(branch, {"n": [20]})
    assert (rows(branch), rows(table)) == ([1, 2, 20], [1, 2, 3])
    assert rows(pickle.loads(pickle.dumps(branch))) == [1, 2, 20]
    assert branch.list_tags() == ["two"]


def test_a_copy_moves_to_a_branch_and_back(table: FileStoreTable) -> None:
    table.branch_manager().create_branch("b", "two")
    pinned = FileStoreTable(table.native.pin(), table.identifier)
    branch = pinned.copy({"branch": "b"})
    assert (branch.current_branch(), rows(branch)) == ("b", [1, 2])
    for main in (branch.copy({"branch": "main"}), branch.copy({"branch": None}), table.copy({"branch": "main"})):
        assert (main.current_branch(), main.identifier.get_full_name(), rows(main)) == ("main", "db.t", [1, 2, 3])


def test_a_branch_from_nothing_has_the_latest_schema_and_no_rows(table: FileStoreTable, tables: Tables) -> None:
    tables.catalog.alter_table("db.t", [SchemaChange.add_column("m", AtomicType("INT"))])
    tables.catalog.create_branch("db.t", "empty")
    branch = tables.catalog.get_table("db.t$branch_empty")
    assert (branch.field_names, read(branch).num_rows) == (["n", "m"], 0)
    append(branch, {"n": [7], "m": [70]})
    assert read(branch).to_pydict() == {"n": [7], "m": [70]}


def test_branches_are_listed_renamed_and_dropped(table: FileStoreTable, tables: Tables) -> None:
    branches = table.branch_manager()
    assert branches.branches() == []
    for name in ("b", "a"):
        branches.create_branch(name, "two")
    branches.create_branch("a", ignore_if_exists=True)
    assert branches.branches() == tables.catalog.list_branches("db.t") == ["a", "b"]
    table.rename_branch("a", "c")
    assert branches.branches() == ["b", "c"]
    assert rows(tables.catalog.get_table("db.t$branch_c")) == [1, 2]
    tables.catalog.drop_branch("db.t", "b")
    assert (branches.branches(), branches.branch_exists("b"), branches.branch_exists("c")) == (["c"], False, True)
    with pytest.raises(TableNotExistException, match=r"db\.t\$branch_b"):
        tables.catalog.get_table("db.t$branch_b")
    assert rows(table) == [1, 2, 3]


def test_fast_forward_makes_the_table_what_the_branch_is(table: FileStoreTable, tables: Tables) -> None:
    tables.catalog.create_branch("db.t", "b", "two")
    branch = tables.catalog.get_table("db.t$branch_b")
    for n in (20, 30):
        append(branch, {"n": [n]})
    branch.create_tag("on-branch")
    tables.catalog.fast_forward("db.t", "b")
    after = table.refresh()
    assert rows(after) == [1, 2, 20, 30]
    assert after.list_tags() == ["on-branch", "two"]
    assert rows(after.copy({"scan.tag-name": "on-branch"})) == [1, 2, 20, 30]
    append(after, {"n": [40]})
    assert (rows(after), rows(branch)) == ([1, 2, 20, 30, 40], [1, 2, 20, 30])


def test_fast_forward_brings_the_schema_of_the_branch(table: FileStoreTable, tables: Tables) -> None:
    table.branch_manager().create_branch("b", "two")
    tables.catalog.alter_table("db.t$branch_b", [SchemaChange.add_column("m", AtomicType("INT"))])
    append(tables.catalog.get_table("db.t$branch_b"), {"n": [9], "m": [90]})
    assert tables.catalog.get_table("db.t").field_names == ["n"]
    table.branch_manager().fast_forward("b")
    assert sorted(read(tables.catalog.get_table("db.t"))["m"].to_pylist(), key=str) == [90, None, None]


@pytest.mark.parametrize("back", [lambda table: table.rollback_to(2), lambda table: table.rollback_to("two")])
def test_rollback_makes_an_older_state_the_latest(
    table: FileStoreTable, back: Callable[[FileStoreTable], None]
) -> None:
    table.create_tag("three")
    back(table)
    assert rows(table) == [1, 2]
    assert [snapshot.id for snapshot in table.snapshot_manager().list_snapshots()] == [1, 2]
    assert table.list_tags() == ["two"]
    append(table, {"n": [4]})
    assert rows(table) == [1, 2, 4]


def test_rollback_to_a_time_takes_the_last_snapshot_before_it(table: FileStoreTable) -> None:
    first = table.snapshot_manager().get_snapshot_by_id(1)
    assert first is not None
    table.rollback_to_timestamp(first.time_millis)
    assert rows(table)[0] == 1
    assert len(rows(table)) < 3
    with pytest.raises(ValueError, match="No snapshot found with timestamp earlier than or equal to 1"):
        table.rollback_to_timestamp(1)


def test_a_tag_brings_an_expired_snapshot_back(table: FileStoreTable) -> None:
    (Path(table.table_path) / "snapshot/snapshot-1").unlink()
    (Path(table.table_path) / "snapshot/snapshot-2").unlink()
    table.rollback_to(2)
    assert rows(table) == [1, 2]
    assert rows(table.copy({"scan.snapshot-id": 2})) == [1, 2]


def test_tags_are_renamed_and_replaced(table: FileStoreTable) -> None:
    table.rename_tag("two", "second")
    assert table.list_tags() == ["second"]
    table.replace_tag("second", 1, time_retained="1 h")
    tag = table.tag_manager().get_or_throw("second")
    assert (tag.id, tag.tag_time_retained) == (1, 3_600_000)
    table.replace_tag("second")
    tag = table.tag_manager().get_or_throw("second")
    assert (tag.id, tag.tag_time_retained) == (3, None)
    assert isinstance(table.tag_manager(), TagManager)


def test_tags_expire_when_their_time_is_over(table: FileStoreTable, tables: Tables) -> None:
    table.create_tag("short", time_retained=datetime.timedelta(milliseconds=1))
    table.create_tag("long", time_retained="1 d")
    time.sleep(0.01)
    assert table.tag_manager().expire_tags() == ["short"]
    assert table.list_tags() == ["long", "two"]
    tables.catalog.alter_table("db.t", [SchemaChange.set_option("tag.default-time-retained", "2 h")])
    tables.catalog.get_table("db.t").create_tag("default")
    assert table.tag_manager().get_or_throw("default").tag_time_retained == 7_200_000


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda t: t.branch_manager().create_branch("b"), BranchAlreadyExistException, "b already exists"),
        (lambda t: t.branch_manager().create_branch("x", "no"), TagNotExistException, "Tag 'no' doesn't exist"),
        (lambda t: t.branch_manager().create_branch("main"), InvalidInputError, "main"),
        (lambda t: t.branch_manager().create_branch(" "), InvalidInputError, "blank"),
        (lambda t: t.branch_manager().create_branch("12"), InvalidInputError, "12"),
        (lambda t: t.branch_manager().create_branch("a/b"), InvalidInputError, "a/b"),
        (lambda t: t.branch_manager().drop_branch("no"), BranchNotExistException, "no does not exist"),
        (lambda t: t.branch_manager().drop_branch("main"), InvalidInputError, "main"),
        (lambda t: t.branch_manager().rename_branch("no", "x"), BranchNotExistException, "no"),
        (lambda t: t.branch_manager().rename_branch("b", "b"), ValueError, "b"),
        (lambda t: t.branch_manager().rename_branch("main", "x"), InvalidInputError, "main"),
        (lambda t: t.branch_manager().fast_forward("no"), BranchNotExistException, "no"),
        (lambda t: t.branch_manager().fast_forward("main"), InvalidInputError, "main"),
        (lambda t: t.branch_manager().fast_forward("empty"), InvalidInputError, "empty.*snapshot"),
        (lambda t: t.copy({"branch": "no"}), BranchNotExistException, "no"),
        (lambda t: t.rollback_to(99), SnapshotNotExistException, "99"),
        (lambda t: t.rollback_to("no"), TagNotExistException, "Tag 'no' doesn't exist"),
        (lambda t: t.rollback_to(1.5), InvalidInputError, "rollback target type.*float"),
        (lambda t: t.rollback_to(True), InvalidInputError, "rollback target type.*bool"),
        (lambda t: t.rename_tag("no", "x"), TagNotExistException, "no"),
        (lambda t: t.rename_tag("two", "two"), TagAlreadyExistException, "two"),
        (lambda t: t.replace_tag("no"), TagNotExistException, "no"),
        (lambda t: t.replace_tag("two", 99), SnapshotNotExistException, "99"),
        (lambda t: t.create_tag("two"), TagAlreadyExistException, "two"),
        (lambda t: t.create_tag("x", 99), SnapshotNotExistException, "99"),
        (lambda t: t.create_tag("x", time_retained="-1 d"), ValueError, "-1 d"),
        (
            lambda t: t.create_tag("x", time_retained="soon"),
            ValueError,
            "expected a duration such as '7 d', found 'soon'",
        ),
        (lambda t: t.create_tag("x", time_retained=5), TypeError, "time_retained must be a text.*got: 5"),
    ],
)
def test_what_is_not_there_is_named(
    table: FileStoreTable, call: Callable[[FileStoreTable], Any], error: type[Exception], text: str
) -> None:
    table.branch_manager().create_branch("b", "two")
    table.branch_manager().create_branch("empty")
    with pytest.raises(error, match=text):
        call(table)
    assert rows(table) == [1, 2, 3]
    assert table.list_tags() == ["two"]
    assert table.branch_manager().branches() == ["b", "empty"]


def test_catalogs_name_the_table_that_is_missing(tables: Tables) -> None:
    for call in (tables.catalog.list_branches, lambda name: tables.catalog.create_branch(name, "b")):
        with pytest.raises(TableNotExistException, match=r"db\.nope"):
            call("db.nope")
