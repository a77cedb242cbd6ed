"""File indexes under Daft: which files a query opens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from daft import col

import pypaimon
from daft_connector.tables import rows_of
from pypaimon.daft import explain_paimon_scan, read_paimon

Options = dict[str, str]
MakeTable = Callable[..., Any]

BLOOM = {"file-index.bloom-filter.columns": "id", "file-index.bloom-filter.id.items": "1000"}
FILES, ROWS = 20, 200


def interleaved() -> list[pa.Table]:
    """The ids 0..4000 over 20 files, so that no file's smallest and largest id tell what it holds."""
    return [pa.table({"id": range(first, FILES * ROWS, FILES), "v": [first] * ROWS}) for first in range(FILES)]


def keep_only_files_with(options: Options, wanted: int) -> int:
    """Deletes the data files without the id ``wanted``, and says how many that are."""
    files = [path for path in Path(options["warehouse"]).rglob("*.parquet")]
    lost = [path for path in files if wanted not in pq.read_table(path)["id"].to_pylist()]
    for path in lost:
        path.unlink()
    return len(lost)


@pytest.mark.parametrize("threshold", ["0 b", "10 kb"])
def test_a_point_look_up_opens_only_the_files_that_can_hold_it(
    options: Options, make_table: MakeTable, threshold: str
) -> None:
    bloom = {**BLOOM, "file-index.bloom-filter.id.fpp": "0.0001", "file-index.in-manifest-threshold": threshold}
    make_table("t", interleaved(), **bloom)
    assert keep_only_files_with(options, 1234) == FILES - 1
    assert rows_of(read_paimon("db.t", options).where(col("id") == 1234)) == [(1234, 14)]
    assert rows_of(read_paimon("db.t", options).where(col("id") == -1)) == []

    table = pypaimon.CatalogFactory.create(options).get_table("db.t")
    builder = table.new_read_builder()
    builder.with_filter(builder.new_predicate_builder().equal("id", 1234))
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits())
    assert rows.to_pylist() == [{"id": 1234, "v": 14}]

    unfiltered = read_paimon("db.t", options)
    with pytest.raises(Exception, match=r"(?i)no such file|not found"):
        unfiltered.collect()


def test_only_a_filter_that_an_index_answers_takes_files_from_daft_s_reader(
    options: Options, make_table: MakeTable
) -> None:
    make_table("t", interleaved(), **BLOOM, **{"file-index.in-manifest-threshold": "0 b"})
    asked = explain_paimon_scan("db.t", options, filters=col("id") == 7, verbose=True)
    assert asked.native_parquet_file_count == 0
    assert {split.fallback_reason for split in asked.splits} == {"file index on a column of the filter"}
    for filters in (None, col("id") > 7, col("v") == 7):
        explained = explain_paimon_scan("db.t", options, filters=filters)
        assert explained.pypaimon_fallback_file_count == 0, filters


def test_embedded_indexes_prune_the_plan_and_explain_says_so(options: Options, make_table: MakeTable) -> None:
    bitmap = {"file-index.bitmap.columns": "id", "file-index.in-manifest-threshold": "1 mb"}
    make_table("t", interleaved(), **bitmap)
    explained = explain_paimon_scan("db.t", options, filters=col("id") == 2007)
    assert (explained.total_file_count, explained.pypaimon_fallback_file_count) == (1, 1)
    pruned = explained.paimon_scan.file_index_pruning
    assert (pruned.before, pruned.after) == (FILES, 1)
    assert re.search(rf"File index: +{FILES} -> 1", str(explained))
    assert rows_of(read_paimon("db.t", options).where(col("id").is_in([7, 27]))) == [(27, 7), (7, 7)]


def test_a_damaged_index_file_is_named(options: Options, make_table: MakeTable) -> None:
    make_table("t", interleaved()[:1], **BLOOM)
    [index] = Path(options["warehouse"]).rglob("*.index")
    index.write_bytes(index.read_bytes()[:30])
    with pytest.raises(Exception, match=index.name):
        read_paimon("db.t", options).where(col("id") == 20).collect()


def test_kinds_of_indexes_that_are_not_known_are_refused_when_rows_are_written(make_table: MakeTable) -> None:
    with pytest.raises(NotImplementedError, match=r"file-index\.skiplist\.columns"):
        make_table("t", interleaved()[:1], **{"file-index.skiplist.columns": "id"})
