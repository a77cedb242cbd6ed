"""Reading primary-key tables: Daft on its native runner, and the tables' own interface."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from conftest import Tables, read
from pypaimon import CatalogFactory, SchemaChange
from pypaimon.exceptions import InvalidInputError
from pypaimon.table.file_store_table import FileStoreTable

daft = pytest.importorskip("daft")

from daft import col  # noqa: E402

from keyed_tables import COLUMNS, Row, data_files, frame, keyed, rows_of  # noqa: E402
from pypaimon.daft import explain_paimon_scan, read_paimon, write_paimon  # noqa: E402
from pypaimon.daft.reader import source_for_table  # noqa: E402


def spoil_columns(file: Path, keep: Iterable[str]) -> None:
    """Overwrites the pages of all other columns of a Parquet file."""
    content = bytearray(file.read_bytes())
    group = pq.ParquetFile(file).metadata.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    spoilt = [column for column in columns if column.path_in_schema not in keep]
    assert spoilt
    for column in spoilt:
        start = column.dictionary_page_offset or column.data_page_offset
        content[start : start + column.total_compressed_size] = bytes([0xFF]) * column.total_compressed_size
    file.write_bytes(content)


class TestReads:
    @pytest.fixture
    def filled(self, tables: Tables, options: dict[str, str]) -> FileStoreTable:
        """Keys 0..999 in two buckets: n is 0, then 1 for every second and 2 for every fifth; 900.. are deleted."""
        table = keyed(tables)
        for step, n in ((1, 0), (2, 1), (5, 2)):
            write_paimon(frame(*((id, f"v{id}", n) for id in range(0, 1000, step))), "db.t", options)
        gone = frame(*((id, None, None) for id in range(900, 1000)), kind=["-D"] * 100)
        write_paimon(gone, "db.t", options, row_kind_column="kind")
        return table

    def rows(self) -> Iterator[Row]:
        for id in range(900):
            yield id, f"v{id}", 2 if id % 5 == 0 else 1 if id % 2 == 0 else 0

    @pytest.mark.parametrize("reader", ["auto", "paimon"])
    def test_filters_see_only_what_is_current(
        self, filled: FileStoreTable, options: dict[str, str], reader: str
    ) -> None:
        current = read_paimon("db.t", options, reader=reader)
        for name, condition, wanted in (
            ("old values stay hidden", col("n") == 0, lambda row: row[2] == 0),
            ("new values", col("n") > 1, lambda row: row[2] > 1),
            ("a key", col("id") == 10, lambda row: row[0] == 10),
            ("a deleted key", col("id") == 950, lambda row: False),
            ("keys and values", (col("id") < 100) & (col("n") != 2), lambda row: row[0] < 100 and row[2] != 2),
            ("keys or values", (col("id") < 5) | (col("n") == 2), lambda row: row[0] < 5 or row[2] == 2),
            ("NULL", col("name").is_null(), lambda row: False),
            ("a function", col("name").endswith("99"), lambda row: row[1].endswith("99")),
            ("many keys", col("id").is_in(list(range(880, 920))), lambda row: 880 <= row[0]),
        ):
            kept = [row for row in self.rows() if wanted(row)]
            assert rows_of(current.where(condition)) == kept, name
            assert rows_of(current.where(condition).select("n")) == sorted(row[2:] for row in kept), name
            assert current.where(condition).count_rows() == len(kept), name
        assert current.count_rows() == 900
        assert len(current.limit(30).to_pydict()["id"]) == 30
        assert len(current.where(col("n") == 0).limit(7).to_pydict()["id"]) == 7

    def test_explain_says_that_files_are_merged(self, filled: FileStoreTable, options: dict[str, str]) -> None:
        explained = explain_paimon_scan("db.t", options)
        assert explained.fallback_reasons == {"LSM merge required": 2}
        assert explained.paimon_scan.is_primary_key_table
        assert str(explained.paimon_scan.bucket_mode) == "HASH_FIXED"
        one = explain_paimon_scan("db.t", options, filters=col("id") == 10)
        assert one.total_split_count == 1
        assert one.pushed_filters == ["col(id) == lit(10)"]

    def test_files_of_one_commit_are_read_by_daft_itself(self, tables: Tables, options: dict[str, str]) -> None:
        keyed(tables, buckets=4)
        write_paimon(frame(*((id, f"v{id}", id) for id in range(50))), "db.t", options)
        explained = explain_paimon_scan("db.t", options)
        assert (explained.native_parquet_split_count, explained.fallback_reasons) == (4, {})
        found = read_paimon("db.t", options)
        assert found.column_names == list(COLUMNS)
        assert rows_of(found.where(col("n") >= 48)) == [(48, "v48", 48), (49, "v49", 49)]

    def test_daft_decodes_no_column_that_only_the_files_have(self, tables: Tables, options: dict[str, str]) -> None:
        keyed(tables, buckets=1)
        rows = [(id, f"v{id}", id) for id in range(50)]
        write_paimon(frame(*rows), "db.t", options)
        (file,) = data_files(options)
        spoil_columns(file, keep=COLUMNS)
        found = read_paimon("db.t", options)
        assert rows_of(found) == rows
        assert rows_of(found.where(col("n") == 7)) == [rows[7]]

    def test_counts_come_from_metadata_where_nothing_is_merged(self, tables: Tables, options: dict[str, str]) -> None:
        table = keyed(tables)
        write_paimon(frame((1, "a", 1), (2, "b", 2)), "db.t", options)
        assert table.native.count_rows() == 2
        write_paimon(frame((1, "a", 1)), "db.t", options)
        assert table.native.count_rows() is None
        splits = table.native.plan().splits
        assert table.native.count_splits(splits, parallelism=2) == 2
        assert read_paimon("db.t", options).count_rows() == 2

    def test_older_states_tags_and_branches(self, filled: FileStoreTable, options: dict[str, str]) -> None:
        def sum_of(**travel: Any) -> int:
            return sum(read_paimon("db.t", options, **travel).to_pydict()["n"])

        assert [sum_of(snapshot_id=id) for id in (1, 2, 3)] == [0, 500, 200 * 2 + 400]
        assert read_paimon("db.t", options, snapshot_id=3).count_rows() == 1000
        filled.create_tag("three", 3)
        filled.branch_manager().create_branch("b", "three")
        write_paimon(frame((1, "branch", 100)), "db.t", options, branch="b")
        assert sum_of(tag_name="three") == 800
        assert sum_of(branch="b") == 900
        assert read_paimon("db.t", options).count_rows() == 900

    def test_increments_hold_what_was_written_not_what_was_merged(
        self, tables: Tables, options: dict[str, str]
    ) -> None:
        keyed(tables)
        for n in range(4):
            write_paimon(frame((1, "a", n), (10 + n, "b", n)), "db.t", options)
        added = read_paimon("db.t", options, incremental=(2, 4))
        assert rows_of(added) == [(1, "a", 2), (1, "a", 3), (12, "b", 2), (13, "b", 3)]

    def test_read_optimised_tables_show_what_needs_no_merge(self, tables: Tables, options: dict[str, str]) -> None:
        table = keyed(tables, buckets=1)
        write_paimon(frame((1, "a", 1)), "db.t", options)
        assert read_paimon("db.t$ro", options).count_rows() == 0
        write_paimon(frame((2, "b", 2)), "db.t", options, mode="overwrite")
        write_paimon(frame((3, "c", 3)), "db.t", options)
        inner = pickle.loads(pickle.dumps(tables.catalog.get_table("db.t$ro")))
        source = pickle.loads(pickle.dumps(source_for_table(inner)))
        for found in (read_paimon("db.t$ro", options), source.read()):
            assert (rows_of(found), found.count_rows()) == ([(2, "b", 2)], 1)
        assert rows_of(read(inner)) == [(2, "b", 2)]
        assert rows_of(read(inner.copy({"scan.snapshot-id": "1"}))) == []
        assert explain_paimon_scan("db.t$ro", options).fallback_reasons == {}
        with pytest.raises(InvalidInputError, match=r"\$ro"):
            inner.new_batch_write_builder().new_write()
        assert read_paimon("db.t", options).count_rows() == 2
        assert table.native.view is None

    def test_schemas_evolve_under_the_merge(
        self, filled: FileStoreTable, options: dict[str, str], tables: Tables
    ) -> None:
        changes = [
            SchemaChange.rename_column("name", "label"),
            SchemaChange.update_column_type("n", "BIGINT"),
            SchemaChange.add_column("extra", "STRING"),
        ]
        tables.catalog.alter_table("db.t", changes, False)
        given = daft.from_pydict({"id": [1], "label": ["new"], "n": [1 << 40], "extra": ["x"]})
        write_paimon(given, "db.t", options)
        current = read_paimon("db.t", options)
        assert rows_of(current.where(col("id").is_in([1, 2]))) == [(1, "new", 1 << 40, "x"), (2, "v2", 1, None)]
        assert rows_of(current.where(col("extra") == "x").select("label")) == [("new",)]

    def test_splits_and_shards_of_the_tables_own_interface(self, filled: FileStoreTable) -> None:
        builder = filled.new_read_builder()
        splits = builder.new_scan().plan().splits()
        assert [split.raw_convertible for split in splits] == [False, False]
        assert rows_of(builder.new_read().to_arrow(splits)) == list(self.rows())
        predicates = builder.new_predicate_builder()
        builder.with_filter(predicates.equal("n", 0)).with_projection(["id"])
        wanted = [(row[0],) for row in self.rows() if row[2] == 0]
        assert rows_of(builder.new_read().to_arrow(builder.new_scan().plan().splits())) == wanted
        plain = filled.new_read_builder()
        shards = [plain.new_scan().with_shard(number, 3).plan().splits() for number in range(3)]
        found = [row for splits in shards for row in rows_of(plain.new_read().to_arrow(splits))]
        assert sorted(found) == list(self.rows())
        assert filled.new_read_builder().with_limit(5).new_read().to_arrow(splits).num_rows == 5


class TestJoinsAndGroups:
    """Daft is told nothing of the buckets, because its joins would trust it too far."""

    @pytest.mark.parametrize("buckets", [1, 7])
    def test_joins_and_groups_on_the_key_equal_those_of_frames_in_memory(
        self, tables: Tables, options: dict[str, str], buckets: int
    ) -> None:
        keyed(tables, "a", buckets=buckets, source__split__target_size="1 b", source__split__open_file_cost="1 b")
        keyed(tables, "b", buckets=50)  # many of them empty
        write_paimon(frame(*((id, "a", id % 3) for id in range(20))), "db.a", options)
        write_paimon(frame(*((id, "A", id % 5) for id in range(0, 20, 4))), "db.a", options)
        write_paimon(frame(*((id, "b", id % 7) for id in range(20, 40))), "db.a", options)
        assert explain_paimon_scan("db.a", options).total_split_count > buckets
        write_paimon(frame(*((id, "b", id) for id in range(30, 70))), "db.b", options)
        a, b = (read_paimon(name, options) for name in ("db.a", "db.b"))
        memory = {name: daft.from_arrow(found.to_arrow()) for name, found in (("a", a), ("b", b))}
        for how in ("inner", "left", "anti"):
            wanted = memory["a"].join(memory["b"], on="id", how=how)
            assert rows_of(a.join(b, on="id", how=how)) == rows_of(wanted)
        assert a.join(b, on="id").count_rows() == 10
        assert a.join(b, on="id", how="anti").count_rows() == 30
        assert a.groupby("id").agg(col("n").count()).count_rows() == a.select("id").distinct().count_rows() == 40


def test_a_warehouse_of_another_catalog_object_sees_what_was_written(options: dict[str, str], tables: Tables) -> None:
    keyed(tables)
    write_paimon(frame((1, "a", 1)), "db.t", options)
    assert rows_of(read(CatalogFactory.create(options).get_table("db.t"))) == [(1, "a", 1)]
