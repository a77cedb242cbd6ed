"""Writing primary-key tables: Daft on its native runner, and the tables' own interface."""

from __future__ import annotations

import pickle
import random
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon import Schema
from pypaimon.catalog.filesystem_catalog import FileSystemCatalog
from pypaimon.exceptions import InvalidInputError
from pypaimon.table.bucket_mode import BucketMode
from pypaimon.table.file_store_table import FileStoreTable

daft = pytest.importorskip("daft")

from daft import col  # noqa: E402

from keyed_tables import COLUMNS, Row, data_files, frame, keyed, ordered, rows_of, snapshots  # noqa: E402
from pypaimon.daft import PaimonCatalog, PaimonTable, read_paimon, write_paimon  # noqa: E402
from pypaimon.daft.sink import PaimonDataSink  # noqa: E402


class TestUpserts:
    def test_the_last_row_of_a_key_is_the_one_that_is_read(self, tables: Tables, options: dict[str, str]) -> None:
        keyed(tables)
        write_paimon(frame((1, "a", 1), (2, "b", 2), (1, "c", 3)), "db.t", options)
        write_paimon(frame((2, "d", None), (3, "e", 5)), "db.t", options)
        result = write_paimon(frame((3, None, 6)), "db.t", options).to_pydict()
        assert (result["operation"], result["rows"]) == (["ADD"], [1])
        wanted = [(1, "c", 3), (2, "d", None), (3, None, 6)]
        for reader in ("auto", "paimon"):
            assert rows_of(read_paimon("db.t", options, reader=reader)) == wanted
        assert rows_of(read(tables.catalog.get_table("db.t"))) == wanted

    @pytest.mark.parametrize("filtered", [False, True])
    def test_the_last_of_duplicates_wins_over_many_pieces_of_a_frame(
        self, tables: Tables, options: dict[str, str], filtered: bool
    ) -> None:
        keyed(tables, buckets=3)
        count = 400_000
        ids = random.Random(7).choices(range(count // 2), k=count)
        rows = pa.table({"id": pa.array(ids, pa.int64()), "name": pa.nulls(count, pa.string()), "n": range(count)})
        given = daft.from_arrow(rows.set_column(2, "n", rows["n"].cast(pa.int32())))
        wanted = dict(zip(ids, range(count), strict=True))
        if filtered:  # makes pieces of 131,072 rows, which several threads pass on
            given = given.where(col("n") % 3 != 0).with_column("name", col("id").cast("string"))
            wanted = {id: n for id, n in zip(ids, range(count), strict=True) if n % 3}
        write_paimon(given, "db.t", options)
        found = read_paimon("db.t", options).to_pydict()
        assert dict(zip(found["id"], found["n"], strict=True)) == wanted
        assert len(found["id"]) == len(wanted)

    def test_random_histories_equal_a_dictionary(self, tables: Tables, options: dict[str, str]) -> None:
        table = tables.create(
            {"p": pa.int32(), **COLUMNS}, primary_keys=["p", "id"], partition_keys=["p"], options={"bucket": "2"}
        )
        chance, state = random.Random(3), dict[tuple[int, int], Row]()
        for commit in range(8):
            rows = [
                (chance.randrange(3), chance.randrange(40), chance.choice(["a", None]), commit * 100 + number)
                for number in range(60)
            ]
            kinds = chance.choices(["+I", "+U", "-D"], weights=[3, 3, 2], k=60)
            arrays = zip(["p", *COLUMNS], [pa.int32(), *COLUMNS.values()], zip(*rows, strict=True), strict=True)
            given = pa.table({name: pa.array(values, kind) for name, kind, values in arrays})
            given = given.append_column("kind", pa.array(kinds))
            write_paimon(daft.from_arrow(given), "db.t", options, row_kind_column="kind")
            for row, kind in zip(rows, kinds, strict=True):
                if kind == "-D":
                    state.pop(row[:2], None)
                else:
                    state[row[:2]] = row
            current = read_paimon("db.t", options)
            assert rows_of(current) == ordered(state.values())
            assert current.count_rows() == len(state)
            one = [row for row in state.values() if row[0] == 1]
            assert current.where(col("p") == 1).count_rows() == len(one)
            high = [row for row in state.values() if row[3] % 100 < 30]
            assert current.where(col("n") % 100 < 30).count_rows() == len(high)
        taken = [table.snapshot_manager().get_snapshot_by_id(id + 1).commit_kind for id in range(snapshots(table))]
        assert taken.count("APPEND") == 8

    def test_a_frame_without_rows_makes_no_snapshot(self, tables: Tables, options: dict[str, str]) -> None:
        table = keyed(tables)
        write_paimon(frame((1, "a", 1)), "db.t", options)
        assert write_paimon(frame(), "db.t", options).to_pydict()["rows"] == []
        assert write_paimon(frame((1, "a", 1)).where(col("id") > 1), "db.t", options).to_pydict()["rows"] == []
        assert snapshots(table) == 1

    def test_columns_are_found_by_name_and_cast(self, tables: Tables, options: dict[str, str]) -> None:
        keyed(tables)
        given = daft.from_pydict({"n": [1, 2], "kind": ["+I", "-D"], "name": ["a", "b"], "id": [7, 7]})
        write_paimon(given, "db.t", options, row_kind_column="kind")
        assert rows_of(read_paimon("db.t", options)) == []
        with pytest.raises(ValueError, match="cannot write column 'n' as int32"):
            write_paimon(given.with_column("n", daft.lit(1 << 40)), "db.t", options, row_kind_column="kind")

    def test_rows_come_as_the_sequence_field_says(self, tables: Tables, options: dict[str, str]) -> None:
        keyed(tables, sequence__field="n")
        write_paimon(frame((1, "new", 9), (1, "old", 3), (2, "x", 1)), "db.t", options)
        write_paimon(frame((1, "older", 8), (2, "y", 1)), "db.t", options)
        assert rows_of(read_paimon("db.t", options)) == [(1, "new", 9), (2, "y", 1)]

    @pytest.mark.parametrize(
        ("engine", "wanted"),
        [
            ({"merge-engine": "deduplicate"}, (1, None, 2)),
            ({"merge-engine": "partial-update"}, (1, "a", 2)),
            ({"merge-engine": "aggregation", "fields.n.aggregate-function": "sum"}, (1, "a", 3)),
        ],
    )
    def test_merge_engines(self, tables: Tables, options: dict[str, str], engine: dict[str, str], wanted: Row) -> None:
        tables.create(COLUMNS, primary_keys=["id"], options={"bucket": "1", **engine})
        write_paimon(frame((1, "a", 1)), "db.t", options)
        write_paimon(frame((1, None, 2)), "db.t", options)
        assert rows_of(read_paimon("db.t", options)) == [wanted]

    def test_a_failed_frame_commits_nothing_and_leaves_no_files(self, tables: Tables, options: dict[str, str]) -> None:
        @daft.func(return_dtype=daft.DataType.int32())
        def fail_late(value: int) -> int:
            if value == 390_000:
                raise ArithmeticError("boom")
            return value

        table = keyed(tables)
        rows = daft.range(400_000).select(
            col("id").cast("int64"), daft.lit("x").alias("name"), fail_late(col("id")).alias("n")
        )
        with pytest.raises(Exception, match="boom"):
            write_paimon(rows, "db.t", options)
        assert (snapshots(table), data_files(options)) == (0, [])

    def test_columns_of_the_frame_may_have_any_name_and_no_type(self, tables: Tables, options: dict[str, str]) -> None:
        name = "__paimon_order_0"
        tables.create({"id": pa.int64(), name: pa.string()}, primary_keys=["id"], options={"bucket": "1"})
        write_paimon(daft.from_pydict({"id": [1, 1], name: [None, None]}), "db.t", options)
        write_paimon(daft.from_pydict({"id": [2], name: ["x"]}), "db.t", options)
        assert rows_of(read_paimon("db.t", options)) == [(1, None), (2, "x")]

    def test_an_idempotence_key_commits_once(self, tables: Tables, options: dict[str, str]) -> None:
        table = keyed(tables, merge_engine="aggregation", fields__n__aggregate_function="sum")
        for _ in range(2):
            write_paimon(frame((1, "a", 1)), "db.t", options, idempotence_key="job-7")
        assert snapshots(table) == 1
        assert rows_of(read_paimon("db.t", options)) == [(1, "a", 1)]


class TestRowKinds:
    @pytest.fixture
    def filled(self, tables: Tables, options: dict[str, str]) -> FileStoreTable:
        table = keyed(tables)
        write_paimon(frame((1, "a", 1), (2, "b", 2), (3, "c", 3)), "db.t", options)
        return table

    def test_rows_are_deleted_and_put_by_one_frame(self, filled: FileStoreTable, options: dict[str, str]) -> None:
        changes = frame((1, "a", 1), (2, "B", 20), (4, "d", 4), kind=["-D", "+U", "+I"])
        write_paimon(changes, "db.t", options, row_kind_column="kind")
        assert rows_of(read_paimon("db.t", options)) == [(2, "B", 20), (3, "c", 3), (4, "d", 4)]
        assert read_paimon("db.t", options).column_names == list(COLUMNS)
        assert read_paimon("db.t", options).count_rows() == 3
        assert read_paimon("db.t", options, snapshot_id=1).count_rows() == 3

    def test_what_was_read_can_be_deleted(self, filled: FileStoreTable, options: dict[str, str]) -> None:
        table = PaimonTable(filled)
        old = table.read().where(col("n") < 3).with_column("kind", daft.lit("-D"))
        table.append(old, row_kind_column="kind")
        assert rows_of(table.read()) == [(3, "c", 3)]

    def test_the_table_option_names_a_column_that_is_stored(self, tables: Tables, options: dict[str, str]) -> None:
        tables.create(
            {"id": pa.int64(), "kind": pa.string()},
            primary_keys=["id"],
            options={"bucket": "1", "rowkind.field": "kind"},
        )
        write_paimon(daft.from_pydict({"id": [1, 2], "kind": ["+I", "+I"]}), "db.t", options)
        write_paimon(daft.from_pydict({"id": [1, 2], "kind": ["-D", "+U"]}), "db.t", options)
        assert rows_of(read_paimon("db.t", options)) == [(2, "+U")]

    @pytest.mark.parametrize(
        ("kinds", "column", "message"),
        [
            (["+I"], "op", r"row_kind_column 'op' is not a column of the frame, which has: \['id'"),
            (["+I"], "name", "row_kind_column 'name' is a column of the table"),
            ([3], "kind", "row_kind_column 'kind' must hold the texts .* found int64"),
            (["upsert"], "kind", "upsert"),
            ([None], "kind", "kind"),
            (["+I"], None, r"extra fields: \['kind'\]"),
        ],
    )
    def test_what_is_no_row_kind_is_refused(
        self,
        filled: FileStoreTable,
        options: dict[str, str],
        kinds: list[Any],
        column: str | None,
        message: str,
    ) -> None:
        array = pa.array(kinds, pa.string() if kinds == [None] else None)
        with pytest.raises(ValueError, match=message):
            write_paimon(frame((1, "a", 1), kind=array), "db.t", options, row_kind_column=column)
        assert snapshots(filled) == 1
        assert len(data_files(options)) == 2

    def test_two_sources_of_row_kinds_are_refused(self, tables: Tables, options: dict[str, str]) -> None:
        keyed(tables, rowkind__field="name")
        with pytest.raises(ValueError, match=r"rowkind\.field"):
            write_paimon(frame((1, "+I", 1), kind=["+I"]), "db.t", options, row_kind_column="kind")

    def test_append_tables_know_no_row_kinds(self, tables: Tables, options: dict[str, str]) -> None:
        table = tables.create(COLUMNS)
        with pytest.raises(ValueError, match="no primary key"):
            write_paimon(frame((1, "a", 1), kind=["+I"]), "db.t", options, row_kind_column="kind")
        with pytest.raises(InvalidInputError, match="kind"):
            table.new_batch_write_builder().with_row_kind_column("kind").new_write()

    def test_the_tables_own_interface_takes_them_too(self, filled: FileStoreTable) -> None:
        builder = filled.new_batch_write_builder().with_row_kind_column("kind")
        with builder.new_write() as write, builder.new_commit() as commit:
            write.write_arrow(pa.table({"id": [1, 9], "name": ["a", "i"], "n": [1, 9], "kind": ["-D", "+I"]}))
            pandas = pytest.importorskip("pandas")
            write.write_pandas(pandas.DataFrame({"id": [2], "name": ["b"], "n": [2], "kind": ["-D"]}))
            commit.commit(write.prepare_commit())
        assert rows_of(read(filled)) == [(3, "c", 3), (9, "i", 9)]


class TestOverwrite:
    def test_the_whole_of_a_table_without_partitions_is_replaced(self, tables: Tables, options: dict[str, str]) -> None:
        keyed(tables)
        write_paimon(frame((1, "a", 1), (2, "b", 2)), "db.t", options)
        write_paimon(frame((2, "c", 3), (2, "d", 4)), "db.t", options, mode="overwrite")
        assert rows_of(read_paimon("db.t", options)) == [(2, "d", 4)]
        write_paimon(frame(), "db.t", options, mode="overwrite")
        assert read_paimon("db.t", options).count_rows() == 0

    def test_only_partitions_of_the_frame_are_replaced(self, tables: Tables, options: dict[str, str]) -> None:
        tables.create(
            {"p": pa.string(), **COLUMNS}, primary_keys=["p", "id"], partition_keys=["p"], options={"bucket": "2"}
        )
        given = {"p": ["x", "x", "y"], "id": [1, 2, 1], "name": ["a", "b", "c"], "n": [1, 2, 3]}
        write_paimon(daft.from_pydict(given), "db.t", options)
        new = daft.from_pydict({"p": ["x"], "id": [3], "name": ["z"], "n": [9]})
        write_paimon(new, "db.t", options, mode="overwrite")
        assert rows_of(read_paimon("db.t", options)) == [("x", 3, "z", 9), ("y", 1, "c", 3)]
        write_paimon(new, "db.t", options, mode="overwrite", partition={"p": "x"})
        assert read_paimon("db.t", options).count_rows() == 2
        with pytest.raises(ValueError, match="outside of the overwritten partition"):
            write_paimon(new, "db.t", options, mode="overwrite", partition={"p": "y"})


class TestTables:
    def test_a_catalog_makes_them(self, catalog: FileSystemCatalog) -> None:
        made = PaimonCatalog(catalog).create_table(
            "db.t",
            frame().schema(),
            properties={"primary_keys": ["id"], "bucket": 2, "merge-engine": "partial-update", "ignore-delete": True},
        )
        assert (made.primary_keys, made.is_primary_key_table, made.bucket_count) == (["id"], True, 2)
        assert made.table_options["ignore-delete"] == "true"
        inner = catalog.get_table("db.t")
        assert inner.bucket_mode() is BucketMode.HASH_FIXED
        assert [field.name for field in inner.primary_keys_fields] == ["id"]
        assert not inner.primary_keys_fields[0].type.nullable

    @pytest.mark.parametrize(
        ("keys", "options", "message"),
        [
            (["nope"], {}, "nope"),
            (["id", "id"], {}, "id"),
            (["id"], {"merge-engine": "upsert"}, "upsert"),
            (["id"], {"sequence.field": "nope"}, "nope"),
            (["id"], {"rowkind.field": "n"}, "rowkind.field"),
            (["id"], {"bucket-key": "name"}, "bucket key"),
        ],
    )
    def test_schemas_that_contradict_themselves_are_refused(
        self, catalog: FileSystemCatalog, keys: list[str], options: dict[str, str], message: str
    ) -> None:
        schema = Schema.from_pyarrow_schema(
            pa.schema(list(COLUMNS.items())), primary_keys=keys, options={"bucket": "1", **options}
        )
        with pytest.raises(ValueError, match=message):
            catalog.create_table("db.t", schema)
        assert catalog.list_tables("db") == []

    @pytest.mark.parametrize(
        ("partition", "given", "mode"),
        [
            ([], {}, BucketMode.HASH_DYNAMIC),
            (["name"], {}, BucketMode.CROSS_PARTITION),
            ([], {"bucket": "-2"}, BucketMode.POSTPONE_MODE),
            ([], {"bucket": "1", "merge-engine": "first-row"}, BucketMode.HASH_FIXED),
            ([], {"bucket": "1", "deletion-vectors.enabled": "true"}, BucketMode.HASH_FIXED),
        ],
    )
    def test_all_kinds_of_buckets_are_written_by_both_interfaces(
        self,
        tables: Tables,
        options: dict[str, str],
        partition: list[str],
        given: dict[str, str],
        mode: BucketMode,
    ) -> None:
        table = tables.create(COLUMNS, primary_keys=["id"], partition_keys=partition, options=given)
        assert table.bucket_mode() is mode
        write_paimon(frame((1, "a", 1), (2, "a", 2)), "db.t", options)
        append(table, {"id": [3, 2], "name": ["a", "b"], "n": [3, 4]})
        second = (2, "a", 2) if "merge-engine" in given else (2, "b", 4)
        assert rows_of(read_paimon("db.t", options)) == rows_of(read(table)) == [(1, "a", 1), second, (3, "a", 3)]

    @pytest.mark.parametrize("given", [{"merge-engine": "first-row"}, {"deletion-vectors.enabled": "true"}])
    def test_tables_that_want_a_compaction_need_none_after_an_overwrite(
        self, tables: Tables, options: dict[str, str], given: dict[str, str]
    ) -> None:
        table = tables.create(COLUMNS, primary_keys=["id"], options={"bucket": "1", **given})
        for _ in range(2):
            write_paimon(frame((2, "b", 2), (1, "a", 1)), "db.t", options, mode="overwrite")
            assert rows_of(read_paimon("db.t", options)) == [(1, "a", 1), (2, "b", 2)]
        assert table.snapshot_manager().get_latest_snapshot().commit_kind == "OVERWRITE"

    def test_null_keys_are_refused(self, tables: Tables, options: dict[str, str]) -> None:
        table = keyed(tables)
        with pytest.raises(ValueError, match="id"):
            write_paimon(frame((1, "a", 1), (None, "b", 2)), "db.t", options)
        assert (snapshots(table), data_files(options)) == (0, [])

    def test_a_bucket_has_one_writer_in_a_commit(self, tables: Tables, options: dict[str, str]) -> None:
        table = keyed(tables, buckets=1)
        sinks = [PaimonDataSink(table) for _ in range(2)]
        written = []
        for sink in sinks:
            piece = frame((1, "a", 1)).collect()
            written += [done for part in piece.iter_partitions() for done in sink.write(iter([part]))]
        with pytest.raises(ValueError, match="bucket"):
            sinks[0].finalize(written)
        assert (snapshots(table), data_files(options)) == (0, [])

    def test_daft_s_own_connector_reads_and_writes_them(self, tables: Tables) -> None:
        table = keyed(tables)
        frame((1, "a", 1), (2, "b", 2)).write_paimon(table)
        frame((2, "c", 3)).write_paimon(table)
        assert rows_of(daft.read_paimon(table)) == [(1, "a", 1), (2, "c", 3)]

    def test_messages_of_several_processes_are_committed_together(self, tables: Tables) -> None:
        table = tables.create(
            {"p": pa.string(), **COLUMNS}, primary_keys=["p", "id"], partition_keys=["p"], options={"bucket": "2"}
        )
        builder = table.new_batch_write_builder()
        messages = []
        for partition in ("x", "y"):
            with pickle.loads(pickle.dumps(builder)).new_write() as write:
                write.write_arrow(pa.table({"p": [partition], "id": [1], "name": ["a"], "n": [1]}))
                messages += pickle.loads(pickle.dumps(write.prepare_commit()))
        with builder.new_commit() as commit:
            commit.commit(messages)
        assert rows_of(read(table)) == [("x", 1, "a", 1), ("y", 1, "a", 1)]
