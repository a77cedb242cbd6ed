"""Plans cut into parts for several workers."""

from __future__ import annotations

import pickle
from itertools import chain
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append
from pypaimon.exceptions import InvalidInputError, UnsupportedFeatureError
from pypaimon.read.table_scan import TableScan
from pypaimon.table.file_store_table import FileStoreTable


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    """Three files of 5, 1 and 4 rows: 0 to 9."""
    made = tables.create({"n": pa.int32()})
    for rows in (range(5), range(5, 6), range(6, 10)):
        append(made, {"n": list(rows)})
    return made


def rows_of(table: FileStoreTable, scan: TableScan) -> list[int]:
    return table.new_read_builder().new_read().to_arrow(scan.plan().splits())["n"].to_pylist()


@pytest.mark.parametrize("total", [1, 2, 3, 4, 7, 10, 15])
@pytest.mark.parametrize("file_format", ["parquet", "avro"])
def test_shards_hold_each_row_once_and_as_many_as_one_another(tables: Tables, total: int, file_format: str) -> None:
    made = tables.create({"n": pa.int32()}, options={"file.format": file_format})
    for rows in (range(5), range(5, 6), range(6, 10)):
        append(made, {"n": list(rows)})
    shards = [rows_of(made, made.new_read_builder().new_scan().with_shard(i, total)) for i in range(total)]
    assert list(chain(*shards)) == list(range(10))
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    ("start", "end", "rows"), [(0, 3, [0, 1, 2]), (4, 7, [4, 5, 6]), (8, 99, [8, 9]), (50, 2**70, []), (5, 6, [5])]
)
def test_slices_hold_the_rows_between_two_positions(
    table: FileStoreTable, start: int, end: int, rows: list[int]
) -> None:
    assert rows_of(table, table.new_read_builder().new_scan().with_slice(start, end)) == rows


def test_a_cut_split_tells_its_rows_and_travels(table: FileStoreTable) -> None:
    splits = table.new_read_builder().new_scan().with_slice(1, 3).plan().splits()
    assert [split.merged_row_count() for split in splits] == [2]
    read = table.new_read_builder().new_read()
    assert read.to_arrow(pickle.loads(pickle.dumps(splits)))["n"].to_pylist() == [1, 2]


def test_shards_take_filters_and_limits(table: FileStoreTable) -> None:
    builder = table.new_read_builder().with_limit(2)
    builder.with_filter(builder.new_predicate_builder().greater_than("n", 2))
    found: list[list[int]] = []
    for index in range(2):
        scan = builder.new_scan().with_shard(index, 2)
        found.append(builder.new_read().to_arrow(scan.plan().splits())["n"].to_pylist())
    assert found == [[3, 4], [5, 6]]


def test_shards_of_an_increment_hold_each_of_its_rows_once(table: FileStoreTable) -> None:
    increment = table.copy({"incremental-between": "1,3"})
    shards = [rows_of(increment, increment.new_read_builder().new_scan().with_shard(i, 2)) for i in range(2)]
    assert sorted(chain(*shards)) == [5, 6, 7, 8, 9]


@pytest.mark.parametrize(
    ("method", "arguments", "text"),
    [
        ("with_shard", (2, 2), "idx_of_this_subtask must be less than number_of_para_subtasks, found 2 of 2"),
        ("with_shard", (-1, 2), "idx_of_this_subtask must be a non-negative integer, found -1"),
        ("with_shard", (0, 0), "number_of_para_subtasks must be a positive integer, found 0"),
        ("with_shard", (0, "2"), "number_of_para_subtasks must be a positive integer, found '2'"),
        ("with_shard", (True, 2), "idx_of_this_subtask must be a non-negative integer, found True"),
        ("with_shard", (0, 2**40), "at most 4294967295, found"),
        ("with_slice", (3, 3), "start_pos must be non-negative and less than end_pos.*found 3 and 3"),
        ("with_slice", (-1, 3), "start_pos must be non-negative"),
        ("with_slice", (0, 1.5), "both must be integers, found 0 and 1.5"),
    ],
)
def test_parts_that_cannot_be_are_refused(
    table: FileStoreTable, method: str, arguments: tuple[Any, ...], text: str
) -> None:
    with pytest.raises(InvalidInputError, match=text):
        getattr(table.new_read_builder().new_scan(), method)(*arguments)


def test_shards_and_slices_exclude_one_another(table: FileStoreTable) -> None:
    with pytest.raises(ValueError, match="cannot be used simultaneously"):
        table.new_read_builder().new_scan().with_shard(0, 2).with_slice(0, 1)
    with pytest.raises(ValueError, match="cannot be used simultaneously"):
        table.new_read_builder().new_scan().with_slice(0, 1).with_shard(0, 2)


def test_tables_with_primary_keys_have_no_slices(tables: Tables) -> None:
    columns = pa.schema([pa.field("k", pa.int32(), nullable=False)])
    table = tables.create(columns, primary_keys=["k"])
    with pytest.raises(UnsupportedFeatureError, match="with_shard"):
        table.new_read_builder().new_scan().with_slice(0, 1)
    with pytest.raises(NotImplementedError, match="streaming|new_read_builder"):
        table.new_stream_read_builder()
