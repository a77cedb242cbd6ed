"""The shapes of our objects that Daft's own Paimon connector relies on, as its sources use them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append
from pypaimon import CatalogFactory, Schema
from pypaimon.catalog.catalog import Catalog
from pypaimon.catalog.catalog_exception import DatabaseNotExistException, TableNotExistException
from pypaimon.catalog.filesystem_catalog import FileSystemCatalog
from pypaimon.common.predicate import Predicate
from pypaimon.schema.data_types import PyarrowFieldParser
from pypaimon.table.file_store_table import FileStoreTable
from pypaimon.table.table import Table


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    made = tables.create({"p": pa.string(), "n": pa.int64()}, partition_keys=["p"])
    append(made, {"p": ["a", "b"], "n": [1, 2]})
    return made


def test_a_table_tells_what_it_is(table: FileStoreTable, tmp_path: Path) -> None:
    assert isinstance(table, Table)
    assert [field.name for field in table.fields] == ["p", "n"]
    assert table.options.get("file.format", "parquet") == "parquet"
    assert (table.partition_keys, table.primary_keys, table.is_primary_key_table) == (["p"], [], False)
    assert [field.name for field in table.partition_keys_fields] == ["p"]
    assert table.total_buckets == -1
    assert table.table_path == str(tmp_path / "warehouse/db.db/t")
    assert table.identifier.object == "t"
    assert table.file_io.properties["warehouse"] == str(tmp_path / "warehouse")


def test_types_become_those_of_arrow(table: FileStoreTable) -> None:
    schema = PyarrowFieldParser.from_paimon_schema(table.fields)
    assert schema.names == ["p", "n"]
    assert [PyarrowFieldParser.from_paimon_type(field.type) for field in table.fields] == schema.types
    assert Schema.from_pyarrow_schema(schema, partition_keys=["p"], primary_keys=[], options={}) is not None


def test_a_read_builder_gives_splits_and_a_reader_of_batches(table: FileStoreTable) -> None:
    builder = table.new_read_builder()
    conditions = builder.new_predicate_builder()
    condition = conditions.and_predicates([conditions.equal("p", "a"), conditions.greater_than("n", 0)])
    assert isinstance(condition, Predicate)
    assert builder.with_projection(["n", "p"]) is builder.with_filter(condition) is builder.with_limit(5)
    splits = builder.new_scan().plan().splits()
    (split,) = splits
    assert split.raw_convertible is True
    assert split.partition.to_dict() == {"p": "a"}
    (file,) = split.files
    assert (file.row_count, file.file_size) == (1, Path(file.file_path).stat().st_size)
    reader = builder.new_read().to_arrow_batch_reader(splits)
    assert isinstance(reader, pa.RecordBatchReader)
    # Daft iterates by iter(reader.read_next_batch, None), which ends by StopIteration.
    batches = []
    with pytest.raises(StopIteration):
        while True:
            batches.append(reader.read_next_batch())
    assert pa.Table.from_batches(batches, reader.schema).to_pydict() == {"n": [1], "p": ["a"]}


@pytest.mark.parametrize(
    "condition",
    [
        "equal", "not_equal", "less_than", "less_or_equal", "greater_than", "greater_or_equal",
        "is_in", "is_not_in", "is_null", "is_not_null", "between", "startswith", "endswith", "contains",
    ],
)  # fmt: skip
def test_a_predicate_builder_has_what_dafts_filters_become(table: FileStoreTable, condition: str) -> None:
    conditions = table.new_read_builder().new_predicate_builder()
    arguments: dict[str, tuple[Any, ...]] = {
        "is_in": (["a"],), "is_not_in": (["a"],), "is_null": (), "is_not_null": (), "between": ("a", "b"),
    }  # fmt: skip
    made = getattr(conditions, condition)("p", *arguments.get(condition, ("a",)))
    assert isinstance(conditions.or_predicates([made, conditions.is_null("n")]), Predicate)


@pytest.mark.parametrize(("overwrite", "rows"), [(False, [1, 2, 7]), (True, [2, 7])])
def test_a_write_builder_writes_batches_and_commits_messages(
    table: FileStoreTable, overwrite: bool, rows: list[int]
) -> None:
    builder = table.new_batch_write_builder()
    if overwrite:
        builder.overwrite({})
    write = builder.new_write()
    write.write_arrow_batch(pa.record_batch({"p": ["a"], "n": pa.array([7], pa.int64())}))
    messages = write.prepare_commit()
    write.close()
    (message,) = pickle.loads(pickle.dumps(messages))
    (file,) = message.new_files
    assert (file.row_count, file.file_size > 0, file.file_name.startswith("data-")) == (1, True, True)
    commit = builder.new_commit()
    commit.commit([message])
    commit.close()
    read = table.new_read_builder()
    assert sorted(read.new_read().to_arrow(read.new_scan().plan().splits())["n"].to_pylist()) == rows


def test_a_catalog_lists_creates_and_drops(catalog: FileSystemCatalog, tables: Tables) -> None:
    assert isinstance(catalog, Catalog)
    tables.create({"n": pa.int64()})
    assert (catalog.list_databases(), catalog.list_tables("db")) == (["db"], ["t"])
    assert catalog.get_database("db") is not None
    with pytest.raises(DatabaseNotExistException):
        catalog.get_database("nope")
    with pytest.raises(DatabaseNotExistException):
        catalog.drop_database("nope", ignore_if_not_exists=False)
    with pytest.raises(TableNotExistException):
        catalog.get_table("db.nope")
    with pytest.raises(TableNotExistException):
        catalog.drop_table("db.nope", ignore_if_not_exists=False)


def test_a_warehouse_with_a_scheme_keeps_paths_that_daft_can_put_it_before(tmp_path: Path) -> None:
    # Daft's connector makes f"{scheme of the warehouse}://{file.file_path}" of them.
    catalog = CatalogFactory.create({"warehouse": f"file://{tmp_path}/warehouse"})
    catalog.create_database("db")
    catalog.create_table("db.t", Schema.from_pyarrow_schema(pa.schema([("n", pa.int64())])))
    table = catalog.get_table("db.t")
    append(table, {"n": [1]})  # type: ignore[arg-type]
    (split,) = table.new_read_builder().new_scan().plan().splits()
    assert all(Path(file.file_path).is_file() for file in split.files)


def test_dafts_sink_may_replace_the_statistics_of_columns() -> None:
    # Daft's sink assigns this when it is made, as a remedy for Apache's writer. Nothing of ours calls it.
    from pypaimon.write.writer.data_writer import DataWriter

    before = DataWriter._get_column_stats
    try:
        DataWriter._get_column_stats = staticmethod(lambda batch, column: {})
    finally:
        DataWriter._get_column_stats = before
