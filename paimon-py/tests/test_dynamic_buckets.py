"""Tables whose buckets grow with their keys, and tables whose keys move between partitions, on the native runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

pytest.importorskip("daft")

import daft

from conftest import Tables, append, read
from keyed_tables import COLUMNS, frame, rows_of, snapshots
from pypaimon.daft import read_paimon, write_paimon
from pypaimon.exceptions import CommitConflictError
from pypaimon.table.bucket_mode import BucketMode
from pypaimon.table.file_store_table import FileStoreTable

PARTED = {"p": pa.string(), **COLUMNS}


def dynamic(tables: Tables, **options: str) -> FileStoreTable:
    table = tables.create(COLUMNS, primary_keys=["id"], options={"dynamic-bucket.target-row-num": "2", **options})
    assert table.bucket_mode() is BucketMode.HASH_DYNAMIC
    return table


def moving(tables: Tables, **options: str) -> FileStoreTable:
    table = tables.create(PARTED, primary_keys=["id"], partition_keys=["p"], options=options)
    assert table.bucket_mode() is BucketMode.CROSS_PARTITION
    return table


def parted(*rows: tuple[Any, ...]) -> daft.DataFrame:
    columns = zip(*rows, strict=True)
    named = zip(PARTED.items(), columns, strict=True)
    return daft.from_arrow(pa.table({name: pa.array(values, kind) for (name, kind), values in named}))


def buckets(table: FileStoreTable) -> dict[Any, int]:
    """The bucket of each key; each has one."""
    builder = table.new_read_builder()
    found: dict[Any, int] = {}
    for split in builder.new_scan().plan().splits():
        for key in builder.new_read().to_arrow([split])["id"].to_pylist():
            assert key not in found
            found[key] = split.bucket
    return found


def test_keys_stay_in_their_bucket_over_commits(tables: Tables, options: dict[str, str]) -> None:
    table = dynamic(tables)
    first: dict[Any, int] = {}
    wanted = {}
    for commit in range(6):
        rows = [(id % 40, str(commit), id) for id in range(commit * 5, commit * 5 + 20)]
        write_paimon(frame(*rows[:9]).concat(frame(*rows[9:])), "db.t", options)
        wanted.update({id: (id, name, n) for id, name, n in rows})
        now = buckets(table)
        assert {id: now[id] for id in first} == first
        first = now
    assert rows_of(read_paimon("db.t", options)) == [wanted[id] for id in sorted(wanted)]
    assert max(list(first.values()).count(bucket) for bucket in first.values()) == 2


def test_the_last_of_duplicates_wins_and_rows_can_be_deleted(tables: Tables, options: dict[str, str]) -> None:
    dynamic(tables)
    write_paimon(frame((1, "a", 1), (2, "b", 2), (1, "c", 3)), "db.t", options)
    write_paimon(frame((2, None, None), (3, "d", 4), kind=["-D", "+I"]), "db.t", options, row_kind_column="kind")
    assert rows_of(read_paimon("db.t", options)) == [(1, "c", 3), (3, "d", 4)]


def test_an_overwrite_begins_anew(tables: Tables, options: dict[str, str]) -> None:
    table = dynamic(tables)
    write_paimon(frame(*((id, "a", id) for id in range(5))), "db.t", options)
    write_paimon(frame((4, "b", 4), (9, "b", 9)), "db.t", options, mode="overwrite")
    assert rows_of(read_paimon("db.t", options)) == [(4, "b", 4), (9, "b", 9)]
    assert buckets(table) == {4: 0, 9: 0}
    write_paimon(frame((1, "c", 1), (4, "c", 5)), "db.t", options)
    assert buckets(table) == {4: 0, 9: 0, 1: 1}


def test_a_key_moves_to_the_partition_of_its_newest_row(tables: Tables, options: dict[str, str]) -> None:
    moving(tables)
    write_paimon(parted(("x", 1, "a", 1), ("x", 2, "b", 2), ("y", 1, "c", 3)), "db.t", options)
    assert rows_of(read_paimon("db.t", options)) == [("x", 2, "b", 2), ("y", 1, "c", 3)]
    write_paimon(parted(("z", 2, "d", 4), ("x", 3, "e", 5)), "db.t", options)
    assert rows_of(read_paimon("db.t", options)) == [("x", 3, "e", 5), ("y", 1, "c", 3), ("z", 2, "d", 4)]
    write_paimon(parted(("x", 1, "f", 6)), "db.t", options)
    assert rows_of(read_paimon("db.t", options)) == [("x", 1, "f", 6), ("x", 3, "e", 5), ("z", 2, "d", 4)]


def test_builders_write_them_too(tables: Tables) -> None:
    table = dynamic(tables)
    append(table, {"id": [1, 2, 3], "name": ["a", "b", "c"], "n": [1, 2, 3]})
    append(table, {"id": [3, 4], "name": ["d", "e"], "n": [4, 5]})
    assert rows_of(read(table)) == [(1, "a", 1), (2, "b", 2), (3, "d", 4), (4, "e", 5)]
    assert buckets(table) == {1: 0, 2: 0, 3: 1, 4: 1}


@pytest.mark.parametrize("kind", [dynamic, moving])
def test_of_two_writers_of_new_keys_one_is_refused(tables: Tables, options: dict[str, str], kind: Any) -> None:
    table = kind(tables)
    rows: dict[str, list[Any]] = {"id": [1], "name": ["a"], "n": [1]}
    if table.partition_keys:
        rows["p"] = ["x"]
    target = pa.schema(table._native.arrow_schema())
    builders = [table.new_batch_write_builder() for _ in range(2)]
    messages = []
    for builder in builders:
        with builder.new_write() as write:
            write.write_arrow(pa.table({name: pa.array(rows[name], target.field(name).type) for name in rows}))
            messages.append(write.prepare_commit())
    with builders[0].new_commit() as commit:
        commit.commit(messages[0])
    with builders[1].new_commit() as commit, pytest.raises(CommitConflictError):
        commit.commit(messages[1])
    assert snapshots(table) == 1
    assert read(table).num_rows == 1


def test_a_damaged_index_file_is_named(tables: Tables, options: dict[str, str]) -> None:
    dynamic(tables)
    write_paimon(frame((1, "a", 1), (2, "b", 2)), "db.t", options)
    (index,) = (Path(options["warehouse"]) / "db.db" / "t" / "index").iterdir()
    index.write_bytes(index.read_bytes()[:-1])
    with pytest.raises(Exception, match=index.name):
        write_paimon(frame((1, "c", 3)), "db.t", options)
    index.unlink()
    with pytest.raises(Exception, match=index.name):
        write_paimon(frame((1, "c", 3)), "db.t", options)
    write_paimon(frame((1, "c", 3)), "db.t", options, mode="overwrite")
    assert rows_of(read_paimon("db.t", options)) == [(1, "c", 3)]
