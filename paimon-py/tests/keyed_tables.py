"""Ways to make, write and compare primary-key tables that several test modules share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa

from conftest import Tables
from pypaimon.table.file_store_table import FileStoreTable

Row = tuple[Any, ...]
COLUMNS = {"id": pa.int64(), "name": pa.string(), "n": pa.int32()}


def keyed(tables: Tables, name: str = "t", buckets: int = 2, **options: str) -> FileStoreTable:
    return tables.create(COLUMNS, name, primary_keys=["id"], options={"bucket": str(buckets), **dashed(options)})


def dashed(options: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").replace("--", "."): value for name, value in options.items()}


def frame(*rows: Row, **more: list[Any]) -> daft.DataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [[], [], []]
    arrays = {name: pa.array(values, kind) for (name, kind), values in zip(COLUMNS.items(), columns, strict=True)}
    return daft.from_arrow(pa.table({**arrays, **more}))


def rows_of(found: Any) -> list[Row]:
    """The rows of a frame or an Arrow table in order, NULL first."""
    return ordered(zip(*found.to_pydict().values(), strict=True))


def ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: [(value is not None, value) for value in row])


def snapshots(table: FileStoreTable) -> int:
    latest = table.snapshot_manager().get_latest_snapshot()
    return 0 if latest is None else latest.id


def data_files(options: dict[str, str]) -> list[Path]:
    return sorted(Path(options["warehouse"]).rglob("data-*"))
