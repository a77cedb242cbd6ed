"""Row ids and sequence numbers as columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blob_tables import create
from conftest import append, read
from pypaimon import CatalogFactory, Schema
from pypaimon.daft import explain_paimon_scan, read_paimon
from pypaimon.exceptions import InvalidInputError

daft = pytest.importorskip("daft")
col = daft.col

COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.string())])


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    return {"warehouse": str(tmp_path)}


@pytest.fixture
def table(options: dict[str, str]) -> Any:
    table = create(options, columns=COLUMNS)
    append(table, {"id": [10, 11, 12], "name": ["a", "b", "c"]})
    append(table, {"id": [13, 14], "name": ["d", None]})
    return table


def test_ids_follow_the_rows_and_sequence_numbers_the_snapshots(options: dict[str, str], table: Any) -> None:
    wanted = {"id": [10, 11, 12, 13, 14], "_ROW_ID": [0, 1, 2, 3, 4], "_SEQUENCE_NUMBER": [1, 1, 1, 2, 2]}
    for frame in (read_paimon("db.t", options, row_tracking=True), read_paimon("db.t$row_tracking", options)):
        assert frame.column_names == ["id", "name", "_ROW_ID", "_SEQUENCE_NUMBER"]
        assert frame.select("id", "_ROW_ID", "_SEQUENCE_NUMBER").sort("id").to_pydict() == wanted
        assert frame.select("_ROW_ID").sort("_ROW_ID").to_pydict() == {"_ROW_ID": [0, 1, 2, 3, 4]}
        assert frame.count_rows() == 5
    assert read_paimon("db.t", options).column_names == ["id", "name"]
    assert read(table, projection=["_SEQUENCE_NUMBER", "id", "_ROW_ID"]).to_pydict() == {
        "_SEQUENCE_NUMBER": wanted["_SEQUENCE_NUMBER"],
        "id": wanted["id"],
        "_ROW_ID": wanted["_ROW_ID"],
    }


def test_filters_on_ids_prune_files_and_keep_exactly_their_rows(options: dict[str, str], table: Any) -> None:
    frame = read_paimon("db.t", options, row_tracking=True)
    assert frame.where(col("_ROW_ID") == 3).select("id").to_pydict() == {"id": [13]}
    assert sorted(frame.where((col("_ROW_ID") >= 2) & (col("id") < 14)).to_pydict()["id"]) == [12, 13]
    assert sorted(frame.where(col("_ROW_ID").is_in([0, 4])).to_pydict()["id"]) == [10, 14]
    assert frame.where(col("_SEQUENCE_NUMBER") > 1).count_rows() == 2
    explained = explain_paimon_scan("db.t", options, row_tracking=True, filters=col("_ROW_ID") == 3)
    assert explained.total_file_count == 1
    assert explained.pushed_filters and not explained.remaining_filters

    builder = table.new_read_builder()
    by_id = builder.new_predicate_builder().between("_ROW_ID", 1, 3)
    builder = builder.with_filter(by_id).with_projection(["id"])
    assert builder.new_read().to_arrow(builder.new_scan().plan().splits()).to_pydict() == {"id": [11, 12, 13]}


def test_the_view_reads_and_does_not_write(options: dict[str, str], table: Any) -> None:
    view = CatalogFactory.create(options).get_table("db.t$row_tracking")
    assert [field.name for field in view.fields] == ["id", "name", "_ROW_ID", "_SEQUENCE_NUMBER"]
    assert read(view).column("_ROW_ID").to_pylist() == [0, 1, 2, 3, 4]
    assert read(view.copy({"scan.snapshot-id": "1"})).column("_ROW_ID").to_pylist() == [0, 1, 2]
    with pytest.raises(InvalidInputError, match=r"'\$row_tracking' cannot be written"):
        view.new_batch_write_builder().new_write()


def test_tables_that_do_not_track_their_rows_have_no_ids(options: dict[str, str]) -> None:
    catalog = CatalogFactory.create(options)
    catalog.create_database("db")
    catalog.create_table("db.plain", Schema.from_pyarrow_schema(COLUMNS))
    with pytest.raises(InvalidInputError, match="row-tracking.enabled"):
        read_paimon("db.plain", options, row_tracking=True)
    with pytest.raises(InvalidInputError, match="row-tracking.enabled"):
        catalog.get_table("db.plain$row_tracking")
    with pytest.raises(InvalidInputError, match="column '_ROW_ID' does not exist"):
        catalog.get_table("db.plain").new_read_builder().with_projection(["_ROW_ID"])
