"""BLOB columns as Daft reads them: files that cost nothing until they are opened."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
import pytest
from daft import DataType, col
from daft.io import IOConfig, S3Config
from daft.io.pushdowns import Pushdowns

from blob_tables import COLUMNS, NESTED, create, file_length, spoilt
from conftest import append
from pypaimon.daft import explain_paimon_scan, read_paimon, tasks
from pypaimon.daft.arrow import FILE_STORAGE
from pypaimon.daft.files import Budget, cut_by_bytes, daft_schema, file_columns, file_io_config, with_blob_columns
from pypaimon.daft.reader import source_for_table

FILE = DataType.file()


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    return {"warehouse": str(tmp_path / "warehouse")}


def lengths(frame: Any, column: str = "image") -> list[Any]:
    found: list[Any] = frame.select("id", file_length(col(column)).alias("n")).sort("id").to_pydict()["n"]
    return found


def test_blob_columns_are_files_lists_and_maps_of_files(options: dict[str, str]) -> None:
    columns = pa.schema([*NESTED, ("image", pa.large_binary()), ("bytes", pa.binary())])
    create(options, columns=columns)
    schema = read_paimon("db.t", options).schema()
    types = [schema[name].dtype for name in columns.names]
    files = [DataType.list(FILE), DataType.map(DataType.string(), FILE), FILE]
    assert types == [DataType.int64(), *files, DataType.binary()]
    assert read_paimon("db.t", options).to_pydict() == {name: [] for name in columns.names}


def test_nulls_are_null_everywhere(options: dict[str, str]) -> None:
    append(create(options), {"id": [0, 1, 2, 3], "image": [b"a", None, b"", None]})
    frame = read_paimon("db.t", options)
    assert sorted(frame.where(col("image").is_null()).to_pydict()["id"]) == [1, 3]
    assert sorted(frame.where(col("image").not_null()).to_pydict()["id"]) == [0, 2]
    assert sorted(frame.where(~col("image").is_null() & (col("id") > 0)).to_pydict()["id"]) == [2]
    assert lengths(frame) == [1, None, 0, None]
    nulls = frame.with_column("null", col("image").is_null()).sort("id").to_pydict()["null"]
    assert nulls == [False, True, False, True]
    assert frame.where(col("image").is_null()).count_rows() == 2


def test_null_elements_and_empty_lists_and_maps_are_told_apart(options: dict[str, str]) -> None:
    lists = [[b"abc", None, b""], [], None]
    maps = [[("k", b"abcd"), ("n", None)], None, []]
    append(create(options, columns=NESTED), {"id": [0, 1, 2], "list": lists, "map": maps})
    frame = read_paimon("db.t", options)
    exploded = frame.explode("list")
    rows = sorted(zip(*exploded.select("id", file_length(col("list"))).to_pydict().values(), strict=True), key=repr)
    assert rows == sorted([(0, 3), (0, None), (0, 0), (1, None), (2, None)], key=repr)
    found = frame.sort("id").to_pydict()
    assert [value and len(value) for value in found["list"]] == [3, [], None]
    shown = [pairs and [(key, file and file.length) for key, file in pairs] for pairs in found["map"]]
    assert shown == [[("k", 4), ("n", None)], None, []]
    assert frame.where(col("list").is_null()).to_pydict()["id"] == [2]


def test_filters_lengths_and_other_columns_read_no_byte_of_a_value(options: dict[str, str]) -> None:
    table = create(options)
    append(table, {"id": list(range(10)), "image": [bytes(1000 + number) for number in range(10)]})
    with spoilt(table):
        frame = read_paimon("db.t", options)
        assert lengths(frame) == [1000 + number for number in range(10)]
        assert sorted(frame.where(col("id") > 7).to_pydict()["id"]) == [8, 9]
        assert frame.where(col("image").not_null()).count_rows() == frame.count_rows() == 10
        assert frame.agg(col("id").sum()).to_pydict() == {"id": [45]}


def test_scalar_columns_go_to_daft_s_reader_where_the_answer_is_the_same(options: dict[str, str]) -> None:
    columns = pa.schema([("id", pa.int64()), ("name", pa.string()), ("image", pa.large_binary())])
    table = create(options, columns=columns)
    append(table, {"id": [1, 2], "name": ["a", "b"], "image": [b"x", None]})
    append(table, {"id": [3], "name": [None], "image": [b"y"]})

    def explained(**scan: Any) -> Any:
        return explain_paimon_scan("db.t", options, **scan)

    scalars = explained(columns=["id", "name"])
    assert (scalars.native_parquet_file_count, scalars.pypaimon_fallback_file_count) == (2, 0)
    filtered = explained(columns=["name"], filters=col("id") > 1)
    assert filtered.native_parquet_split_count >= 1 and not filtered.fallback_reasons
    files = explained(columns=["image"])
    assert files.native_parquet_file_count == 0
    assert set(files.fallback_reasons) == {"blob columns present"}
    nulls = explained(columns=["id"], filters=col("image").is_null())
    assert set(nulls.fallback_reasons) == {"blob columns present"}
    assert set(explained(columns=["id", "_ROW_ID"], row_tracking=True).fallback_reasons) == {"row-tracking columns"}

    frame = read_paimon("db.t", options)
    assert frame.select("id", "name").sort("id").to_pydict() == {"id": [1, 2, 3], "name": ["a", "b", None]}
    assert frame.where(col("id") > 1).select("name").sort("name").to_pydict() == {"name": ["b", None]}
    assert frame.select("id").count_rows() == 3


@pytest.mark.parametrize("target", ["1 kb", "1 b"])
def test_values_in_several_files_keep_their_rows(options: dict[str, str], target: str) -> None:
    table = create(options, blob_target__file__size=target)
    append(table, {"id": list(range(9)), "image": [bytes(400 + number) for number in range(9)]})
    assert lengths(read_paimon("db.t", options)) == [400 + number for number in range(9)]
    frame = read_paimon("db.t", options).where(col("id").is_in([2, 7]))
    assert lengths(frame) == [402, 407]


def test_older_snapshots_keep_their_values(options: dict[str, str]) -> None:
    table = create(options)
    append(table, {"id": [1], "image": [b"a"]})
    table.create_tag("first")
    append(table, {"id": [2], "image": [b"bb"]})
    assert lengths(read_paimon("db.t", options, snapshot_id=1)) == [1]
    assert lengths(read_paimon("db.t", options, tag_name="first")) == [1]
    assert lengths(read_paimon("db.t", options, incremental=(1, 2))) == [2]
    assert lengths(read_paimon("db.t", options)) == [1, 2]


def test_limits_joins_sorts_and_groups_take_files_along(options: dict[str, str]) -> None:
    table = create(options)
    append(table, {"id": list(range(20)), "image": [bytes(number) for number in range(20)]})
    frame = read_paimon("db.t", options)
    assert len(frame.limit(3).to_pydict()["image"]) == 3
    names = daft.from_pydict({"id": [3, 5], "name": ["three", "five"]})
    assert lengths(names.join(frame, on="id")) == [3, 5]
    assert lengths(frame.sort("id", desc=True).limit(2)) == [18, 19]


def test_a_file_carries_what_opening_it_takes(options: dict[str, str]) -> None:
    assert file_io_config({"warehouse": "/nowhere"}, None) is None
    keys = {"warehouse": "s3://lake/x", "s3.access-key": "K", "s3.secret-key": "S", "s3.endpoint": "http://h:1"}
    inferred = IOConfig._from_serialized(file_io_config(keys, None))
    assert (inferred.s3.key_id, inferred.s3.access_key, inferred.s3.endpoint_url) == ("K", "S", "http://h:1")
    explicit = IOConfig._from_serialized(file_io_config(keys, IOConfig(s3=S3Config(key_id="other"))))
    assert explicit.s3.key_id == "other"
    append(create(options), {"id": [0, 1], "image": [b"abc", None]})
    config = IOConfig(s3=S3Config(key_id="given"))
    column = read_paimon("db.t", options, io_config=config).sort("id").to_arrow().column("image").combine_chunks()
    carried = column.storage.field("io_config").to_pylist()
    assert IOConfig._from_serialized(carried[0]).s3.key_id == "given"
    assert carried[1] is None


def test_sources_and_tasks_travel_to_workers(options: dict[str, str]) -> None:
    table = create(options)
    append(table, {"id": [0, 1], "image": [b"abc", None]})

    async def read() -> list[Any]:
        source = pickle.loads(pickle.dumps(source_for_table(table, io_config=IOConfig(s3=S3Config(key_id="k")))))
        tasks = [task async for task in source.get_tasks(Pushdowns())]
        copies = pickle.loads(pickle.dumps(tasks))
        return [batch for task in copies async for batch in task.read()]

    (batch,) = asyncio.run(read())
    assert batch.schema()["image"].dtype == FILE
    storage = batch.to_arrow_record_batch().column("image").storage
    assert storage.field("size").to_pylist() == [3, None]
    assert IOConfig._from_serialized(storage.field("io_config")[0].as_py()).s3.key_id == "k"


def files(sizes: list[int | None]) -> pa.Array:
    """File structs of these sizes; ``None``: NULL, -1: a file without a range."""
    known = pa.array([None if size in (None, -1) else size for size in sizes], pa.int64())
    parts = [pa.array(["u"] * len(sizes), pa.large_utf8()), pa.nulls(len(sizes), pa.large_binary()), known, known]
    return pa.StructArray.from_arrays(
        parts, fields=list(FILE_STORAGE), mask=pa.array([size is None for size in sizes], pa.bool_())
    )


@pytest.mark.parametrize(
    ("sizes", "most", "rows"),
    [
        ([], 100, [0]),
        ([0, None, -1, 0], 100, [4]),
        ([40, 40, 20], 100, [3]),
        ([40, 40, 40, 40], 100, [2, 2]),
        ([500, 1, 1], 100, [1, 2]),
        ([1, 500, 1], 100, [1, 1, 1]),
        ([None] * 5, 100, [5]),
        ([40, 40, 40, 40, 40], 120, [3, 2]),
        ([40, 90, 90, 1], 120, [1, 1, 2]),
        ([70, 70, 70, 70], 10_000, [3, 1]),
        ([1] * 150, 10_000, [100, 50]),
    ],
)
def test_batches_are_cut_where_their_files_point_to_many_bytes(
    sizes: list[int | None], most: int, rows: list[int]
) -> None:
    column, numbers = files(sizes), pa.array(range(len(sizes)), pa.int64())
    offsets = pa.array(range(len(sizes) + 1), pa.int32())
    texts = pa.array(["k"] * len(sizes), pa.large_string())
    shapes = {"one": column}
    if sizes:
        shapes["list"] = pa.ListArray.from_arrays(offsets, column)
        shapes["map"] = pa.MapArray.from_arrays(offsets, texts, column)
    for name, shaped in shapes.items():
        batch = pa.record_batch({"id": numbers, name: shaped})
        parts = list(cut_by_bytes(batch, {name: FILE}, Budget(100, most, 3)))
        assert [part.num_rows for part in parts] == rows, name
        assert pa.Table.from_batches(parts) == pa.Table.from_batches([batch])
        rest = list(cut_by_bytes(batch.slice(1), {name: FILE}, Budget()))
        assert [part.num_rows for part in rest] == [max(0, len(sizes) - 1)]
    assert [part.num_rows for part in cut_by_bytes(pa.record_batch({"id": numbers}), {}, Budget(1, 1, 1))] == [
        len(sizes)
    ]


def test_functions_over_files_get_few_bytes_at_a_time(options: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_BLOB_BYTES", Budget(1000, 1000, 1))
    append(create(options), {"id": list(range(9)), "image": [bytes(400)] * 8 + [bytes(5000)]})

    @daft.func.batch(return_dtype=DataType.int64(), use_process=False)
    def rows_of_the_call(files: daft.Series) -> list[int]:
        return [len(files)] * len(files)

    frame = read_paimon("db.t", options)
    found = frame.select("id", rows_of_the_call(col("image")).alias("n")).sort("id").to_pydict()["n"]
    assert found == [2] * 8 + [1]


def test_large_binary_is_a_blob_and_nothing_else_is() -> None:
    assert file_columns(pa.schema([*COLUMNS, ("bytes", pa.binary()), ("many", pa.list_(pa.binary()))])) == {
        "image": FILE
    }
    made = with_blob_columns(
        daft_schema(pa.schema([*NESTED, ("image", pa.large_binary()), ("bytes", pa.binary())])).to_pyarrow_schema(), []
    )
    assert file_columns(made).keys() == {"list", "map", "image"}
    assert made.field("bytes").type == pa.binary()
