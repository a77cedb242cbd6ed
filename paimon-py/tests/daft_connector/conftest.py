"""A warehouse in a temporary directory, and short ways to make tables in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import pypaimon
from daft_connector.tables import append


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    return {"warehouse": str(tmp_path / "warehouse")}


@pytest.fixture
def catalog(options: dict[str, str]) -> Any:
    made = pypaimon.CatalogFactory.create(options)
    made.create_database("db", ignore_if_exists=True)
    return made


@pytest.fixture
def make_table(catalog: Any) -> Callable[..., Any]:
    """``make_table("t", [rows of commit 1, rows of commit 2, ...], partition_keys=[...], **table_options)``."""

    def make(name: str, commits: list[pa.Table], partition_keys: list[str] | None = None, **options: str) -> Any:
        schema = pypaimon.Schema.from_pyarrow_schema(
            commits[0].schema,
            partition_keys=partition_keys or [],
            options=options,
        )
        catalog.create_table(f"db.{name}", schema, ignore_if_exists=False)
        table = catalog.get_table(f"db.{name}")
        for rows in commits:
            append(table, rows)
        return table

    return make
