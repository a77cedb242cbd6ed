"""Paimon behind Daft's catalog interfaces."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import daft
import pytest
from daft import Identifier, col
from daft.catalog import NotFoundError
from daft.io.partitioning import PartitionField, PartitionTransform

from pypaimon.catalog.catalog_exception import (
    DatabaseAlreadyExistException,
    DatabaseNotExistException,
    TableAlreadyExistException,
)
from pypaimon.daft import PaimonCatalog

ROWS = {"id": [1, 2], "name": ["a", "b"], "dt": ["x", "y"]}


@pytest.fixture
def paimon(catalog: Any) -> Iterator[PaimonCatalog]:
    made = PaimonCatalog(catalog, name="paimon_test")
    daft.attach_catalog(made)
    yield made
    daft.detach_catalog("paimon_test")


def test_namespaces_come_and_go(paimon: PaimonCatalog) -> None:
    paimon.create_namespace("other")
    assert paimon.has_namespace("other")
    assert [str(name) for name in paimon.list_namespaces()] == ["db", "other"]
    assert [str(name) for name in paimon.list_namespaces("oth")] == ["other"]
    with pytest.raises(DatabaseAlreadyExistException):
        paimon.create_namespace("other")
    paimon.create_namespace_if_not_exists("other")
    paimon.drop_namespace("other")
    assert not paimon.has_namespace("other")
    with pytest.raises(NotFoundError, match="Namespace 'other' not found"):
        paimon.drop_namespace("other")
    assert not paimon.has_namespace("too.deep")


def test_a_namespace_that_holds_tables_is_not_dropped(paimon: PaimonCatalog) -> None:
    paimon.create_table("db.t", daft.from_pydict(ROWS).schema())
    with pytest.raises(ValueError, match="not empty"):
        paimon.drop_namespace("db")


def test_tables_come_and_go(paimon: PaimonCatalog) -> None:
    schema = daft.from_pydict(ROWS).schema()
    table = paimon.create_table(
        "db.t", daft.from_pydict(ROWS), properties={"bucket": 2, "bucket-key": "id", "x.y": True}
    )
    assert table.read().count_rows() == 2
    assert (table.bucket_count, table.table_options["x.y"]) == (2, "true")
    assert paimon.has_table("db.t") and paimon.has_table("paimon_test.db.t")
    with pytest.raises(TableAlreadyExistException):
        paimon.create_table("db.t", schema)
    with pytest.raises(DatabaseNotExistException):
        paimon.create_table("nope.t", schema)
    paimon.drop_table("db.t")
    assert not paimon.has_table("db.t")
    with pytest.raises(NotFoundError, match=r"Table 'db\.t' not found"):
        paimon.drop_table("db.t")


@pytest.mark.parametrize("name", ["db.nope", "nope.t", "t", "other_catalog.db.t", "paimon_test.db.t.more"])
def test_a_table_that_is_not_there_is_named(paimon: PaimonCatalog, name: str) -> None:
    paimon.create_table("db.t", daft.from_pydict(ROWS).schema())
    assert not paimon.has_table(name)
    with pytest.raises(NotFoundError, match=r"Table '.*' not found"):
        paimon.get_table(name)


def test_tables_are_listed_by_prefix_or_pattern(paimon: PaimonCatalog) -> None:
    for name in ("db.sales", "db.sales_old", "db.other"):
        paimon.create_table(name, daft.from_pydict(ROWS).schema())

    def listed(pattern: str | None) -> list[str]:
        return [str(name) for name in paimon.list_tables(pattern)]

    assert listed(None) == ["db.other", "db.sales", "db.sales_old"]
    assert listed("db.sales") == ["db.sales", "db.sales_old"]
    assert listed("d") == ["db.other", "db.sales", "db.sales_old"]
    assert listed("%_old") == ["db.sales_old"]
    assert listed("db.%e%") == ["db.other", "db.sales", "db.sales_old"]
    assert listed("nope.t") == []


def test_a_partition_transform_is_refused(paimon: PaimonCatalog) -> None:
    schema = daft.from_pydict(ROWS).schema()
    identity = PartitionField.create(schema["dt"], schema["dt"], PartitionTransform.identity())
    assert paimon.create_table("db.t", schema, partition_fields=[identity]).partition_keys == ["dt"]
    for transform in (PartitionTransform.day(), PartitionTransform.iceberg_bucket(4)):
        field = PartitionField.create(schema["dt"], schema["dt"], transform)
        with pytest.raises(NotImplementedError, match="partition field"):
            paimon.create_table("db.u", schema, partition_fields=[field])
    assert not paimon.has_table("db.u")


def test_primary_keys_are_a_list(paimon: PaimonCatalog) -> None:
    schema = daft.from_pydict(ROWS).schema()
    with pytest.raises(ValueError, match="primary_keys must be a list of column names, got: 'id'"):
        paimon.create_table("db.t", schema, properties={"primary_keys": "id"})


def test_a_typo_in_the_mode_does_not_overwrite(paimon: PaimonCatalog) -> None:
    table = paimon.create_table("db.t", daft.from_pydict(ROWS))
    with pytest.raises(ValueError, match="got: 'typo'"):
        table.write(daft.from_pydict(ROWS), mode="typo")  # type: ignore[arg-type]
    assert table.read().count_rows() == 2
    assert table.write(daft.from_pydict(ROWS), mode="overwrite").to_pydict()["rows"] == [2]


def test_unknown_options_are_refused(paimon: PaimonCatalog) -> None:
    table = paimon.create_table("db.t", daft.from_pydict(ROWS))
    with pytest.raises(ValueError, match="Unsupported option"):
        table.read(snapshot=1)
    with pytest.raises(ValueError, match="Unsupported option"):
        table.append(daft.from_pydict(ROWS), dry_run=True)


def test_reading_and_writing_with_options(paimon: PaimonCatalog) -> None:
    table = paimon.create_table(
        "db.t", daft.from_pydict(ROWS), partition_fields=[PartitionField.create(daft.from_pydict(ROWS).schema()["dt"])]
    )
    table.overwrite(daft.from_pydict({"id": [9], "name": ["z"], "dt": ["x"]}), partition={"dt": "x"})
    assert sorted(table.read().to_pydict()["id"]) == [2, 9]
    assert sorted(table.read(snapshot_id=1).to_pydict()["id"]) == [1, 2]
    assert sorted(paimon.read_table("db.t", snapshot_id=1, reader="paimon").to_pydict()["id"]) == [1, 2]
    assert table.explain_scan(partition_filters=col("dt") == "x").total_file_count == 1
    table.truncate_partitions([{"dt": "y"}])
    assert table.read().to_pydict()["id"] == [9]
    table.truncate()
    assert table.read().count_rows() == 0


def test_sql_finds_attached_tables(paimon: PaimonCatalog) -> None:
    paimon.create_table("db.t", daft.from_pydict(ROWS))
    join = "SELECT t.id AS id, u.name AS name FROM paimon_test.db.t AS t JOIN paimon_test.db.t AS u ON t.id = u.id"
    rows = daft.sql(f"{join} WHERE t.dt = 'x'")
    assert rows.to_pydict() == {"id": [1], "name": ["a"]}
    assert daft.read_table("paimon_test.db.t").count_rows() == 2


def test_functions_are_not_held(paimon: PaimonCatalog) -> None:
    with pytest.raises(NotImplementedError):
        paimon.create_function("f", lambda: None)
    with pytest.raises(NotFoundError):
        paimon.get_function("f")
    assert paimon.has_table(Identifier("db", "t")) is False


def test_the_module_imports_without_daft() -> None:
    script = (
        "import sys; sys.modules['daft'] = None\n"
        "import pypaimon.daft as module\n"
        "from pypaimon.daft import read_paimon\n"
        "try:\n    module.PaimonCatalog\nexcept ImportError as error:\n    print('missing', error)\n"
        "try:\n    module.nope\nexcept AttributeError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "missing" in done.stdout
    assert "module 'pypaimon.daft' has no attribute 'nope'" in done.stdout


def test_apache_s_module_names_lead_here() -> None:
    from pypaimon.daft import daft_catalog, daft_datasink, daft_datasource, daft_explain, daft_paimon

    assert daft_catalog.PaimonCatalog is PaimonCatalog
    assert (daft_explain.READER_MODE_NATIVE_PARQUET, daft_explain.READER_MODE_PYPAIMON_FALLBACK) == (
        "native_parquet",
        "pypaimon_fallback",
    )
    assert callable(daft_paimon._read_table) and callable(daft_paimon._write_table)
    assert daft_datasource.PaimonDataSource and daft_datasink.PaimonDataSink
