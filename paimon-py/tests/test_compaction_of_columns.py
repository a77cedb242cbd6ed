"""Compaction of tables with data evolution: columns that were written apart come together, rows keep their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon.exceptions import CommitConflictError
from pypaimon.table.file_store_table import FileStoreTable

daft = pytest.importorskip("daft")

from keyed_tables import snapshots  # noqa: E402
from pypaimon.daft import read_blob, read_paimon  # noqa: E402
from pypaimon.daft.compaction import CompactionProgress  # noqa: E402

EVOLVING = {"row-tracking.enabled": "true", "data-evolution.enabled": "true", "deletion-vectors.enabled": "true"}
COLUMNS = {"p": pa.string(), "id": pa.int64(), "name": pa.string(), "image": pa.large_binary()}


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    """Rows 0 to 2 of one file, 3 and 4 of another; 1 has a new name, 4 a new image, 3 is deleted."""
    made = tables.create(COLUMNS, options=EVOLVING)
    append(made, {"p": ["x"] * 3, "id": [10, 11, 12], "name": ["a", "b", "c"], "image": [b"A", None, b""]})
    append(made, {"p": ["x"] * 2, "id": [13, 14], "name": ["d", "e"], "image": [b"D", b"E"]})
    change(made, _ROW_ID=[1], name=["B"])
    change(made, _ROW_ID=[4], image=[b"new"])
    publish(made, update(made).delete_by_row_id([3]))
    return made


ROWS = {0: (10, "a", b"A"), 1: (11, "B", None), 2: (12, "c", b""), 4: (14, "e", b"new")}


def publish(table: FileStoreTable, messages: list[Any]) -> int | None:
    return table.new_batch_write_builder().new_commit().commit(messages)


def update(table: FileStoreTable) -> Any:
    return table.new_batch_write_builder().new_update()


def changes(table: FileStoreTable, **columns: list[Any]) -> list[Any]:
    return update(table).update_by_arrow_with_row_id(pa.table(columns))


def change(table: FileStoreTable, **columns: list[Any]) -> None:
    publish(table, changes(table, **columns))


def rows(table: FileStoreTable) -> dict[int, Any]:
    """By row id."""
    found = read(table, projection=["id", "name", "image", "_ROW_ID"]).to_pylist()
    return {row.pop("_ROW_ID"): tuple(row.values()) for row in found}


def files(table: FileStoreTable, suffix: str) -> list[int]:
    """The rows of each file whose name ends so."""
    found = [file for split in table.native.plan().splits for file in split.files]
    return sorted(file.row_count for file in found if file.path.endswith(suffix))


def listing(table: FileStoreTable) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_size) for path in Path(table.table_path).rglob("*") if path.is_file())


def buckets(summary: Any) -> list[dict[str, Any]]:
    return summary.to_pylist()[:-1]


def test_columns_come_together_and_blobs_stay(table: FileStoreTable, options: dict[str, str]) -> None:
    assert files(table, ".parquet") == [2, 3, 3]
    blobs = files(table, ".blob")
    [bucket] = buckets(table.compact(full=True))
    assert files(table, ".parquet") == [5]
    assert files(table, ".blob") == blobs
    assert (bucket["work"], bucket["gave_way"]) == ("join row groups", False)
    assert (bucket["files_before"], bucket["files_after"]) == (6, 4)
    assert (bucket["rows_before"], bucket["rows_after"]) == (3 + 2 + 3 + 3 + 2 + 2, 5 + 3 + 2 + 2)
    assert rows(table) == ROWS
    frame = read_paimon("db.t", options, row_tracking=True).select(
        "_ROW_ID", "id", "name", read_blob(daft.col("image"), options, "db.t")
    )
    assert {row[0]: tuple(row[1:]) for row in zip(*frame.to_pydict().values(), strict=True)} == ROWS
    last = snapshots(table)
    assert buckets(table.compact(full=True)) == []
    assert snapshots(table) == last


def test_old_snapshots_are_as_they_were(table: FileStoreTable, options: dict[str, str]) -> None:
    before = read_paimon("db.t", options, snapshot_id=3).select("id", "name").to_pydict()
    table.compact(full=True)
    assert read_paimon("db.t", options, snapshot_id=3).select("id", "name").to_pydict() == before


def test_what_changes_afterwards_wins(table: FileStoreTable) -> None:
    table.compact(full=True)
    change(table, _ROW_ID=[0, 4], name=["A", "E"], image=[b"1", None])
    publish(table, update(table).delete_by_row_id([2]))
    expected = {0: (10, "A", b"1"), 1: ROWS[1], 4: (14, "E", None)}
    assert rows(table) == expected
    append(table, {"p": ["x"], "id": [15], "name": ["f"], "image": [b"F"]})
    table.compact(full=True)
    assert files(table, ".parquet") == [6]
    assert rows(table) == {**expected, 5: (15, "f", b"F")}


def test_only_what_is_due_is_done(table: FileStoreTable) -> None:
    assert buckets(table.compact()) == []
    assert len(buckets(table.copy({"compaction.min.file-num": "3"}).compact(dry_run=True))) == 1


def test_a_dry_run_writes_nothing(table: FileStoreTable) -> None:
    before = listing(table)
    [bucket] = buckets(table.compact(full=True, dry_run=True))
    assert (bucket["work"], bucket["files_before"], bucket["files_after"]) == ("join row groups", 6, None)
    assert listing(table) == before


def test_only_the_partitions_asked_for_are_compacted(tables: Tables) -> None:
    table = tables.create(COLUMNS, partition_keys=["p"], options=EVOLVING)
    for id, p in enumerate("xxyy"):
        append(table, {"p": [p], "id": [id], "name": [p], "image": [b"i"]})
    assert [bucket["partition"] for bucket in buckets(table.compact(full=True, partitions=[{"p": "y"}]))] == ["p=y"]
    assert files(table, ".parquet") == [1, 1, 2]


def test_what_is_committed_meanwhile_is_kept(table: FileStoreTable) -> None:
    told: list[CompactionProgress] = []

    def somebody_else(step: CompactionProgress) -> None:
        told.append(step)
        if step.tasks_done == step.tasks == 1:
            change(table, _ROW_ID=[0], name=["later"])
            publish(table, update(table).delete_by_row_id([2]))

    [bucket] = buckets(table.compact(full=True, progress=somebody_else))
    assert rows(table) == {0: (10, "later", b"A"), 1: ROWS[1], 4: ROWS[4]}
    # The first try gave way, as the update knew rows 0 to 2 alone; it is made again.
    assert (told[-1].tasks, bucket["gave_way"]) == (2, False)
    assert files(table, ".parquet") == [5]


def test_what_was_prepared_before_is_told(table: FileStoreTable) -> None:
    new_name, gone = changes(table, _ROW_ID=[0], name=["late"]), update(table).delete_by_row_id([0])
    new_image = changes(table, _ROW_ID=[0], image=[b"late"])
    table.compact(full=True)
    for messages in (new_name, gone):
        with pytest.raises(CommitConflictError):
            publish(table, messages)
    publish(table, new_image)
    assert rows(table) == {**ROWS, 0: (10, "a", b"late")}
