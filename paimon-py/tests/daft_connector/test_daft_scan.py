"""Planning: which files are read, by whom, and what metadata alone can answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import daft
import pyarrow as pa
import pytest
from daft import col

import pypaimon
from daft_connector.tables import append, rows_of
from pypaimon.daft import explain_paimon_scan, read_paimon
from pypaimon.daft.tasks import pack

Options = dict[str, str]
MakeTable = Callable[..., Any]


def days(*names: str | None, rows: int = 3) -> list[pa.Table]:
    return [
        pa.table(
            {"id": pa.array(range(rows), pa.int64()), "v": [1.5] * rows, "day": pa.array([name] * rows, pa.string())}
        )
        for name in names
    ]


def lose_data_files(options: Options) -> int:
    files = [path for path in Path(options["warehouse"]).rglob("*") if path.name.startswith("data-")]
    for path in files:
        path.unlink()
    return len(files)


def test_unfiltered_parquet_goes_to_daft_s_reader_file_by_file(options: Options, make_table: MakeTable) -> None:
    make_table("t", days("a", "b", "b"), ["day"])
    explained = explain_paimon_scan("db.t", options)
    assert (explained.native_parquet_file_count, explained.pypaimon_fallback_file_count) == (3, 0)
    assert explained.total_split_count == explained.paimon_scan.split_count == 2


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"reader": "paimon"}, "reader='paimon' requested"),
        ({"limit": 10}, "small limit"),
        ({"filters": col("v") > 1}, "filter on floating-point column 'v' (NaN)"),
        (
            {"filters": col("id") % 2 == 0},
            "filter that is not exact on Parquet statistics: [col(id) % lit(2)] == lit(0)",
        ),
    ],
)
def test_the_reason_for_our_reader_is_told(
    options: Options, make_table: MakeTable, query: dict[str, Any], reason: str
) -> None:
    make_table("t", days("a", "b"))
    explained = explain_paimon_scan("db.t", options, **query)
    assert explained.native_parquet_file_count == 0
    assert list(explained.fallback_reasons) == [reason]
    assert reason in str(explained)


def test_files_of_another_format_or_schema_go_to_our_reader(
    options: Options, make_table: MakeTable, catalog: Any
) -> None:
    table = make_table("t", days("a"), **{"file.format": "avro"})
    catalog.alter_table("db.t", [pypaimon.SchemaChange.set_option("file.format", "parquet")], False)
    append(catalog.get_table("db.t"), days("b")[0])
    catalog.alter_table("db.t", [pypaimon.SchemaChange.rename_column("v", "w")], False)
    explained = explain_paimon_scan("db.t", options, verbose=True)
    assert explained.native_parquet_file_count == 0
    assert sorted(read_paimon("db.t", options).to_pydict()["w"]) == [1.5] * 6
    assert table.native.location in explained.splits[0].file_paths[0]


def test_partition_filters_are_applied_exactly_with_functions_and_nulls(
    options: Options, make_table: MakeTable
) -> None:
    make_table("t", days("2024-01-01", "2024-02-01", None, "", "x/y=z %41"), ["day"])
    memory = daft.from_arrow(pa.concat_tables(days("2024-01-01", "2024-02-01", None, "", "x/y=z %41")))
    for condition in (
        col("day") == "2024-01-01",
        col("day").is_null(),
        col("day").startswith("2024-01"),
        col("day").upper() == "X/Y=Z %41",
        col("day").length() > 3,
        (col("day") == "2024-01-01") | (col("day").length() == 0),
        ~(col("day") == "2024-01-01"),
        (col("day") > "2024") & (col("id") == 1),
        (col("day") == "2024-01-01") | (col("id") == 1),
        col("day").is_in(["2024-01-01", "a", "b", "c", "d", "e", "f"]),
    ):
        for reader in ("auto", "paimon"):
            frame = read_paimon("db.t", options, reader=reader).where(condition)
            assert rows_of(frame) == rows_of(memory.where(condition)), str(condition)


def test_explain_shows_what_each_stage_dropped(options: Options, make_table: MakeTable) -> None:
    make_table("t", days("a", "b", "c", rows=2), ["day"], **{"metadata.stats-mode": "full"})
    explained = explain_paimon_scan(
        "db.t", options, filters=[col("id") > 0, col("id") + 1 == 2], partition_filters=col("day").upper() == "A"
    )
    assert explained.pushed_filters == ["col(id) > lit(0)"]
    assert explained.remaining_filters == ["[col(id) + lit(1)] == lit(2)"]
    assert explained.partition_filter_split_pruning == (3, 1)
    assert explained.total_file_count == 1
    pruned = explain_paimon_scan("db.t", options, partition_filters=col("day") == "a")
    assert pruned.paimon_scan.partition_pruning.before == 3
    assert pruned.paimon_scan.partition_pruning.after == 1
    assert explain_paimon_scan("db.t", options, filters=col("id") > 5).paimon_scan.file_skipping.after == 0


def test_a_limit_without_filters_plans_only_the_files_that_cover_it(options: Options, make_table: MakeTable) -> None:
    make_table("t", days(*"abcdefgh"), **{"source.split.target-size": "1b"})
    explained = explain_paimon_scan("db.t", options, limit=4)
    assert (explained.total_file_count, explained.limit_pushed) == (2, True)
    assert len(read_paimon("db.t", options).limit(4).to_pydict()["id"]) == 4


def test_a_limit_is_not_pushed_below_a_filter_left_to_daft(options: Options, make_table: MakeTable) -> None:
    make_table("t", days(*"abcdefgh"), **{"source.split.target-size": "1b"})
    condition = col("id") % 3 == 2
    assert not explain_paimon_scan("db.t", options, filters=condition, limit=4).limit_pushed
    assert read_paimon("db.t", options).where(condition).limit(4).to_pydict()["id"] == [2] * 4
    partitioned = make_table("p", days(*"abcdefgh"), ["day"])
    assert partitioned.partition_keys == ["day"]
    frame = read_paimon("db.p", options).where(col("day").upper().is_in(["G", "H"])).limit(4)
    assert set(frame.to_pydict()["day"]) <= {"g", "h"}
    assert frame.count_rows() == 4


def test_counting_rows_opens_no_data_file(options: Options, make_table: MakeTable) -> None:
    make_table("t", days("a", "b", None), ["day"])
    assert lose_data_files(options) == 3
    frame = read_paimon("db.t", options)
    assert frame.count_rows() == 9
    assert frame.where(col("day") == "a").count_rows() == 3
    assert frame.where(col("day").is_null()).count_rows() == 3
    assert frame.where(col("day") == "nope").count_rows() == 0


def test_counting_with_a_filter_or_limit_reads_rows(options: Options, make_table: MakeTable) -> None:
    make_table("t", days("a", "b"), ["day"])
    frame = read_paimon("db.t", options)
    assert frame.where(col("id") > 0).count_rows() == 4
    assert frame.where(col("day").upper() == "B").count_rows() == 3
    assert frame.limit(2).count_rows() == 2
    assert daft.sql("SELECT COUNT(*) AS n FROM frame").to_pydict() == {"n": [6]}
    assert frame.count(col("day")).to_pydict() == {"day": [6]}


def test_an_empty_table_reads_as_no_rows(options: Options, catalog: Any) -> None:
    schema = pypaimon.Schema.from_pyarrow_schema(pa.schema([("id", pa.int64()), ("day", pa.string())]))
    catalog.create_table("db.t", schema, False)
    frame = read_paimon("db.t", options)
    assert frame.to_pydict() == {"id": [], "day": []}
    assert frame.count_rows() == 0
    assert explain_paimon_scan("db.t", options).total_split_count == 0


def test_every_type_keeps_its_daft_type_and_values_on_both_routes(options: Options, make_table: MakeTable) -> None:
    moment = dt.datetime(2024, 1, 2, 3, 4, 5)
    rows = pa.table(
        {
            "i8": pa.array([1, None], pa.int8()),
            "f32": pa.array([1.5, None], pa.float32()),
            "s": pa.array([moment, None], pa.timestamp("s")),
            "ns": pa.array([moment, None], pa.timestamp("ns")),
            "ltz": pa.array([moment, None], pa.timestamp("us", "UTC")),
            "time": pa.array([dt.time(1, 2, 3, 4000), None], pa.time32("ms")),
            "list": pa.array([["a", None], None], pa.list_(pa.string())),
            "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
            "struct": pa.array(
                [{"a": "x", "t": dt.time(1)}, None], pa.struct([("a", pa.string()), ("t", pa.time32("ms"))])
            ),
        }
    )
    make_table("t", [rows])
    auto, ours = (read_paimon("db.t", options, reader=reader) for reader in ("auto", "paimon"))
    assert auto.schema() == ours.schema()
    assert auto.schema()["time"].dtype == daft.DataType.time("us")
    assert auto.to_pydict() == ours.to_pydict()
    assert ours.to_pydict()["time"] == [dt.time(1, 2, 3, 4000), None]
    assert ours.to_pydict()["list"] == [["a", None], None]
    without_time = read_paimon("db.t", options).exclude("time", "struct")
    assert (
        without_time.to_pydict() == read_paimon("db.t", options, reader="paimon").exclude("time", "struct").to_pydict()
    )


def test_only_the_columns_asked_for_are_read(options: Options, make_table: MakeTable) -> None:
    # Values that neither compress nor repeat, so that bytes read tell columns read.
    rows = 20_000
    wide = pa.table(
        {f"c{number}": pa.array(range(number, rows * 7919, 7919)[:rows], pa.int64()) for number in range(50)}
    )
    table = make_table("t", [wide])
    size = sum(path.stat().st_size for path in Path(options["warehouse"]).rglob("data-*"))
    before = _bytes_read()
    frame = read_paimon("db.t", options, reader="paimon").select("c3", "c7")
    assert len(frame.to_pydict()["c3"]) == rows
    assert _bytes_read() - before < size * 2 / 50 * 1.1 + 200_000, table
    assert explain_paimon_scan("db.t", options, columns=["c3"], filters=col("c7") > 1).task_columns == ["c3", "c7"]


def _bytes_read() -> int:
    counters = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(counters["rchar"])


def test_a_missing_data_file_is_an_error_on_both_routes(options: Options, make_table: MakeTable) -> None:
    make_table("t", days("a", "b"))
    lose_data_files(options)
    for reader in ("auto", "paimon"):
        with pytest.raises(Exception, match=r"data-.*\.parquet"):
            read_paimon("db.t", options, reader=reader).to_pydict()


@pytest.mark.parametrize("reader", ["auto", "paimon"])
def test_the_error_of_a_lone_file_is_not_lost_below_a_filter(
    options: Options, make_table: MakeTable, reader: str
) -> None:
    make_table("t", days("a"))
    lose_data_files(options)
    frame = read_paimon("db.t", options, reader=reader)
    for _ in range(30):  # Daft loses about every other one
        with pytest.raises(Exception, match=r"data-.*\.parquet"):
            frame.where(col("day").upper() == "A").collect()


def test_small_splits_share_tasks_and_large_ones_do_not() -> None:
    def split(size: int, is_blob: bool = False) -> Any:
        return SimpleNamespace(files=[SimpleNamespace(file_size=size, is_blob=is_blob)])

    small, large = [split(10_000) for _ in range(1000)], [split(200 << 20) for _ in range(5)]
    assert len(pack(small)) < 40
    assert len(pack([split(200 << 20, is_blob=True) for _ in range(5)])) == 1, "only their indexes are read"
    assert [len(group) for group in pack(large)] == [1] * 5
    assert [split for group in pack(small + large) for split in group] == small + large
    assert pack([]) == []


def test_two_thousand_files_are_all_native_when_unfiltered(options: Options, make_table: MakeTable) -> None:
    table = make_table("t", days("a", rows=1), ["day"])
    for number in range(40):
        append(table, pa.concat_tables(days(*(f"{number}-{part}" for part in range(50)), rows=1)))
    explained = explain_paimon_scan("db.t", options)
    assert (explained.native_parquet_file_count, explained.total_file_count) == (2001, 2001)
    packed = explain_paimon_scan("db.t", options, filters=col("id") == 0)
    assert packed.native_parquet_file_count == 0
    assert list(packed.fallback_reasons) == ["many small files under a filter"]
    assert read_paimon("db.t", options).where(col("id") == 0).count_rows() == 2001


def test_odd_characters_in_paths_are_taken_as_they_are(tmp_path: Path) -> None:
    options = {"warehouse": str(tmp_path / "wa re%20\u00e9?#x")}
    catalog = pypaimon.CatalogFactory.create(options)
    catalog.create_database("db", False)
    (rows,) = days("a/b %41")
    catalog.create_table("db.t", pypaimon.Schema.from_pyarrow_schema(rows.schema, partition_keys=["day"]), False)
    append(catalog.get_table("db.t"), rows)
    assert explain_paimon_scan("db.t", options).native_parquet_file_count == 1
    for reader in ("auto", "paimon"):
        assert read_paimon("db.t", options, reader=reader).to_pydict()["day"] == ["a/b %41"] * 3
