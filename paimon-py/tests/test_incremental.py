"""What was appended between two snapshots, tags or times."""

from __future__ import annotations

import datetime
import pickle
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon import SchemaChange
from pypaimon.exceptions import InvalidInputError, SnapshotExpiredError, UnsupportedError
from pypaimon.schema.data_types import AtomicType
from pypaimon.table.file_store_table import FileStoreTable


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    """Appends 1, 2 and 3; then an overwrite to 10; then appends 4. Tags: two and five."""
    made = tables.create({"n": pa.int32()})
    for n in (1, 2, 3):
        append(made, {"n": [n]})
    overwrite(made, [10])
    append(made, {"n": [4]})
    made.create_tag("two", 2)
    made.create_tag("five", 5)
    return made


def overwrite(table: FileStoreTable, values: list[int]) -> None:
    builder = table.new_batch_write_builder().overwrite()
    with builder.new_write() as write, builder.new_commit() as commit:
        write.write_arrow(pa.table({"n": pa.array(values, pa.int32())}))
        commit.commit(write.prepare_commit())


def between(table: FileStoreTable, start: Any, end: Any, **more: Any) -> list[int]:
    return sorted(read(table.copy({"incremental-between": f"{start},{end}", **more}))["n"].to_pylist())


@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [
        (0, 1, [1]),
        (1, 3, [2, 3]),
        (0, 5, [1, 2, 3, 4]),
        (2, 2, []),
        (3, 4, []),
        (4, 5, [4]),
    ],
)
def test_an_increment_is_what_was_appended_after_the_first_up_to_the_second(
    table: FileStoreTable, start: int, end: int, rows: list[int]
) -> None:
    assert between(table, start, end) == rows


def test_tags_mean_the_difference_of_their_states_unless_taken_for_snapshots(table: FileStoreTable) -> None:
    assert between(table, "two", "five") == [4, 10]
    assert between(table, "two", "five", **{"incremental-between-tag-to-snapshot": "true"}) == [3, 4]
    assert between(table, 2, 5, **{"incremental-between-scan-mode": "diff"}) == [4, 10]


def test_times_mean_the_snapshots_after_the_first_up_to_the_second(table: FileStoreTable) -> None:
    times = [snapshot.time_millis for snapshot in table.snapshot_manager().list_snapshots()]

    def during(start: object, end: object) -> list[int]:
        return sorted(read(table.copy({"incremental-between-timestamp": f"{start},{end}"}))["n"].to_pylist())

    assert during(times[0] - 1, times[-1]) == [1, 2, 3, 4]
    assert during(times[-1], times[-1] + 10_000) == []
    local = [datetime.datetime.fromtimestamp(time / 1000) for time in (times[0] - 10_000, times[-1] + 10_000)]
    assert during(*(f"{time:%Y-%m-%d %H:%M:%S}" for time in local)) == [1, 2, 3, 4]


def test_increments_take_filters_columns_and_limits(tables: Tables) -> None:
    table = tables.create({"p": pa.string(), "n": pa.int32()}, partition_keys=["p"])
    for n in range(6):
        append(table, {"p": ["even" if n % 2 == 0 else "odd", "all"], "n": [n, n]})
    builder = table.copy({"incremental-between": "1,5"}).new_read_builder().with_projection(["n"])
    conditions = builder.new_predicate_builder()
    builder.with_filter(conditions.and_predicates([conditions.equal("p", "odd"), conditions.greater_than("n", 1)]))
    splits = builder.new_scan().plan().splits()
    assert {split.partition.to_dict()["p"] for split in splits} == {"odd"}
    assert builder.new_read().to_arrow(splits).to_pydict() == {"n": [3]}
    assert read(table.copy({"incremental-between": "1,5"}), limit=3).num_rows == 3


def test_increments_have_the_latest_columns(table: FileStoreTable, tables: Tables) -> None:
    tables.catalog.alter_table("db.t", [SchemaChange.add_column("m", AtomicType("INT"))])
    table = tables.catalog.get_table("db.t")
    append(table, {"n": [5], "m": [50]})
    rows = read(table.copy({"incremental-between": "4,6"})).sort_by("n")
    assert rows.to_pydict() == {"n": [4, 5], "m": [None, 50]}


def test_a_pinned_increment_stays_and_travels(table: FileStoreTable) -> None:
    increment = table.copy({"incremental-between": "two,five"})
    pinned = FileStoreTable(increment.native.pin(), table.identifier)
    assert pinned.native.pinned == ("diff", 2, 5)
    table.replace_tag("five", 1)
    assert sorted(read(pickle.loads(pickle.dumps(pinned)))["n"].to_pylist()) == [4, 10]
    delta = table.copy({"incremental-between": "1,3"}).native.pin()
    assert delta.pinned == ("delta", 1, 3)
    assert delta.count_rows() is None
    (Path(table.table_path) / "snapshot/snapshot-2").unlink()
    with pytest.raises(SnapshotExpiredError, match="the increment from snapshot 1 to 3, which this read was pinned to"):
        delta.plan()
    with pytest.raises(SnapshotExpiredError, match="the increment from snapshot 1 to 3"):
        delta.check_pin()


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"incremental-between": "3"}, InvalidInputError, "incremental-between.*'3'"),
        ({"incremental-between": "3,1"}, InvalidInputError, "1 should >= starting snapshotId 3"),
        ({"incremental-between": "five,two"}, InvalidInputError, "snapshot 2, should not be older than.*snapshot 5"),
        ({"incremental-between": "1,99"}, ValueError, r"\[1, 99\].*\[1, 5\]"),
        ({"incremental-between": "a,b"}, InvalidInputError, "Didn't find two tags for start 'a' and end 'b'"),
        ({"incremental-between": "1,3", "scan.snapshot-id": 1}, InvalidInputError, "incremental-between"),
        ({"incremental-between": "1,3", "incremental-between-timestamp": "1,3"}, InvalidInputError, "both"),
        ({"incremental-between-timestamp": "9,1"}, InvalidInputError, "1 should be >= starting timestamp 9"),
        ({"incremental-between-timestamp": "now,then"}, ValueError, "Cannot parse timestamp 'now'"),
        ({"incremental-to-auto-tag": "x"}, UnsupportedError, "incremental-to-auto-tag"),
        ({"incremental-between": "1,3", "incremental-between-scan-mode": "changelog"}, UnsupportedError, "changelog"),
    ],
)
def test_increments_that_cannot_be_are_refused_at_once(
    table: FileStoreTable, options: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        table.copy(options)


@pytest.mark.parametrize("seed", range(20))
def test_the_union_of_increments_replays_the_table(tables: Tables, seed: int) -> None:
    draw = random.Random(seed)
    partitions = ["p"] if draw.random() < 0.5 else []
    table = tables.create({"p": pa.string(), "n": pa.int32()}, partition_keys=partitions)
    commits = draw.randint(1, 6)
    for commit in range(commits):
        values = [draw.randrange(1000) for _ in range(draw.randint(1, 20))]
        append(table, {"p": [draw.choice("abc") for _ in values], "n": values})
        if draw.random() < 0.3:
            table.create_tag(f"tag-{commit}")
    ends = sorted({0, commits, *(draw.randint(0, commits) for _ in range(3))})
    replayed = [
        row
        for start, end in pairwise(ends)
        for row in read(table.copy({"incremental-between": f"{start},{end}"})).to_pylist()
    ]
    whole = read(table).to_pylist()
    assert sorted(replayed, key=str) == sorted(whole, key=str)
