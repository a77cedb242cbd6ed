"""Another name of ``pypaimon.daft.reader`` and ``pypaimon.daft.writer``, and the same on table objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypaimon.daft.reader import (
    explain_paimon_scan,
    explain_source,
    read_paimon,
    source_for_table,
    travel_options,
)
from pypaimon.daft.writer import write_paimon, write_table

if TYPE_CHECKING:
    import daft

    from pypaimon.daft.explain import PaimonScanExplain
    from pypaimon.daft.source import PaimonDataSource
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["explain_paimon_scan", "read_paimon", "write_paimon"]


def _source_for_table(
    table: FileStoreTable, catalog_options: dict[str, str] | None = None, io_config: Any = None
) -> PaimonDataSource:
    return source_for_table(table, catalog_options, io_config=io_config)


def _read_table(
    table: FileStoreTable,
    catalog_options: dict[str, str] | None = None,
    io_config: Any = None,
    snapshot_id: int | None = None,
    tag_name: str | None = None,
    timestamp: Any = None,
) -> daft.DataFrame:
    travel = travel_options(snapshot_id, tag_name, timestamp)
    return source_for_table(table, catalog_options, travel=travel, io_config=io_config).read()


def _explain_table(
    table: FileStoreTable,
    catalog_options: dict[str, str] | None = None,
    io_config: Any = None,
    snapshot_id: int | None = None,
    tag_name: str | None = None,
    timestamp: Any = None,
    **scan: Any,
) -> PaimonScanExplain:
    travel = travel_options(snapshot_id, tag_name, timestamp)
    return explain_source(source_for_table(table, catalog_options, travel=travel, io_config=io_config), **scan)


def _write_table(df: daft.DataFrame, table: FileStoreTable, mode: str = "append") -> daft.DataFrame:
    return write_table(df, table, mode=mode)


def _timestamp_scan_option(timestamp: Any) -> dict[str, str]:
    return travel_options(None, None, timestamp)
