from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pypaimon import CatalogFactory, Schema
from pypaimon.catalog.filesystem_catalog import FileSystemCatalog
from pypaimon.table.file_store_table import FileStoreTable


@pytest.fixture
def catalog(tmp_path: Path) -> FileSystemCatalog:
    made = CatalogFactory.create({"warehouse": tmp_path / "warehouse"})
    made.create_database("db")
    return made


class Tables:
    """Makes tables and fills them."""

    def __init__(self, catalog: FileSystemCatalog) -> None:
        self.catalog = catalog

    def create(self, columns: dict[str, pa.DataType] | pa.Schema, name: str = "t", **more: Any) -> FileStoreTable:
        schema = columns if isinstance(columns, pa.Schema) else pa.schema(list(columns.items()))
        self.catalog.create_table(f"db.{name}", Schema.from_pyarrow_schema(schema, **more))
        return self.catalog.get_table(f"db.{name}")


@pytest.fixture
def tables(catalog: FileSystemCatalog) -> Tables:
    return Tables(catalog)


def append(table: FileStoreTable, rows: dict[str, list[Any]] | pa.Table) -> int | None:
    """Commits rows; columns take the table's types."""
    if isinstance(rows, dict):
        target = pa.schema(table._native.arrow_schema())
        rows = pa.table({name: pa.array(values, target.field(name).type) for name, values in rows.items()})
    builder = table.new_batch_write_builder()
    with builder.new_write() as write, builder.new_commit() as commit:
        write.write_arrow(rows)
        return commit.commit(write.prepare_commit())


def read(table: FileStoreTable, **builder_calls: Any) -> pa.Table:
    builder = table.new_read_builder()
    for name, value in builder_calls.items():
        getattr(builder, f"with_{name}")(value)
    return builder.new_read().to_arrow(builder.new_scan().plan().splits())
