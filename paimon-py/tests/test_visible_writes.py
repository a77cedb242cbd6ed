"""Tables that show new rows only above level 0 show them right after the commit. On Daft's native runner."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import Tables, append, read
from pypaimon import SchemaChange
from pypaimon.exceptions import NotVisibleError
from pypaimon.table.file_store_table import FileStoreTable

daft = pytest.importorskip("daft")

from keyed_tables import COLUMNS, Row, data_files, frame, keyed, rows_of, snapshots  # noqa: E402
from pypaimon.daft import read_paimon, write_paimon  # noqa: E402

VECTORS = {"deletion-vectors.enabled": "true"}
FIRST = {"merge-engine": "first-row"}
TABLES = [
    VECTORS,
    FIRST,
    {**VECTORS, "merge-engine": "partial-update"},
    {**VECTORS, "merge-engine": "aggregation", "fields.n.aggregate-function": "sum"},
    {"changelog-producer": "lookup"},
    {**VECTORS, "changelog-producer": "lookup"},
]


def create(tables: Tables, given: dict[str, str], **more: str) -> FileStoreTable:
    return tables.create(COLUMNS, primary_keys=["id"], options={"bucket": "2", **given, **more})


def merged(given: dict[str, str], old: Row | None, new: Row) -> Row:
    """What a key holds after a new row."""
    if old is None:
        return new
    match given.get("merge-engine"):
        case "first-row":
            return old
        case "partial-update":
            return tuple(a if b is None else b for a, b in zip(old, new, strict=True))
        case "aggregation":
            return (old[0], old[1] if new[1] is None else new[1], old[2] + new[2])
        case _:
            return new


@pytest.mark.parametrize("given", TABLES, ids=lambda given: " ".join(given.values()))
def test_rows_are_seen_after_every_commit_and_after_compactions(
    tables: Tables, options: dict[str, str], given: dict[str, str]
) -> None:
    table = create(tables, given)
    state: dict[int, Row] = {}

    def write(rows: list[Row], mode: str = "append") -> None:
        if mode == "overwrite":
            state.clear()
        for row in rows:
            state[row[0]] = merged(given, state.get(row[0]), row)
        result = write_paimon(frame(*rows), "db.t", options, mode=mode).to_pydict()
        assert list(result) == ["operation", "rows", "file_size", "file_name"]
        assert sum(result["rows"]) == len({row[0] for row in rows})

    def check() -> None:
        wanted = sorted(state.values())
        for reader in ("auto", "paimon"):
            assert rows_of(read_paimon("db.t", options, reader=reader)) == wanted
        assert read_paimon("db.t", options).count_rows() == len(wanted)
        assert rows_of(read(table)) == wanted

    for commit in range(8):
        write([(id, f"{commit}" if id % 3 else None, commit) for id in range(commit, commit + 6)])
        check()
    table.compact(full=True)
    check()
    write([(3, "after", 50), (99, "new", 1)])
    check()
    write([(1, "instead", 1), (2, "of all", 2)], "overwrite")
    check()
    write([(2, None, 5), (7, "more", 1)])
    check()
    table.compact(full=True)
    check()


@pytest.mark.parametrize("given", [VECTORS, {"changelog-producer": "lookup"}])
def test_deletes_are_seen(tables: Tables, options: dict[str, str], given: dict[str, str]) -> None:
    create(tables, given)
    write_paimon(frame((1, "a", 1), (2, "b", 2)), "db.t", options)
    changes = frame((1, None, None), (3, "c", 3), op=["-D", "+I"])
    write_paimon(changes, "db.t", options, row_kind_column="op")
    assert rows_of(read_paimon("db.t", options)) == [(2, "b", 2), (3, "c", 3)]
    write_paimon(frame((1, "again", 4)), "db.t", options)
    assert rows_of(read_paimon("db.t", options)) == [(1, "again", 4), (2, "b", 2), (3, "c", 3)]


@pytest.mark.parametrize("given", [VECTORS, FIRST])
def test_the_tables_own_interface_shows_them_too(tables: Tables, given: dict[str, str]) -> None:
    table = create(tables, given)
    committed = append(table, {"id": [1, 2], "name": ["a", "b"], "n": [1, 2]})
    assert committed == 1, "the snapshot with the rows, not that of the compaction after it"
    append(table, {"id": [3], "name": ["c"], "n": [3]})
    assert rows_of(read(table)) == [(1, "a", 1), (2, "b", 2), (3, "c", 3)]


@pytest.mark.parametrize("given", [VECTORS, FIRST])
def test_write_only_leaves_them_to_a_compaction(tables: Tables, options: dict[str, str], given: dict[str, str]) -> None:
    table = create(tables, given, **{"write-only": "true"})
    for id in range(3):
        write_paimon(frame((id, "a", id)), "db.t", options)
    assert read_paimon("db.t", options).count_rows() == 0
    assert snapshots(table) == 3
    table.compact()
    assert rows_of(read_paimon("db.t", options)) == [(id, "a", id) for id in range(3)]


def test_a_dynamic_option_makes_one_writer_write_only(tables: Tables, options: dict[str, str]) -> None:
    table = create(tables, VECTORS)
    append(table.copy({"write-only": "true"}), {"id": [1], "name": ["a"], "n": [1]})
    assert read_paimon("db.t", options).count_rows() == 0
    append(table, {"id": [1], "name": ["b"], "n": [1]})
    assert rows_of(read(table)) == [(1, "b", 1)], "what waited is shown with it"


def test_buckets_of_ordinary_tables_stay_small(tables: Tables, options: dict[str, str]) -> None:
    written = {"compacted": {}, "left": {"write-only": "true"}}
    most = {}
    for name, given in written.items():
        table = keyed(tables, name, buckets=1, **{key.replace("-", "_"): value for key, value in given.items()})
        counts = []
        for commit in range(20):
            append(table, {"id": [commit, 7], "name": ["a", "b"], "n": [commit] * 2})
            counts.append(sum(split.file_count for split in table.native.plan().splits))
        most[name] = max(counts)
        assert len(rows_of(read(table))) == 20
    assert most["compacted"] <= 6
    assert most["left"] == 20


def lose_a_file(options: dict[str, str]) -> Path:
    *_, lost = sorted(data_files(options), key=lambda path: path.stat().st_size)
    lost.unlink()
    return lost


def test_rows_that_stay_hidden_are_an_error_that_names_the_snapshot(tables: Tables, options: dict[str, str]) -> None:
    table = create(tables, VECTORS, bucket="1")
    append(table, {"id": list(range(100)), "name": ["a"] * 100, "n": [1] * 100})
    lost = lose_a_file(options)
    with pytest.raises(NotVisibleError, match="committed as snapshot 3") as raised:
        append(table, {"id": [5], "name": ["b"], "n": [2]})
    assert lost.name in str(raised.value)
    assert raised.value.snapshot_id == 3
    assert table.snapshot_manager().get_latest_snapshot().commit_kind == "APPEND"
    with pytest.raises(NotVisibleError):
        write_paimon(frame((5, "c", 2)), "db.t", options)
    kept = {path.name for path in data_files(options)}
    for id in (3, 4):
        (entry,) = table.native.snapshots().delta_entries(id)
        assert entry.file.file_name in kept, "files of a snapshot are never deleted"


def test_a_compaction_that_is_only_for_tidiness_warns_when_it_fails(tables: Tables, options: dict[str, str]) -> None:
    table = keyed(tables, buckets=1, num_sorted_run__compaction_trigger="2")
    append(table, {"id": list(range(100)), "name": ["a"] * 100, "n": [1] * 100})
    lost = lose_a_file(options)
    append(table, {"id": [5], "name": ["b"], "n": [2]})
    with pytest.warns(RuntimeWarning, match=f"(?s)rows are committed as snapshot 3.*{lost.name}"):
        assert append(table, {"id": [5], "name": ["c"], "n": [3]}) == 3


def test_a_job_that_died_before_its_rows_were_seen_is_ended_by_the_next_try(
    tables: Tables, options: dict[str, str]
) -> None:
    create(tables, FIRST, **{"write-only": "true"})
    write_paimon(frame((1, "a", 1)), "db.t", options, idempotence_key="job")
    assert read_paimon("db.t", options).count_rows() == 0  # as if it had been stopped after its commit
    tables.catalog.alter_table("db.t", [SchemaChange.remove_option("write-only")])
    assert write_paimon(frame((1, "a", 1)), "db.t", options, idempotence_key="job").count_rows() == 0
    assert rows_of(read_paimon("db.t", options)) == [(1, "a", 1)]


def test_concurrent_writers_see_their_rows(tables: Tables, options: dict[str, str]) -> None:
    table = create(tables, VECTORS, bucket="1")

    def job(number: int) -> None:
        for commit in range(3):
            append(table, {"id": [number, 100], "name": [f"{commit}"] * 2, "n": [number] * 2})
            assert (number, f"{commit}", number) in rows_of(read(table))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(job, range(4)))
    found = rows_of(read(table))
    assert [row[:2] for row in found[:4]] == [(number, "2") for number in range(4)]
    assert [row[0] for row in found] == [*range(4), 100]
