"""Reading a Paimon table into a Daft data frame."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from pypaimon.daft.compat import require_daft

if TYPE_CHECKING:
    import daft
    from daft.io import IOConfig

    from pypaimon.daft.explain import PaimonScanExplain
    from pypaimon.daft.source import PaimonDataSource
    from pypaimon.table.file_store_table import FileStoreTable

    Timestamp = int | str | dt.datetime
    Filters = daft.Expression | Sequence[daft.Expression]


def read_paimon(
    table_identifier: str,
    catalog_options: dict[str, str],
    *,
    snapshot_id: int | None = None,
    tag_name: str | None = None,
    timestamp: Timestamp | None = None,
    io_config: IOConfig | None = None,
    follow_latest: bool = False,
    reader: str = "auto",
) -> daft.DataFrame:
    """A lazy frame over a table.

    The snapshot and the schema are fixed by this call: executing the frame later, or twice, reads the same rows. When
    that snapshot expires meanwhile, executing raises ``SnapshotExpiredError``.

    Args:
        table_identifier: Full name such as ``"db.t"``, or ``"db.t$branch_b"`` for a branch.
        catalog_options: Options for ``CatalogFactory.create``, such as ``{"warehouse": "/path"}``.
        snapshot_id: Snapshot to read.
        tag_name: Tag to read. Only one of ``snapshot_id``, ``tag_name`` and ``timestamp`` may be set.
        timestamp: Reads the latest snapshot at or before this time: milliseconds since the epoch, a ``datetime``
            (naive: local time), or text such as ``"2026-07-09 10:00:00"`` (local time).
        io_config: How Daft's own readers reach the storage; by default inferred from the catalog options.
        follow_latest: Read the latest snapshot at each execution instead. The schema stays fixed.
        reader: ``"paimon"`` sends every file to Paimon's reader; ``"auto"`` gives Parquet files to Daft's where the
            answer is certain to be the same.

    Returns:
        A ``daft.DataFrame``. Filters, projections and limits on it reach the scan.

    Raises:
        ValueError: Several selectors, a malformed identifier, or a snapshot, tag or time that the table does not have.
        TypeError: ``timestamp`` of another type.
        TableNotExistException: The table does not exist.

    Example:
        >>> df = read_paimon("db.t", {"warehouse": "/path"}).where(daft.col("dt") == "2024-01-01")  # doctest: +SKIP
    """
    travel = travel_options(snapshot_id, tag_name, timestamp)
    table = _get_table(table_identifier, catalog_options)
    return source_for_table(
        table, catalog_options, travel=travel, io_config=io_config, follow_latest=follow_latest, reader=reader
    ).read()


def explain_paimon_scan(
    table_identifier: str,
    catalog_options: dict[str, str],
    *,
    filters: Filters | None = None,
    partition_filters: Filters | None = None,
    columns: list[str] | None = None,
    limit: int | None = None,
    snapshot_id: int | None = None,
    tag_name: str | None = None,
    timestamp: Timestamp | None = None,
    io_config: IOConfig | None = None,
    verbose: bool = False,
    reader: str = "auto",
) -> PaimonScanExplain:
    """Plans a scan without reading data: what each stage drops, and which reader takes which files.

    Args:
        table_identifier: As for ``read_paimon``.
        catalog_options: As for ``read_paimon``.
        filters: Row filter; several are combined by AND.
        partition_filters: Filter on partition columns alone.
        columns: Columns to read; ``None``: all.
        limit: Rows to read at most.
        snapshot_id: As for ``read_paimon``.
        tag_name: As for ``read_paimon``.
        timestamp: As for ``read_paimon``.
        io_config: As for ``read_paimon``.
        verbose: List each split.
        reader: As for ``read_paimon``.

    Raises:
        ValueError: As for ``read_paimon``.
        TableNotExistException: The table does not exist.
    """
    travel = travel_options(snapshot_id, tag_name, timestamp)
    table = _get_table(table_identifier, catalog_options)
    source = source_for_table(table, catalog_options, travel=travel, io_config=io_config, reader=reader)
    return explain_source(source, filters, partition_filters, columns, limit, verbose)


def travel_options(snapshot_id: int | None, tag_name: str | None, timestamp: Timestamp | None) -> dict[str, str]:
    """The table options that select a point in time.

    Raises:
        ValueError: More than one selector.
        TypeError: ``timestamp`` of another type.
    """
    given = {"snapshot_id": snapshot_id, "tag_name": tag_name, "timestamp": timestamp}
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ValueError(f"Only one of snapshot_id, tag_name, timestamp can be set, got: {names}")
    if snapshot_id is not None:
        return {"scan.snapshot-id": str(snapshot_id)}
    if tag_name is not None:
        return {"scan.tag-name": tag_name}
    if timestamp is None:
        return {}
    if isinstance(timestamp, bool):
        raise TypeError("timestamp must be int (epoch millis), datetime, or str, not bool")
    if isinstance(timestamp, dt.datetime):
        return {"scan.timestamp-millis": str(int(timestamp.timestamp() * 1000))}
    if isinstance(timestamp, int):
        return {"scan.timestamp-millis": str(timestamp)}
    if isinstance(timestamp, str):
        return {"scan.timestamp": timestamp}
    raise TypeError(f"timestamp must be int (epoch millis), datetime, or str, got: {type(timestamp).__name__}")


def source_for_table(
    table: FileStoreTable,
    catalog_options: dict[str, str] | None = None,
    *,
    travel: dict[str, str] | None = None,
    io_config: IOConfig | None = None,
    follow_latest: bool = False,
    reader: str = "auto",
) -> PaimonDataSource:
    """The data source over a table object, pinned to its snapshot now.

    Args:
        table: The table; its schema and dynamic options are read as they are.
        catalog_options: What workers open the storage with; ``None``: the table's own.
        travel: From ``travel_options``.
        io_config: As for ``read_paimon``.
        follow_latest: As for ``read_paimon``.
        reader: As for ``read_paimon``.
    """
    require_daft()
    from pypaimon.daft.pinned import PinnedTable
    from pypaimon.daft.source import PaimonDataSource

    if travel and follow_latest:
        raise ValueError(f"follow_latest reads the latest snapshot and cannot be combined with {sorted(travel)}")
    if travel:
        table = table.copy(travel)
    options = _texts(catalog_options) if catalog_options else table.native.catalog_options()
    pinned = PinnedTable.of(table, options, follow_latest=follow_latest)
    return PaimonDataSource(pinned, io_config=io_config, reader=reader)


def explain_source(
    source: PaimonDataSource,
    filters: Filters | None = None,
    partition_filters: Filters | None = None,
    columns: list[str] | None = None,
    limit: int | None = None,
    verbose: bool = False,
) -> PaimonScanExplain:
    """Explains a scan of this source, see ``explain_paimon_scan``."""
    from daft.io.pushdowns import Pushdowns

    pushdowns = Pushdowns(_all_of(filters), _all_of(partition_filters), columns, limit)
    return source.explain_scan(pushdowns, verbose=verbose)


def _get_table(table_identifier: str, catalog_options: dict[str, Any]) -> FileStoreTable:
    require_daft()
    from pypaimon.catalog.catalog_factory import CatalogFactory

    return CatalogFactory.create(_texts(catalog_options)).get_table(table_identifier)


def _texts(options: dict[str, Any]) -> dict[str, str]:
    """Options as text: a ``pathlib.Path`` is welcome as a warehouse."""
    return {str(key): str(value) for key, value in options.items()}


def _all_of(filters: Filters | None) -> daft.Expression | None:
    if isinstance(filters, Sequence):
        return reduce(and_, filters) if filters else None
    return filters
