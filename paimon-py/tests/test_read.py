from __future__ import annotations

import datetime
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon.common.predicate import Predicate
from pypaimon.exceptions import InvalidInputError, UnsupportedError, UnsupportedFeatureError
from pypaimon.table.file_store_table import FileStoreTable

ROWS = {
    "id": [1, 2, 3, 4, None],
    "name": ["ann", "bob", None, "dora", "eve"],
    "price": [Decimal("1.50"), Decimal("2.25"), None, Decimal("-3.00"), Decimal("0.00")],
    "day": [datetime.date(2024, 1, day) for day in (1, 2, 3, 4, 5)],
}
TYPES = {"id": pa.int64(), "name": pa.string(), "price": pa.decimal128(10, 2), "day": pa.date32()}


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    made = tables.create(TYPES)
    append(made, ROWS)
    return made


def ids(result: pa.Table) -> list[Any]:
    return sorted(result["id"].to_pylist(), key=lambda value: (value is None, value))


def test_rows_come_back_as_they_were_written(table: FileStoreTable) -> None:
    assert read(table).to_pydict() == ROWS


def test_a_table_without_rows_reads_as_an_empty_frame_with_its_columns(tables: Tables) -> None:
    empty = read(tables.create(TYPES))
    assert empty.num_rows == 0
    assert empty.schema.names == list(TYPES)


@pytest.mark.parametrize("columns", [["name"], ["day", "id"], []])
def test_projection_gives_the_columns_in_the_order_asked_for(table: FileStoreTable, columns: list[str]) -> None:
    result = read(table, projection=columns)
    assert result.column_names == columns
    assert result.num_rows == 5


def test_a_filter_may_name_columns_that_are_not_read(table: FileStoreTable) -> None:
    predicate = table.new_read_builder().new_predicate_builder().equal("name", "bob")
    assert read(table, projection=["id"], filter=predicate).to_pydict() == {"id": [2]}


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("equal", ("id", 2), [2]),
        ("equal", ("id", 2.5), []),
        ("less_than", ("id", 2.5), [1, 2]),
        ("not_equal", ("id", 2), [1, 3, 4]),
        ("greater_or_equal", ("id", 3), [3, 4]),
        ("less_or_equal", ("id", True), None),
        ("is_null", ("id",), [None]),
        ("is_not_null", ("name",), [1, 2, 4, None]),
        ("is_in", ("id", range(2, 2000)), [2, 3, 4]),
        ("is_in", ("id", [1, None]), [1]),
        ("is_not_in", ("id", [1, 2]), [3, 4]),
        ("is_not_in", ("id", [1, None]), []),
        ("between", ("id", 2, 3), [2, 3]),
        ("not_between", ("id", 2, 3), [1, 4]),
        ("startswith", ("name", "d"), [4]),
        ("endswith", ("name", "b"), [2]),
        ("contains", ("name", "o"), [2, 4]),
        ("like", ("name", "%o%"), [2, 4]),
        ("equal", ("price", Decimal("2.250")), [2]),
        ("less_than", ("price", 0), [4]),
        ("greater_than", ("price", Decimal("1.505")), [2]),
        ("equal", ("day", datetime.date(2024, 1, 3)), [3]),
        ("less_or_equal", ("day", datetime.date(2024, 1, 2)), [1, 2]),
    ],
)
def test_filters_keep_exactly_the_rows_for_which_they_are_true(
    table: FileStoreTable, method: str, arguments: tuple[Any, ...], expected: list[Any] | None
) -> None:
    builder = table.new_read_builder().new_predicate_builder()
    predicate = getattr(builder, method)(*arguments)
    if expected is None:
        with pytest.raises(UnsupportedError):
            read(table, filter=predicate)
        return
    assert ids(read(table, filter=predicate)) == expected


def test_and_or_not_combine_in_three_valued_logic(table: FileStoreTable) -> None:
    builder = table.new_read_builder().new_predicate_builder()
    one, bob = builder.equal("id", 1), builder.equal("name", "bob")
    both = builder.or_predicates([one, bob])
    assert ids(read(table, filter=both)) == [1, 2]
    # For id 3 the name, and for the last row the id, is NULL: NOT of unknown is unknown.
    assert ids(read(table, filter=~both)) == [4]
    assert ids(read(table, filter=builder.and_predicates([~one, builder.is_not_null("name")]))) == [2, 4]


def test_limit_is_exact_also_with_a_filter(table: FileStoreTable) -> None:
    append(table, ROWS)
    builder = table.new_read_builder().new_predicate_builder()
    assert read(table, limit=3).num_rows == 3
    assert read(table, limit=0).num_rows == 0
    assert read(table, limit=1, filter=builder.equal("id", 4)).to_pydict()["id"] == [4]
    assert read(table, limit=100, filter=builder.equal("id", 4)).num_rows == 2


def test_all_forms_of_a_read_give_the_same_rows(table: FileStoreTable) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("duckdb")
    append(table, ROWS)
    builder = table.new_read_builder().with_projection(["id", "name"])
    splits = builder.new_scan().plan().splits()
    reading = builder.new_read()
    expected = [*zip(ROWS["id"], ROWS["name"], strict=True)] * 2
    assert [tuple(row.values()) for row in reading.to_arrow(splits).to_pylist()] == expected
    assert list(reading.to_iterator(splits)) == expected
    assert [row.get_field(1) for row in reading.to_iterator(splits)] == ROWS["name"] * 2
    reader = reading.to_arrow_batch_reader(splits)
    assert isinstance(reader, pa.RecordBatchReader)
    assert pa.table(reader).num_rows == 10
    assert isinstance(reading.to_pandas(splits), pandas.DataFrame)
    connection = reading.to_duckdb(splits, "rows")
    assert connection.execute("select count(*), sum(id) from rows").fetchone() == (10, 20)


def test_a_reader_that_is_dropped_early_stops(table: FileStoreTable) -> None:
    builder = table.new_read_builder()
    reader = builder.new_read().to_arrow_batch_reader(builder.new_scan().plan().splits())
    assert reader.read_next_batch().num_rows == 5
    del reader


def test_a_reader_of_many_splits_in_parallel_gives_every_row_once(tables: Tables) -> None:
    table = tables.create({"id": pa.int64()}, options={"source.split.target-size": "1 b"})
    for part in range(8):
        append(table, {"id": list(range(part * 10, part * 10 + 10))})
    builder = table.new_read_builder()
    splits = builder.new_scan().plan().splits()
    assert len(splits) == 8
    whole = builder.new_read().to_arrow(splits, parallelism=4)
    assert whole["id"].to_pylist() == list(range(80))
    batches = builder.new_read().to_arrow_batch_reader(splits, parallelism=4)
    assert sorted(pa.table(batches)["id"].to_pylist()) == list(range(80))


@pytest.mark.parametrize(("names", "error"), [(["nope"], InvalidInputError), (["id", "id"], InvalidInputError)])
def test_a_wrong_projection_is_refused(table: FileStoreTable, names: list[str], error: type[Exception]) -> None:
    with pytest.raises(error, match="nope|twice"):
        table.new_read_builder().with_projection(names)


def test_parts_of_columns_are_refused_by_name(tables: Tables) -> None:
    table = tables.create({"s": pa.struct([("a", pa.int32())])})
    with pytest.raises(UnsupportedFeatureError, match=r"s\.a"):
        table.new_read_builder().with_projection(["s.a"])


def test_a_filter_on_an_unknown_column_is_refused(table: FileStoreTable) -> None:
    with pytest.raises(ValueError, match="nope"):
        table.new_read_builder().new_predicate_builder().equal("nope", 1)
    with pytest.raises(ValueError, match="nope"):
        read(table, filter=Predicate("equal", None, "nope", [1]))


def test_partition_filters_prune_whole_partitions(tables: Tables) -> None:
    table = tables.create({"p": pa.string(), "n": pa.int32()}, partition_keys=["p"])
    append(table, {"p": ["a", "a", "b", None], "n": [1, 2, 3, 4]})
    builder = table.new_read_builder()
    wanted = builder.new_predicate_builder().equal("p", "a")
    builder.with_partition_filter(wanted)
    splits = builder.new_scan().plan().splits()
    assert [split.partition.to_dict() for split in splits] == [{"p": "a"}]
    assert sorted(builder.new_read().to_arrow(splits)["n"].to_pylist()) == [1, 2]
    everything = table.new_read_builder().new_scan().plan().splits()
    assert {split.partition.values for split in everything} == {("a",), ("b",), (None,)}
    with pytest.raises(InvalidInputError, match="n"):
        builder.with_partition_filter(builder.new_predicate_builder().equal("n", 1))


def test_explain_tells_what_each_stage_dropped(tables: Tables) -> None:
    table = tables.create({"p": pa.string(), "n": pa.int32()}, partition_keys=["p"])
    for part in "abc":
        append(table, {"p": [part], "n": [ord(part)]})
    builder = table.new_read_builder()
    builder.with_filter(builder.new_predicate_builder().equal("p", "b"))
    result = builder.explain(verbose=True)
    assert result.snapshot_id == 3
    assert result.file_count == result.split_count == 1
    assert result.splits is not None
    assert result.splits[0].partition == {"p": "b"}
    assert "p = 'b'" in str(result)
    assert str(result).startswith("== PyPaimon Scan Plan ==")


def test_splits_carry_what_engines_ask_for(table: FileStoreTable) -> None:
    plan = table.new_read_builder().new_scan().plan()
    assert plan.snapshot_id == 1
    (split,) = plan.splits()
    (file,) = split.files
    assert split.row_count == split.merged_row_count() == file.row_count == 5
    assert split.raw_convertible
    assert split.partition.to_dict() == {}
    assert Path(file.file_path).stat().st_size == file.file_size
    assert split.file_size == file.file_size > 0


def test_read_builders_and_splits_go_to_another_process(table: FileStoreTable) -> None:
    builder = table.new_read_builder().with_projection(["id"])
    builder.with_filter(builder.new_predicate_builder().equal("id", 2))
    splits = builder.new_scan().plan().splits()
    builder, splits = pickle.loads(pickle.dumps((builder, splits)))
    assert builder.new_read().to_arrow(splits).to_pydict() == {"id": [2]}


NOON = datetime.datetime(2024, 5, 6, 12, 0, 0, 123_000)
UTC = datetime.timezone.utc


@pytest.mark.parametrize(
    ("column", "literal", "found"),
    [
        ("wall", NOON, True),
        ("wall", NOON.date(), False),
        ("wall", NOON.replace(tzinfo=UTC), None),
        ("instant", NOON.replace(tzinfo=UTC), True),
        ("instant", NOON.replace(tzinfo=UTC).astimezone(datetime.timezone(datetime.timedelta(hours=9))), True),
        ("instant", NOON, None),
        ("time", datetime.time(1, 2, 3, 4000), True),
        ("time", datetime.time(1, 2, 3, 4001), False),
        ("raw", bytearray(b"ab"), True),
        ("raw", "ab", None),
        ("flag", True, True),
        ("flag", 1, None),
        ("whole", 10**30, False),
        ("whole", 10**50, None),
        ("whole", Decimal("7.0"), True),
        ("whole", Decimal("NaN"), None),
        ("whole", "7", None),
        ("whole", object(), None),
        ("whole", None, False),
    ],
)
def test_values_of_python_are_compared_exactly_or_refused(
    tables: Tables, column: str, literal: Any, found: bool | None
) -> None:
    row = {
        "wall": (pa.timestamp("us"), NOON),
        "instant": (pa.timestamp("ms", "UTC"), NOON.replace(tzinfo=UTC)),
        "time": (pa.time32("ms"), datetime.time(1, 2, 3, 4000)),
        "raw": (pa.binary(), b"ab"),
        "flag": (pa.bool_(), True),
        "whole": (pa.int32(), 7),
    }
    table = tables.create({name: kind for name, (kind, _) in row.items()})
    append(table, {name: [value] for name, (_, value) in row.items()})
    predicate = table.new_read_builder().new_predicate_builder().equal(column, literal)
    if found is None:
        with pytest.raises(UnsupportedError, match=column):
            read(table, filter=predicate)
    else:
        assert read(table, filter=predicate).num_rows == int(found)


def test_values_of_numpy_and_pandas_are_compared_as_pythons_are(tables: Tables) -> None:
    numpy, pandas = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    table = tables.create({"n": pa.int32(), "t": pa.timestamp("us"), "b": pa.bool_()})
    append(table, {"n": [1, 2], "t": [NOON, None], "b": [True, False]})
    builder = table.new_read_builder().new_predicate_builder()
    for predicate in (
        builder.equal("n", numpy.int64(1)),
        builder.less_than("n", numpy.float32(1.5)),
        builder.is_in("n", numpy.array([1, 5])),
        builder.equal("t", pandas.Timestamp(NOON)),
        builder.equal("t", numpy.datetime64(NOON)),
        builder.equal("b", numpy.bool_(True)),
    ):
        assert read(table, filter=predicate)["n"].to_pylist() == [1]
    # A missing value compares like NULL.
    assert read(table, filter=builder.equal("t", pandas.NaT)).num_rows == 0
    # A nanosecond more is another time, although a microsecond cannot tell.
    assert read(table, filter=builder.equal("t", pandas.Timestamp(NOON) + pandas.Timedelta(1, "ns"))).num_rows == 0
