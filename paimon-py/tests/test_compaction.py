"""Compactions that are asked for: what they do, what they tell, and what they leave alone. On Daft's native runner."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon import SchemaChange
from pypaimon._native import NativeCompactTask
from pypaimon.exceptions import CorruptTableError, InvalidInputError
from pypaimon.schema.data_types import AtomicType
from pypaimon.table.file_store_table import FileStoreTable

daft = pytest.importorskip("daft")

from keyed_tables import COLUMNS, data_files, frame, keyed, rows_of, snapshots  # noqa: E402
from pypaimon.daft import PaimonTable, read_paimon, write_paimon  # noqa: E402
from pypaimon.daft.compaction import CompactionProgress  # noqa: E402

SUMMARY = [
    *("partition", "bucket", "work"),
    *(f"{count}_{when}" for count in ("files", "level_0", "bytes", "rows") for when in ("before", "after")),
    "gave_way",
]
PARTITIONED = {"p": pa.string(), **COLUMNS}


def waiting(tables: Tables, name: str = "t", buckets: int = 2, **options: str) -> FileStoreTable:
    """Keys 0..9 in four commits that nobody has compacted: n is 0, 1 for even keys, 2 for 0 and 5; 9 is deleted."""
    keyed(tables, name, buckets, write_only="true", **options)
    for step, n in ((1, 0), (2, 1), (5, 2)):
        write(tables, name, *((id, f"v{id}", n) for id in range(0, 10, step)))
    gone = frame((9, None, None), kind=["-D"])
    write_paimon(gone, f"db.{name}", tables.catalog.catalog_options, row_kind_column="kind")
    return tables.catalog.get_table(f"db.{name}")


WAITING = [(id, f"v{id}", 2 if id % 5 == 0 else 1 if id % 2 == 0 else 0) for id in range(9)]


def write(tables: Tables, name: str, *rows: tuple[Any, ...]) -> None:
    write_paimon(frame(*rows), f"db.{name}", tables.catalog.catalog_options)


def partitioned(tables: Tables) -> FileStoreTable:
    """A table with two rows in each of the partitions ``x`` and ``y``, from two commits."""
    table = tables.create(
        PARTITIONED, primary_keys=["p", "id"], partition_keys=["p"], options={"bucket": "1", "write-only": "true"}
    )
    for id in range(2):
        append(table, {"p": ["x", "y"], "id": [id] * 2, "name": ["a"] * 2, "n": [0] * 2})
    return table


def rows(summary: Any) -> list[dict[str, Any]]:
    assert summary.column_names == SUMMARY
    return summary.to_pylist()


def by_bucket(summary: Any) -> dict[tuple[str, int], dict[str, Any]]:
    *buckets, manifests = rows(summary)
    assert (manifests["work"], manifests["partition"], manifests["bucket"]) == ("manifests", None, None)
    return {(row["partition"], row["bucket"]): row for row in buckets}


def listing(options: dict[str, str]) -> list[tuple[str, int]]:
    return sorted((str(path), path.stat().st_size) for path in Path(options["warehouse"]).rglob("*") if path.is_file())


def files_of(table: FileStoreTable) -> dict[int, list[Any]]:
    """The files of each bucket."""
    found: dict[int, list[Any]] = {}
    for split in table.native.plan().splits:
        found.setdefault(split.bucket, []).extend(split.files)
    return found


class TestFull:
    def test_every_bucket_becomes_one_file_without_deleted_rows(self, tables: Tables, options: dict[str, str]) -> None:
        table = waiting(tables)
        before = files_of(table)
        found = by_bucket(table.compact(full=True))
        after = files_of(table)
        assert sorted(found) == [("", 0), ("", 1)]
        for (_, bucket), row in found.items():
            assert row["work"] == "merge to level 5"
            assert not row["gave_way"]
            for when, files in (("before", before[bucket]), ("after", after[bucket])):
                assert row[f"files_{when}"] == len(files)
                assert row[f"level_0_{when}"] == sum(file.level == 0 for file in files)
                assert row[f"bytes_{when}"] == sum(file.file_size for file in files)
                assert row[f"rows_{when}"] == sum(file.row_count for file in files)
            assert (row["files_after"], row["level_0_after"]) == (1, 0)
        assert sum(row["rows_before"] for row in found.values()) == 18
        assert sum(row["rows_after"] for row in found.values()) == len(WAITING)
        assert rows_of(read(table)) == rows_of(read_paimon("db.t", options)) == WAITING
        assert table.snapshot_manager().get_latest_snapshot().commit_kind == "COMPACT"

    def test_a_second_one_finds_nothing_to_do(self, tables: Tables) -> None:
        table = waiting(tables)
        table.compact(full=True)
        last = snapshots(table)
        assert by_bucket(table.compact(full=True)) == {}
        assert snapshots(table) == last

    def test_manifests_are_merged_and_counted(self, tables: Tables) -> None:
        table = waiting(tables)
        *_, manifests = rows(table.compact(full=True))
        assert manifests["files_before"] >= 4
        assert manifests["files_after"] < manifests["files_before"]
        assert 0 < manifests["bytes_after"] < manifests["bytes_before"]
        assert manifests["rows_before"] >= manifests["rows_after"] == sum(map(len, files_of(table).values()))
        assert manifests["level_0_before"] is manifests["gave_way"] is None

    def test_old_snapshots_stay_readable(self, tables: Tables, options: dict[str, str]) -> None:
        table = waiting(tables)
        table.compact(full=True)
        assert read_paimon("db.t", options, snapshot_id=1).count_rows() == 10
        assert read_paimon("db.t", options, snapshot_id=4).count_rows() == 9

    @pytest.mark.parametrize("options", [{}, {"bucket": "2", "bucket-key": "id"}])
    def test_small_files_of_an_append_table_become_one(self, tables: Tables, options: dict[str, str]) -> None:
        table = tables.create(COLUMNS, options=options)
        for id in range(3):
            append(table, {"id": [id, id + 10], "name": ["a", None], "n": [id, None]})
        wanted = rows_of(read(table))
        found = by_bucket(table.compact(full=True))
        assert all(row["work"] == "join small files" for row in found.values())
        assert all(row["files_after"] == 1 for row in found.values())
        assert all(row["rows_after"] == row["rows_before"] for row in found.values())
        assert rows_of(read(table)) == wanted
        assert {len(files) for files in files_of(table).values()} == {1}

    def test_columns_that_were_added_since_are_kept(self, tables: Tables) -> None:
        stale = waiting(tables)
        tables.catalog.alter_table("db.t", [SchemaChange.add_column("more", AtomicType("INT"))])
        current = tables.catalog.get_table("db.t")
        append(current, {"id": [3], "name": ["new"], "n": [3], "more": [7]})
        stale.compact(full=True)
        assert rows_of(read(current))[3] == (3, "new", 3, 7)

    def test_a_branch_is_compacted_for_itself(self, tables: Tables) -> None:
        table = waiting(tables)
        table.create_tag("here")
        table.branch_manager().create_branch("b", "here")
        found = by_bucket(PaimonTable(table).compact(full=True, branch="b"))
        assert len(found) == 2
        branch = tables.catalog.get_table("db.t$branch_b")
        assert {len(files) for files in files_of(branch).values()} == {1}
        assert min(len(files) for files in files_of(table).values()) > 1
        assert rows_of(read(branch)) == rows_of(read(table)) == WAITING

    def test_memory_is_what_the_table_says(self, tables: Tables, options: dict[str, str]) -> None:
        table = keyed(tables, buckets=1, write_only="true")
        count = 60_000
        for n in range(3):
            given = {"id": list(range(count)), "name": ["x" * 40] * count, "n": [n] * count}
            write_paimon(daft.from_pydict(given), "db.t", options)
        found = by_bucket(table.copy({"write-buffer-size": "1 mb"}).compact(full=True))
        assert found["", 0]["rows_after"] == count
        assert set(read_paimon("db.t", options).to_pydict()["n"]) == {2}


class TestDue:
    def test_what_is_not_due_is_left_alone(self, tables: Tables, options: dict[str, str]) -> None:
        table = waiting(tables)
        before = listing(options)
        assert by_bucket(table.compact()) == {}
        assert listing(options) == before

    def test_sorted_runs_are_merged_when_there_are_too_many(self, tables: Tables) -> None:
        table = waiting(tables, num_sorted_run__compaction_trigger="2")
        found = by_bucket(table.compact())
        assert sorted(found) == [("", 0), ("", 1)]
        assert all(row["files_after"] <= 2 < row["files_before"] for row in found.values())
        assert rows_of(read(table)) == WAITING

    def test_rows_that_wait_get_a_bucket_and_are_seen(self, tables: Tables) -> None:
        waits = {"bucket": "-2", "deletion-vectors.enabled": "true", "postpone.batch-write-fixed-bucket": "false"}
        table = tables.create(COLUMNS, primary_keys=["id"], options=waits)
        for n in range(2):
            append(table, {"id": [1, 2 + n], "name": ["a"] * 2, "n": [n] * 2})
        assert rows_of(read(table)) == []
        found = by_bucket(table.compact())
        assert [found["", -2][f"rows_{when}"] for when in ("before", "after")] == [4, 0]
        real = found["", 0]
        assert (real["files_before"], real["rows_after"], real["level_0_after"]) == (0, 3, 0)
        assert real["work"].startswith("move to 1 bucket, merge to level")
        assert rows_of(read(table)) == [(1, "a", 1), (2, "a", 0), (3, "a", 1)]

    def test_an_empty_table_has_nothing_due(self, tables: Tables) -> None:
        assert by_bucket(keyed(tables).compact(full=True)) == {}


class TestDryRun:
    @pytest.mark.parametrize("full", [False, True])
    def test_nothing_is_written(self, tables: Tables, options: dict[str, str], full: bool) -> None:
        table = waiting(tables, num_sorted_run__compaction_trigger="2")
        before = listing(options)
        told: list[CompactionProgress] = []
        planned = rows(table.compact(full=full, dry_run=True, progress=told.append))
        assert listing(options) == before
        assert told == []
        assert [row["bucket"] for row in planned] == [0, 1, None]
        known = [name for name in SUMMARY if not name.endswith("_after") and name != "gave_way"]
        done = rows(table.compact(full=full))
        for was, came in zip(planned, done, strict=True):
            assert {name: was[name] for name in known} == {name: came[name] for name in known}
            assert {was[name] for name in SUMMARY if name not in known} == {None}


class TestPartitions:
    @pytest.mark.parametrize("value", ["x", None])
    def test_only_these_are_compacted(self, tables: Tables, value: str | None) -> None:
        table = tables.create(PARTITIONED, partition_keys=["p"])
        for id in range(2):
            append(table, {"p": ["x", "y", None], "id": [id] * 3, "name": ["a"] * 3, "n": [0] * 3})
        found = by_bucket(table.compact(full=True, partitions=[{"p": value}]))
        assert list(found) == [("p=NULL" if value is None else "p=x", 0)]

    @pytest.mark.parametrize("day", ["2024-01-01", pa.scalar(19723, pa.date32()).as_py()])
    def test_values_are_texts_or_python_s(self, tables: Tables, day: Any) -> None:
        columns = {"d": pa.date32(), "h": pa.int32(), **COLUMNS}
        table = tables.create(columns, partition_keys=["d", "h"], options={"bucket": "-1"})
        days = pa.array([19723, 19723, 19724], pa.int32()).cast(pa.date32()).to_pylist()
        for id in range(2):
            append(table, {"d": days, "h": [1, 2, 1], "id": [id] * 3, "name": ["a"] * 3, "n": [0] * 3})
        found = by_bucket(table.compact(full=True, partitions=[{"d": day, "h": 1}], dry_run=True))
        assert [key for key, _ in found] == ["d=2024-01-01/h=1"]
        found = by_bucket(table.compact(full=True, partitions=[{"d": day}, {"h": "1"}]))
        assert [key for key, _ in found] == ["d=2024-01-01/h=1", "d=2024-01-01/h=2", "d=2024-01-02/h=1"]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ([{"name": "a"}], "'name' does not partition the table; it is partitioned by: p"),
            ([{"p": "x"}, {"q": 1}], "'q' does not partition the table"),
            ([{"p": 1}], "1 is not a value of partition column 'p' of type string"),
            ([], "partitions must be a list with at least one partition"),
            ({"p": "x"}, "partitions must be a list with at least one partition"),
            ("x", "partitions must be a list with at least one partition, .*, got: 'x'"),
            (7, "partitions must be a list with at least one partition, .*, got: 7"),
            ([{}], "a partition is a mapping of partition columns to values"),
            (["x"], "a partition is a mapping of partition columns to values"),
        ],
    )
    def test_what_names_no_partition_is_refused(self, tables: Tables, given: Any, message: str) -> None:
        with pytest.raises(InvalidInputError, match=message):
            partitioned(tables).compact(partitions=given)

    def test_a_table_without_partitions_says_so(self, tables: Tables) -> None:
        with pytest.raises(ValueError, match="'p' does not partition the table; it has no partitions"):
            keyed(tables).compact(partitions=[{"p": "x"}])


class TestArguments:
    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"full": "yes"}, "full must be True or False, got: 'yes'"),
            ({"dry_run": 1}, "dry_run must be True or False, got: 1"),
            ({"progress": True}, "progress must be a function of a CompactionProgress, such as print, got: True"),
        ],
    )
    def test_wrong_ones_are_refused_before_anything_is_done(
        self, tables: Tables, options: dict[str, str], wrong: dict[str, Any], message: str
    ) -> None:
        table = waiting(tables)
        before = listing(options)
        with pytest.raises(InvalidInputError, match=message):
            table.compact(**{"full": True, **wrong})
        assert listing(options) == before

    def test_partitions_may_come_one_by_one(self, tables: Tables) -> None:
        given = ({"p": value} for value in "xy")
        assert len(by_bucket(partitioned(tables).compact(full=True, partitions=given, dry_run=True))) == 2

    @pytest.mark.parametrize("option", [{"scan.snapshot-id": "1"}, {"scan.tag-name": "one"}])
    def test_another_state_than_the_latest_is_not_compacted(self, tables: Tables, option: dict[str, str]) -> None:
        table = waiting(tables)
        table.create_tag("one", 1)
        ((key, value),) = option.items()
        with pytest.raises(InvalidInputError, match=f"only the latest state .* by its option {key} = {value}"):
            table.copy(option).compact(full=True)
        assert len(by_bucket(table.copy(option).copy({key: None}).compact(full=True))) == 2


class TestProgress:
    def test_it_goes_from_nothing_to_all(self, tables: Tables) -> None:
        told: list[CompactionProgress] = []
        waiting(tables, buckets=3).compact(full=True, progress=told.append)
        assert [(step.tasks_done, step.tasks) for step in told] == [(done, 3) for done in range(4)]
        assert [step.bytes_done for step in told] == sorted(step.bytes_done for step in told)
        assert told[0].bytes_done == 0 < told[-1].bytes_done == told[-1].bytes
        assert re.fullmatch(r"compacted 1 of 3 tasks, \d\.\d KiB of \d+\.\d KiB", str(told[1]))

    def test_what_it_raises_ends_the_compaction_and_leaves_nothing(
        self, tables: Tables, options: dict[str, str]
    ) -> None:
        table = waiting(tables)
        before, last = data_files(options), snapshots(table)

        def stop(step: CompactionProgress) -> None:
            if step.tasks_done == step.tasks:
                raise InterruptedError("enough")

        with pytest.raises(InterruptedError, match="enough"):
            table.compact(full=True, progress=stop)
        assert (data_files(options), snapshots(table)) == (before, last)


class TestBesideOthers:
    """What is done in the last call of `progress` comes between the work and the commit."""

    @staticmethod
    def compact(table: FileStoreTable, then: Any) -> dict[tuple[str, int], dict[str, Any]]:
        return by_bucket(
            table.compact(full=True, progress=lambda step: then() if step.tasks_done == step.tasks else None)
        )

    def test_rows_that_are_written_meanwhile_stay(self, tables: Tables) -> None:
        table = waiting(tables)
        found = self.compact(table, lambda: write(tables, "t", (0, "meanwhile", 9), (100, "new", 9)))
        assert not any(row["gave_way"] for row in found.values())
        assert rows_of(read(table)) == [(0, "meanwhile", 9), *WAITING[1:], (100, "new", 9)]

    def test_it_gives_way_to_an_overwrite(self, tables: Tables, options: dict[str, str]) -> None:
        table = waiting(tables)
        files: list[Path] = []

        def overwrite() -> None:
            write_paimon(frame((1, "instead", 1)), "db.t", options, mode="overwrite")
            files.extend(data_files(options))

        found = self.compact(table, overwrite)
        assert all(row["gave_way"] for row in found.values())
        assert all(row["files_after"] == row["files_before"] for row in found.values())
        assert rows_of(read(table)) == [(1, "instead", 1)]
        made = {path.name for path in data_files(options)} - {path.name for path in files}
        assert made == set(), "the files of what gave way are deleted"

    def test_it_gives_way_to_another_compaction_of_the_bucket_alone(self, tables: Tables) -> None:
        table = partitioned(tables)
        found = self.compact(table, lambda: table.compact(full=True, partitions=[{"p": "x"}]))
        assert {key: row["gave_way"] for (key, _), row in found.items()} == {"p=x": True, "p=y": False}
        assert {len(files) for files in files_of(table).values()} == {2}
        assert by_bucket(table.compact(full=True)) == {}

    def test_a_table_that_was_made_anew_is_not_touched(self, tables: Tables, options: dict[str, str]) -> None:
        table = waiting(tables)

        def again() -> None:
            tables.catalog.drop_table("db.t")
            waiting(tables)

        with pytest.raises(Exception, match="created again|dropped"):
            self.compact(table, again)
        assert snapshots(tables.catalog.get_table("db.t")) == 4


class TestFailures:
    def test_one_task_that_fails_takes_the_files_of_all_with_it(self, tables: Tables, options: dict[str, str]) -> None:
        table = waiting(tables)
        last = snapshots(table)
        largest = max(files_of(table)[1], key=lambda file: file.row_count)
        lost = Path(largest.path.removeprefix("file://"))
        lost.unlink()
        before = data_files(options)
        with pytest.raises(FileNotFoundError, match=lost.name):
            table.compact(full=True)
        assert (data_files(options), snapshots(table)) == (before, last)

    def test_tasks_travel_as_bytes_and_damaged_ones_are_refused(self, tables: Tables) -> None:
        table = waiting(tables)
        plan = table.native.plan_compaction(full=True)
        task = max(plan.tasks, key=lambda task: task.file_size)
        copy = pickle.loads(pickle.dumps(task))
        assert (copy.to_bytes(), copy.bucket, copy.file_size) == (task.to_bytes(), task.bucket, task.file_size)
        (message,) = pickle.loads(pickle.dumps(copy.run(table.native)))
        assert len(message.compact_before) == task.file_count > len(message.compact_after) == 1
        damaged = bytearray(task.to_bytes())
        damaged[len(damaged) // 2] ^= 1
        with pytest.raises(CorruptTableError, match="compaction task"):
            NativeCompactTask.from_bytes(bytes(damaged))

    def test_views_are_not_compacted(self, tables: Tables) -> None:
        waiting(tables)
        with pytest.raises(InvalidInputError, match="ro"):
            tables.catalog.get_table("db.t$ro").compact()
