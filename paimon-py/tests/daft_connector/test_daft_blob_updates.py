"""Frames of BLOB tables after updates of columns and deletes of rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from daft import col

from blob_tables import create, file_length
from conftest import append
from pypaimon.daft import explain_paimon_scan, read_blob, read_paimon
from pypaimon.table.file_store_table import FileStoreTable

COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.string()), ("image", pa.large_binary())])


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    return {"warehouse": str(tmp_path)}


@pytest.fixture
def table(options: dict[str, str]) -> FileStoreTable:
    """Rows 0 to 3 in one file, 4 and 5 in another."""
    made = create(options, columns=COLUMNS, deletion__vectors_enabled="true")
    append(made, {"id": [0, 1, 2, 3], "name": list("abcd"), "image": [b"0", None, b"", b"333"]})
    append(made, {"id": [4, 5], "name": list("ef"), "image": [b"4444", b"5"]})
    return made


def change(table: FileStoreTable, how: Callable[[Any], Any]) -> None:
    builder = table.new_batch_write_builder()
    messages = how(builder.new_update())
    builder.new_commit().commit(messages)


def new_values(table: FileStoreTable, values: dict[str, Any]) -> None:
    columns = {name: pa.array(part, pa.large_binary()) if name == "image" else part for name, part in values.items()}
    change(table, lambda update: update.update_by_arrow_with_row_id(pa.table(columns)))


def rows(options: dict[str, str], **more: Any) -> dict[int, tuple[Any, ...]]:
    frame = read_paimon("db.t", options, **more)
    read = read_blob(col("image"), options, "db.t").alias("bytes")
    found = frame.select("id", "name", read, file_length(col("image")).alias("length")).to_pylist()
    assert all((row["bytes"] is None) == (row["length"] is None) for row in found)
    assert all(row["bytes"] is None or len(row["bytes"]) == row["length"] for row in found)
    return {row["id"]: (row["name"], row["bytes"]) for row in found}


OLD = {0: ("a", b"0"), 1: ("b", None), 2: ("c", b""), 3: ("d", b"333"), 4: ("e", b"4444"), 5: ("f", b"5")}


def test_updates_and_deletes_are_seen_and_older_snapshots_stay(options: dict[str, str], table: FileStoreTable) -> None:
    new_values(table, {"_ROW_ID": [1, 3], "image": [b"new", None]})
    assert rows(options) == {**OLD, 1: ("b", b"new"), 3: ("d", None)}
    new_values(table, {"_ROW_ID": [4], "name": ["E"]})
    change(table, lambda update: update.delete_by_row_id([0, 5]))
    assert rows(options) == {1: ("b", b"new"), 2: ("c", b""), 3: ("d", None), 4: ("E", b"4444")}
    assert rows(options, snapshot_id=2) == OLD
    assert rows(options, snapshot_id=3) == {**OLD, 1: ("b", b"new"), 3: ("d", None)}

    frame = read_paimon("db.t", options, row_tracking=True)
    assert frame.count_rows() == len(frame.to_pydict()["id"]) == 4, "files hold more rows than the table"
    assert frame.select("_ROW_ID", "id").sort("id").to_pydict() == {"_ROW_ID": [1, 2, 3, 4], "id": [1, 2, 3, 4]}
    assert sorted(frame.where(col("image").is_null()).to_pydict()["id"]) == [3]
    assert sorted(frame.where(col("name") == "E").to_pydict()["id"]) == [4]
    assert frame.where(col("name") == "e").count_rows() == 0


def test_daft_s_reader_takes_only_whole_rows_without_deletions(options: dict[str, str], table: FileStoreTable) -> None:
    def explained(*columns: str) -> Any:
        scan = explain_paimon_scan("db.t", options, columns=list(columns))
        return scan.native_parquet_file_count, set(scan.fallback_reasons)

    assert explained("id", "name") == (2, set())
    new_values(table, {"_ROW_ID": [0], "image": [b"x"]})
    assert explained("id", "name") == (2, set()), "a new BLOB changes no other column"
    new_values(table, {"_ROW_ID": [0], "name": ["A"]})
    assert explained("id") == (2, set())
    assert explained("name") == (2, set()), "the newest file of the column has all its rows"
    count, reasons = explained("id", "name")
    assert count < 2 and reasons == {"data-evolution merge required"}
    change(table, lambda update: update.delete_by_row_id([0, 4]))
    assert explained("id") == (0, {"deletion vectors present"})
    frame = read_paimon("db.t", options)
    assert sorted(frame.select("name").to_pydict()["name"]) == ["b", "c", "d", "f"]
    assert sorted(frame.select("id").to_pydict()["id"]) == [1, 2, 3, 5]
