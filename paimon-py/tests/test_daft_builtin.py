"""Daft's own connector for Paimon, which takes the objects of this package."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append
from pypaimon import CatalogFactory
from pypaimon.table.file_store_table import FileStoreTable

daft = pytest.importorskip("daft")

ROWS = {"p": ["a", "b", "a", None], "n": [1, 2, 3, None]}
FORMATS = ["parquet", "avro", "orc"]


def made(tables: Tables, file_format: str = "parquet", partition_keys: list[str] | None = None) -> FileStoreTable:
    table = tables.create(
        {"p": pa.string(), "n": pa.int64()}, partition_keys=partition_keys or [], options={"file.format": file_format}
    )
    append(table, ROWS)
    return table


def rows(frame: Any) -> list[tuple[Any, ...]]:
    return sorted(zip(*frame.to_pydict().values(), strict=True), key=repr)


@pytest.mark.parametrize("partition_keys", [[], ["p"]])
@pytest.mark.parametrize("file_format", FORMATS)
def test_daft_reads_our_tables(tables: Tables, file_format: str, partition_keys: list[str]) -> None:
    frame = daft.read_paimon(made(tables, file_format, partition_keys))
    assert rows(frame) == rows(daft.from_pydict(ROWS))
    assert frame.where(daft.col("n") > 1).select("n").sort("n").to_pydict() == {"n": [2, 3]}
    assert frame.where(daft.col("p") == "a").sort("n").to_pydict() == {"p": ["a", "a"], "n": [1, 3]}
    assert frame.where(daft.col("p").is_null()).to_pydict() == {"p": [None], "n": [None]}
    assert len(frame.limit(2).to_pydict()["n"]) == 2
    assert frame.count_rows() == 4


@pytest.mark.parametrize("partition_keys", [[], ["p"]])
@pytest.mark.parametrize("file_format", FORMATS)
def test_daft_writes_our_tables(tables: Tables, file_format: str, partition_keys: list[str]) -> None:
    table = made(tables, file_format, partition_keys)
    summary = daft.from_pydict({"p": ["a"], "n": [9]}).write_paimon(table).to_pydict()
    assert (summary["operation"], summary["rows"]) == (["ADD"], [1])
    assert sorted(map(str, daft.read_paimon(table).to_pydict()["n"])) == ["1", "2", "3", "9", "None"]
    summary = daft.from_pydict({"p": ["a"], "n": [5]}).write_paimon(table, mode="overwrite").to_pydict()
    assert (summary["operation"], summary["rows"]) == (["OVERWRITE"], [1])
    left = {"a": [5], "b": [2], "None": [None]} if partition_keys else {"a": [5]}
    found = daft.read_paimon(table).to_pydict()
    assert {str(p): [n] for p, n in zip(found["p"], found["n"], strict=True)} == left


@pytest.mark.parametrize("partition_keys", [[], ["p"]])
@pytest.mark.parametrize("file_format", ["parquet", "avro"])
def test_a_limit_counts_what_daft_filters_afterwards(
    tables: Tables, file_format: str, partition_keys: list[str]
) -> None:
    # Daft's connector hands over the limit of the query, but not the filter before it.
    small = {"file.format": file_format, "source.split.target-size": "1 b", "source.split.open-file-cost": "1 b"}
    table = tables.create({"p": pa.string(), "n": pa.int64()}, partition_keys=partition_keys, options=small)
    for n in range(6):
        append(table, {"p": ["even" if n % 2 == 0 else "odd"], "n": [n]})
    frame = daft.read_paimon(table)
    assert frame.where(daft.col("n") > 4).limit(1).to_pydict() == {"p": ["odd"], "n": [5]}
    assert len(frame.where(daft.col("p") == "odd").limit(3).to_pydict()["n"]) == 3
    assert frame.where((daft.col("p") == "odd") & (daft.col("n") > 3)).limit(2).to_pydict() == {"p": ["odd"], "n": [5]}
    assert len(frame.limit(4).to_pydict()["n"]) == 4


def test_daft_writes_nested_columns(tables: Tables) -> None:
    kinds = {"n": pa.int32(), "l": pa.list_(pa.int64()), "s": pa.struct([("x", pa.int64()), ("y", pa.string())])}
    table = tables.create(kinds)
    frame = daft.from_pydict({"n": [1], "l": [[1, None]], "s": [{"x": 1, "y": None}]})
    frame = frame.with_column("n", daft.col("n").cast(daft.DataType.int32()))
    frame.write_paimon(table)
    assert daft.read_paimon(table).to_pydict() == {"n": [1], "l": [[1, None]], "s": [{"x": 1, "y": None}]}


def test_daft_reads_old_states_increments_and_branches_of_table_objects(tables: Tables) -> None:
    table = made(tables)
    table.create_tag("first")
    append(table, {"p": ["c"], "n": [4]})
    assert daft.read_paimon(table.copy({"scan.snapshot-id": "1"})).count_rows() == 4
    assert daft.read_paimon(table.copy({"scan.tag-name": "first"})).count_rows() == 4
    assert daft.read_paimon(table.copy({"incremental-between": "1,2"})).to_pydict() == {"p": ["c"], "n": [4]}
    table.branch_manager().create_branch("b", "first")
    branch = tables.catalog.get_table("db.t$branch_b")
    daft.from_pydict({"p": ["d"], "n": [5]}).write_paimon(branch)
    assert daft.read_paimon(branch).count_rows() == 5
    assert daft.read_paimon(table).count_rows() == 5
    assert rows(daft.read_paimon(branch).where(daft.col("n") > 3)) == [("d", 5)]


def test_daft_reads_a_warehouse_with_a_scheme(tables: Tables) -> None:
    made(tables, partition_keys=["p"])
    catalog = CatalogFactory.create({"warehouse": f"file://{tables.catalog.warehouse}"})
    assert rows(daft.read_paimon(catalog.get_table("db.t"))) == rows(daft.from_pydict(ROWS))


def test_dafts_own_catalog_takes_our_catalog(tables: Tables) -> None:
    made(tables, partition_keys=["p"])
    catalog = daft.Catalog.from_paimon(tables.catalog)
    assert [str(name) for name in catalog.list_namespaces()] == ["db"]
    assert [str(name) for name in catalog.list_tables()] == ["db.t"]
    assert (catalog.has_table("db.t"), catalog.has_table("db.nope"), catalog.has_namespace("db")) == (True, False, True)
    table = catalog.get_table("db.t")
    assert (table.name, table.partition_keys, table.primary_keys) == ("t", ["p"], [])
    assert (table.bucket_count, table.is_primary_key_table) == (-1, False)
    table.append(daft.from_pydict({"p": ["z"], "n": [9]}))
    assert table.read().count_rows() == 5
    assert table.schema().column_names() == ["p", "n"]
    assert table.table_options["file.format"] == "parquet"
    catalog.create_namespace("other")
    catalog.create_table("other.u", daft.from_pydict({"x": [1]}).schema())
    assert catalog.get_table("other.u").read().count_rows() == 0
    catalog.drop_table("other.u")
    catalog.drop_namespace("other")
    assert [str(name) for name in catalog.list_namespaces()] == ["db"]


@pytest.mark.parametrize("partition_keys", [[], ["p"]])
def test_daft_reads_and_writes_tables_on_object_storage(s3: dict[str, str], partition_keys: list[str]) -> None:
    tables = Tables(CatalogFactory.create({"warehouse": f"s3://lake/builtin-{len(partition_keys)}", **s3}))
    tables.catalog.create_database("db")
    for file_format in ("parquet", "avro"):
        tables.catalog.drop_table("db.t", ignore_if_not_exists=True)
        table = made(tables, file_format, partition_keys)
        assert rows(daft.read_paimon(table)) == rows(daft.from_pydict(ROWS))
        daft.from_pydict({"p": ["c"], "n": [7]}).write_paimon(table)
        assert daft.read_paimon(table).where(daft.col("p") == "c").to_pydict() == {"p": ["c"], "n": [7]}
