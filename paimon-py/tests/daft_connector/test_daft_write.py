"""Writing frames: what is committed, what is refused, and what is left behind."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
import pytest
from daft import col
from daft.recordbatch import MicroPartition

import pypaimon
from daft_connector.tables import rows_of
from pypaimon.daft import read_paimon, write_paimon
from pypaimon.daft.sink import PaimonDataSink
from pypaimon.exceptions import PaimonError

Options = dict[str, str]
MakeTable = Callable[..., Any]

FRUIT = pa.table({"id": pa.array([1, 2], pa.int64()), "name": ["apple", "pear"], "day": ["a", "b"]})


def frame(**columns: list[Any]) -> daft.DataFrame:
    return daft.from_pydict(columns)


def data_files(options: Options) -> list[Path]:
    return sorted(Path(options["warehouse"]).rglob("data-*"))


def latest_snapshot(catalog: Any) -> Any:
    return catalog.get_table("db.t").snapshot_manager().get_latest_snapshot()


def test_columns_are_matched_by_name_and_cast(options: Options, make_table: MakeTable) -> None:
    make_table("t", [FRUIT])
    write_paimon(frame(day=["c"], id=[7], name=["fig"]), "db.t", options)
    assert (7, "fig", "c") in rows_of(read_paimon("db.t", options))
    with pytest.raises(Exception, match="x7"):
        write_paimon(frame(day=["c"], id=["x7"], name=["fig"]), "db.t", options)


def test_many_morsels_of_one_frame_become_one_file(options: Options, make_table: MakeTable) -> None:
    make_table("t", [FRUIT.slice(0, 0)])
    rows = 131_072 * 4
    big = daft.from_arrow(pa.table({"id": pa.array(range(rows)), "name": ["x"] * rows, "day": ["d"] * rows}))
    result = write_paimon(big, "db.t", options).to_pydict()
    assert result["rows"] == [rows]
    assert result["file_size"] == [path.stat().st_size for path in data_files(options)]
    assert result["file_name"] == [path.name for path in data_files(options)]
    assert read_paimon("db.t", options).count_rows() == rows


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": [1]}, r"Paimon write schema mismatch: missing fields: \['name', 'day'\]"),
        (
            {"id": [1], "name": ["a"], "dya": ["x"]},
            r"Paimon write schema mismatch: missing fields: \['day'\]; extra fields: \['dya'\]",
        ),
        ({"id": [1], "name": [{"a": 1}], "day": ["x"]}, "cannot write column 'name'"),
    ],
)
def test_a_schema_that_does_not_fit_is_refused_before_the_plan_runs(
    options: Options, make_table: MakeTable, columns: dict[str, list[Any]], message: str
) -> None:
    executed = []

    @daft.func(return_dtype=daft.DataType.int64())
    def noted(value: int) -> int:
        executed.append(value)
        return value

    make_table("t", [FRUIT])
    with pytest.raises(ValueError, match=message):
        write_paimon(frame(**columns).with_column("id", noted(col("id"))), "db.t", options)
    assert executed == []


def test_other_modes_are_refused(options: Options, make_table: MakeTable) -> None:
    make_table("t", [FRUIT])
    with pytest.raises(ValueError, match="Only 'append' or 'overwrite' mode is supported, got: 'upsert'"):
        write_paimon(daft.from_arrow(FRUIT), "db.t", options, mode="upsert")


def test_a_failed_frame_commits_nothing_and_leaves_no_files(
    options: Options, make_table: MakeTable, catalog: Any
) -> None:
    @daft.func(return_dtype=daft.DataType.string())
    def fail_late(value: int) -> str:
        if value == 400_000:
            raise ArithmeticError("boom")
        return "x"

    make_table("t", [FRUIT])
    before = data_files(options)
    rows = daft.range(500_000).select(
        col("id").cast("int64"), fail_late(col("id")).alias("name"), daft.lit("d").alias("day")
    )
    with pytest.raises(Exception, match="boom"):
        write_paimon(rows, "db.t", options)
    assert data_files(options) == before
    assert latest_snapshot(catalog).id == 1


def test_appending_no_rows_makes_no_snapshot(options: Options, make_table: MakeTable, catalog: Any) -> None:
    make_table("t", [FRUIT])
    result = write_paimon(daft.from_arrow(FRUIT).where(col("id") > 9), "db.t", options)
    assert result.to_pydict() == {"operation": [], "rows": [], "file_size": [], "file_name": []}
    assert latest_snapshot(catalog).id == 1


class TestOverwrite:
    @pytest.fixture
    def table(self, make_table: MakeTable) -> Any:
        rows = {
            "id": pa.array([1, 2, 3, 4], pa.int64()),
            "region": ["eu", "eu", "us", None],
            "day": ["a", "b", "a", "a"],
        }
        return make_table("t", [pa.table(rows)], ["region", "day"])

    def rows(self, options: Options) -> list[int]:
        return sorted(read_paimon("db.t", options).to_pydict()["id"])

    def test_by_default_only_the_partitions_of_the_input_are_replaced(self, options: Options, table: Any) -> None:
        write_paimon(frame(id=[9], region=["eu"], day=["a"]), "db.t", options, mode="overwrite")
        assert self.rows(options) == [2, 3, 4, 9]

    def test_no_rows_replace_nothing_dynamically(self, options: Options, table: Any) -> None:
        write_paimon(frame(id=[9], region=["eu"], day=["a"]).where(col("id") > 9), "db.t", options, mode="overwrite")
        assert self.rows(options) == [1, 2, 3, 4]

    def test_the_table_option_makes_it_the_whole_table(self, options: Options, table: Any, catalog: Any) -> None:
        change = pypaimon.SchemaChange.set_option("dynamic-partition-overwrite", "false")
        catalog.alter_table("db.t", [change], False)
        write_paimon(frame(id=[9], region=["eu"], day=["a"]), "db.t", options, mode="overwrite")
        assert self.rows(options) == [9]

    @pytest.mark.parametrize(
        ("partition", "kept"),
        [({"region": "eu", "day": "a"}, [2, 3, 4]), ({"region": "eu"}, [3, 4]), ({"region": None}, [1, 2, 3])],
    )
    def test_a_named_partition_is_replaced_whole(
        self, options: Options, table: Any, partition: dict[str, Any], kept: list[int]
    ) -> None:
        rows = frame(id=[9], region=[partition["region"]], day=["a"])
        rows = rows.with_column("region", col("region").cast("string"))
        write_paimon(rows, "db.t", options, mode="overwrite", partition=partition)
        assert self.rows(options) == sorted([*kept, 9])

    def test_no_rows_clear_a_named_partition(self, options: Options, table: Any) -> None:
        empty = frame(id=[9], region=["eu"], day=["a"]).where(col("id") > 9)
        write_paimon(empty, "db.t", options, mode="overwrite", partition={"region": "eu"})
        assert self.rows(options) == [3, 4]

    def test_rows_outside_of_the_named_partition_are_refused(self, options: Options, table: Any) -> None:
        before = data_files(options)
        rows = frame(id=[9, 10], region=["eu", "us"], day=["a", "a"])
        with pytest.raises(Exception, match=r"region = 'us' lies outside of the overwritten partition"):
            write_paimon(rows, "db.t", options, mode="overwrite", partition={"region": "eu"})
        assert self.rows(options) == [1, 2, 3, 4]
        assert data_files(options) == before

    @pytest.mark.parametrize("partition", [{}, {"day": "a"}, {"nope": "a"}, {"region": "eu", "id": 1}])
    def test_a_partition_must_name_leading_columns(
        self, options: Options, table: Any, partition: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match="must name leading partition columns"):
            write_paimon(
                frame(id=[9], region=["eu"], day=["a"]), "db.t", options, mode="overwrite", partition=partition
            )

    def test_a_partition_has_no_meaning_for_append(self, options: Options, table: Any) -> None:
        with pytest.raises(ValueError, match="mode='overwrite'"):
            write_paimon(frame(id=[9], region=["eu"], day=["a"]), "db.t", options, partition={"region": "eu"})


def test_a_partition_value_may_be_of_the_column_s_own_type(options: Options, make_table: MakeTable) -> None:
    days = pa.array([dt.date(2024, 1, 1), dt.date(2024, 1, 2)])
    make_table("t", [pa.table({"id": [1, 2], "day": days})], ["day"])
    for partition in ({"day": dt.date(2024, 1, 1)}, {"day": "2024-01-01"}):
        rows = frame(id=[9], day=[dt.date(2024, 1, 1)])
        write_paimon(rows, "db.t", options, mode="overwrite", partition=partition)
        assert sorted(read_paimon("db.t", options).to_pydict()["id"]) == [2, 9]
    with pytest.raises(ValueError, match="'x' is not a value of partition column 'day'"):
        write_paimon(frame(id=[9], day=["x"]), "db.t", options, mode="overwrite", partition={"day": "x"})


def test_commit_properties_are_recorded_in_the_snapshot(options: Options, make_table: MakeTable) -> None:
    table = make_table("t", [FRUIT])
    write_paimon(daft.from_arrow(FRUIT), "db.t", options, commit_properties={"job": "nightly"})
    assert table.native.snapshots().get(2)["properties"] == {"job": "nightly"}


def test_an_idempotent_write_happens_once(options: Options, make_table: MakeTable, catalog: Any) -> None:
    make_table("t", [FRUIT])
    assert write_paimon(daft.from_arrow(FRUIT), "db.t", options, idempotence_key="monday").count_rows() == 1
    files = data_files(options)
    assert write_paimon(daft.from_arrow(FRUIT), "db.t", options, idempotence_key="monday").count_rows() == 0
    assert data_files(options) == files
    assert latest_snapshot(catalog).id == 2
    assert write_paimon(daft.from_arrow(FRUIT), "db.t", options, idempotence_key="tuesday").count_rows() == 1


def test_a_sink_that_was_sent_to_workers_writes_per_call(options: Options, make_table: MakeTable, catalog: Any) -> None:
    table = make_table("t", [FRUIT]).copy({"file.format": "avro"})
    sink = PaimonDataSink(table)
    sink.start()
    results = []
    for _ in range(2):
        worker = pickle.loads(pickle.dumps(sink))
        rows = MicroPartition.from_arrow(FRUIT)
        results += pickle.loads(pickle.dumps(list(worker.write(iter([rows])))))
    summary = sink.finalize(results).to_pydict()
    assert summary["rows"] == [2, 2]
    # Dynamic options travel with the sink.
    assert all(name.endswith(".avro") for name in summary["file_name"])
    assert latest_snapshot(catalog).total_record_count == 6
    assert read_paimon("db.t", options).count_rows() == 6


def test_a_null_for_a_not_null_column_is_refused(options: Options, catalog: Any) -> None:
    fields = pa.schema([pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.string())])
    catalog.create_table("db.t", pypaimon.Schema.from_pyarrow_schema(fields), False)
    with pytest.raises(Exception, match="id"):
        write_paimon(frame(id=[1, None], name=["a", "b"]), "db.t", options)
    assert data_files(options) == []


def test_a_table_that_was_made_anew_since_is_not_written_to(
    options: Options, make_table: MakeTable, catalog: Any
) -> None:
    sink = PaimonDataSink(make_table("t", [FRUIT]))
    sink.start()
    list(sink.write(iter([MicroPartition.from_arrow(FRUIT)])))
    catalog.drop_table("db.t")
    make_table("t", [FRUIT])
    before = data_files(options)
    with pytest.raises(PaimonError, match="created again"):
        sink.finalize([])
    assert latest_snapshot(catalog).id == 1
    assert data_files(options) == before
