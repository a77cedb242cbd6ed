"""The samples of the connector's documentation; only the paths are replaced."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import daft
import pytest
from daft.io.partitioning import PartitionField

import pypaimon
from pypaimon.daft import PaimonCatalog, PaimonTable, explain_paimon_scan, read_paimon, write_paimon

ROWS = {"id": [1, 2, 3], "name": ["alice", "bob", "charlie"], "dt": ["2024-01-01", "2024-01-01", "2024-01-02"]}


@pytest.fixture
def warehouse(tmp_path: Path) -> str:
    return str(tmp_path)


@pytest.fixture
def table_name(warehouse: str) -> str:
    catalog = PaimonCatalog(pypaimon.CatalogFactory.create({"warehouse": warehouse}))
    catalog.create_namespace("database_name")
    frame = daft.from_pydict(ROWS)
    catalog.create_table(
        "database_name.table_name", frame.schema(), partition_fields=[PartitionField.create(frame.schema()["dt"])]
    )
    return "database_name.table_name"


def test_write_then_read_with_filter_projection_and_limit(warehouse: str, table_name: str) -> None:
    df = daft.from_pydict(ROWS)

    written = write_paimon(df, "database_name.table_name", catalog_options={"warehouse": warehouse})

    summary = written.to_pydict()
    assert list(summary) == ["operation", "rows", "file_size", "file_name"]
    assert summary["operation"] == ["ADD", "ADD"]
    assert sorted(summary["rows"]) == [1, 2]
    assert all(size > 0 for size in summary["file_size"])

    df = read_paimon("database_name.table_name", catalog_options={"warehouse": warehouse})
    df.show()

    # Filter pushdown (partition pruning + file-level skipping)
    df = df.where(daft.col("dt") == "2024-01-01")
    # Projection pushdown (only requested columns are read from disk)
    df = df.select("id", "name")
    # Limit pushdown
    df = df.limit(100)
    df.show()
    assert df.sort("id").to_pydict() == {"id": [1, 2], "name": ["alice", "bob"]}


def test_time_travel_by_snapshot_and_tag(warehouse: str, table_name: str) -> None:
    options = {"warehouse": warehouse}
    write_paimon(daft.from_pydict(ROWS), table_name, options)
    inner = pypaimon.CatalogFactory.create(options).get_table(table_name)
    inner.create_tag("release-2026-04")
    write_paimon(daft.from_pydict({**ROWS, "id": [4, 5, 6]}), table_name, options)

    # Read a specific snapshot.
    df = read_paimon("database_name.table_name", catalog_options={"warehouse": warehouse}, snapshot_id=2)
    assert sorted(df.to_pydict()["id"]) == [1, 2, 3, 4, 5, 6]

    # Read a tagged snapshot.
    df = read_paimon("database_name.table_name", catalog_options={"warehouse": warehouse}, tag_name="release-2026-04")
    assert sorted(df.to_pydict()["id"]) == [1, 2, 3]


def test_two_selectors_are_refused_before_the_catalog_opens() -> None:
    with pytest.raises(
        ValueError, match=r"Only one of snapshot_id, tag_name, timestamp can be set, got: \['snapshot_id'"
    ):
        read_paimon("db.t", {"warehouse": "/nowhere/at/all"}, snapshot_id=1, tag_name="t")


@pytest.mark.parametrize(
    ("timestamp", "message"),
    [
        (True, "not bool"),
        (1.5, "timestamp must be int .epoch millis., datetime, or str, got: float"),
    ],
)
def test_timestamps_of_other_types_are_refused(timestamp: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        read_paimon("db.t", {"warehouse": "/nowhere"}, timestamp=timestamp)  # type: ignore[arg-type]


def test_time_travel_by_timestamp_in_every_form(warehouse: str, table_name: str) -> None:
    options = {"warehouse": warehouse}
    write_paimon(daft.from_pydict(ROWS), table_name, options)
    now = dt.datetime.now() + dt.timedelta(seconds=2)
    for timestamp in (
        int(now.timestamp() * 1000),
        now,
        now.astimezone(dt.timezone.utc),
        now.strftime("%Y-%m-%d %H:%M:%S"),
        now.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
    ):
        assert read_paimon(table_name, options, timestamp=timestamp).count_rows() == 3
    with pytest.raises(ValueError, match="No snapshot found with timestamp earlier than or equal to 1ms"):
        read_paimon(table_name, options, timestamp=1)
    for nonsense in ("nonsense", "2099-01-01"):
        with pytest.raises(ValueError, match=f"Cannot parse timestamp '{nonsense}'"):
            read_paimon(table_name, options, timestamp=nonsense)
    with pytest.raises(ValueError, match="Snapshot id '99' doesn't exist"):
        read_paimon(table_name, options, snapshot_id=99)
    with pytest.raises(ValueError, match="Tag 'nope' doesn't exist"):
        read_paimon(table_name, options, tag_name="nope")


def test_overwrite_replaces_only_the_partitions_of_the_input(warehouse: str, table_name: str) -> None:
    write_paimon(daft.from_pydict(ROWS), "database_name.table_name", catalog_options={"warehouse": warehouse})
    df = daft.from_pydict({"id": [9], "name": ["zoe"], "dt": ["2024-01-01"]})

    written = write_paimon(
        df,
        "database_name.table_name",
        catalog_options={"warehouse": warehouse},
        mode="overwrite",
    )

    assert written.to_pydict()["operation"] == ["OVERWRITE"]
    frame = read_paimon(table_name, {"warehouse": warehouse})
    assert frame.sort("id").to_pydict() == {
        "id": [3, 9],
        "name": ["charlie", "zoe"],
        "dt": ["2024-01-02", "2024-01-01"],
    }


def test_overwrite_replaces_an_unpartitioned_table_whole(warehouse: str) -> None:
    catalog = PaimonCatalog(pypaimon.CatalogFactory.create({"warehouse": warehouse}))
    catalog.create_namespace("db")
    catalog.create_table("db.t", daft.from_pydict({"id": [1]}))
    options = {"warehouse": warehouse}
    write_paimon(daft.from_pydict({"id": [2, 3]}), "db.t", options, mode="overwrite")
    assert sorted(read_paimon("db.t", options).to_pydict()["id"]) == [2, 3]
    empty = daft.from_pydict({"id": [1]}).where(daft.col("id") > 1)
    assert write_paimon(empty, "db.t", options, mode="overwrite").count_rows() == 0
    assert read_paimon("db.t", options).count_rows() == 0


def test_catalog_abstraction(warehouse: str, table_name: str) -> None:
    inner = pypaimon.CatalogFactory.create({"warehouse": warehouse})
    catalog = PaimonCatalog(inner, name="my_paimon")

    # Browse
    assert [str(name) for name in catalog.list_namespaces()] == ["database_name"]
    assert [str(name) for name in catalog.list_tables()] == ["database_name.table_name"]

    # Read / write through catalog
    table = catalog.get_table("database_name.table_name")
    table.append(daft.from_pydict(ROWS))
    df = table.read()
    table.append(df)
    assert table.read().count_rows() == 6
    table.overwrite(df)
    assert table.read().count_rows() == 3

    # You can also wrap a single table directly
    inner_table = inner.get_table("database_name.table_name")
    table = PaimonTable(inner_table)
    df = table.read()
    assert df.count_rows() == 3


def test_creating_tables(warehouse: str) -> None:
    catalog = PaimonCatalog(pypaimon.CatalogFactory.create({"warehouse": warehouse}), name="my_paimon")
    catalog.create_namespace("my_db")

    schema = daft.from_pydict({"id": [1], "name": ["a"], "dt": ["2024-01-01"]}).schema()
    dt_field = schema["dt"]
    partition_fields = [PartitionField.create(dt_field)]
    table = catalog.create_table("my_db.new_table", schema, partition_fields=partition_fields)
    assert (table.name, table.partition_keys, table.primary_keys) == ("new_table", ["dt"], [])
    assert table.schema() == schema

    # Primary-key table
    table = catalog.create_table(
        "my_db.pk_table",
        schema,
        properties={"primary_keys": ["id", "dt"]},
        partition_fields=partition_fields,
    )
    assert table.is_primary_key_table
    assert table.primary_keys == ["id", "dt"]
    table.append(daft.from_pydict(ROWS))
    assert table.read().count_rows() == 3


def test_explain_tells_what_is_read_and_by_whom(warehouse: str, table_name: str) -> None:
    options = {"warehouse": warehouse}
    write_paimon(daft.from_pydict(ROWS), table_name, options)
    explained = explain_paimon_scan(table_name, options, partition_filters=daft.col("dt") == "2024-01-01", verbose=True)
    assert explained.native_parquet_file_count == explained.total_file_count == 1
    assert explained.partition_filters == ['col(dt) == lit("2024-01-01")']
    assert [split.partition for split in explained.splits] == [{"dt": "2024-01-01"}]
    assert str(explained).startswith("== Daft Paimon Scan ==")
