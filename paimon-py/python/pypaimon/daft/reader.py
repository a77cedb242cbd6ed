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
    Increment = tuple[int | str, int | str]
    Filters = daft.Expression | Sequence[daft.Expression]


def read_paimon(
    table_identifier: str,
    catalog_options: dict[str, str],
    *,
    snapshot_id: int | None = None,
    tag_name: str | None = None,
    timestamp: Timestamp | None = None,
    incremental: Increment | None = None,
    branch: str | None = None,
    io_config: IOConfig | None = None,
    follow_latest: bool = False,
    reader: str = "auto",
    row_tracking: bool = False,
) -> daft.DataFrame:
    """A lazy frame over a table.

    The snapshot and the schema are fixed by this call: executing the frame later, or twice, reads the same rows. When
    that snapshot expires meanwhile and its files are gone, executing raises ``SnapshotExpiredError``.

    Args:
        table_identifier: Full name such as ``"db.t"``, or ``"db.t$branch_b"`` for a branch. ``"db.t$ro"`` reads of a
            primary-key table only what a full compaction has merged: faster, and as old as that is.
        catalog_options: Options for ``CatalogFactory.create``, such as ``{"warehouse": "/path"}``.
        snapshot_id: Snapshot to read.
        tag_name: Tag to read.
        timestamp: Reads the latest snapshot at or before this time: milliseconds since the epoch, a ``datetime``
            (naive: local time), or text such as ``"2026-07-09 10:00:00"`` (local time).
        incremental: ``(a, b)`` reads the rows that the commits after ``a`` up to ``b`` appended: ids of snapshots
            (0 is before the first), or names of tags. Overwrites and compactions in between append nothing. The
            columns are the latest ones. Only one of ``snapshot_id``, ``tag_name``, ``timestamp`` and ``incremental``
            may be set.
        branch: Branch to read; the same as ``"db.t$branch_<name>"``.
        io_config: How Daft's own readers reach the storage; by default inferred from the catalog options. Where these
            say nothing of S3, Paimon's own access follows it, too.
        follow_latest: Read the latest snapshot at each execution instead. The schema stays fixed.
        reader: ``"paimon"`` sends every file to Paimon's reader; ``"auto"`` gives Parquet files to Daft's where the
            answer is certain to be the same.
        row_tracking: Adds ``_ROW_ID``, the id of a row for life, and ``_SEQUENCE_NUMBER``, the snapshot that changed it
            last as far as its files tell; the same as ``"db.t$row_tracking"``. The table has the option
            ``row-tracking.enabled``.

    Returns:
        A ``daft.DataFrame``. Filters, projections and limits on it reach the scan.

    Raises:
        ValueError: Several selectors, a malformed identifier, or a snapshot, tag, time or branch that is not there.
        TypeError: ``timestamp``, ``incremental`` or ``branch`` of another type.
        TableNotExistException: The table does not exist.

    Example:
        >>> df = read_paimon("db.t", {"warehouse": "/path"}).where(daft.col("dt") == "2024-01-01")  # doctest: +SKIP
        >>> new = read_paimon("db.t", {"warehouse": "/path"}, incremental=(3, 5))  # doctest: +SKIP
    """
    travel = travel_options(snapshot_id, tag_name, timestamp, incremental)
    catalog_options = _complete(catalog_options, io_config)
    table = get_table(table_identifier, catalog_options, branch)
    return source_for_table(
        table,
        catalog_options,
        travel=travel,
        io_config=io_config,
        follow_latest=follow_latest,
        reader=reader,
        row_tracking=row_tracking,
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
    incremental: Increment | None = None,
    branch: str | None = None,
    io_config: IOConfig | None = None,
    verbose: bool = False,
    reader: str = "auto",
    row_tracking: bool = False,
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
        incremental: As for ``read_paimon``.
        branch: As for ``read_paimon``.
        io_config: As for ``read_paimon``.
        verbose: List each split.
        reader: As for ``read_paimon``.
        row_tracking: As for ``read_paimon``.

    Raises:
        ValueError: As for ``read_paimon``.
        TableNotExistException: The table does not exist.
    """
    travel = travel_options(snapshot_id, tag_name, timestamp, incremental)
    catalog_options = _complete(catalog_options, io_config)
    table = get_table(table_identifier, catalog_options, branch)
    source = source_for_table(
        table, catalog_options, travel=travel, io_config=io_config, reader=reader, row_tracking=row_tracking
    )
    return explain_source(source, filters, partition_filters, columns, limit, verbose)


def _complete(catalog_options: dict[str, Any], io_config: IOConfig | None) -> dict[str, str]:
    require_daft()
    from pypaimon.daft.io_config import options_with

    return options_with(catalog_options, io_config)


def travel_options(
    snapshot_id: int | None = None,
    tag_name: str | None = None,
    timestamp: Timestamp | None = None,
    incremental: Increment | None = None,
) -> dict[str, str]:
    """The table options that select what is read.

    Raises:
        ValueError: More than one selector, or ends of an increment that cannot be.
        TypeError: ``timestamp`` or ``incremental`` of another type.
    """
    given: dict[str, Any] = {"snapshot_id": snapshot_id, "tag_name": tag_name, "timestamp": timestamp}
    if incremental is not None:
        given["incremental"] = incremental
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise ValueError(f"Only one of {', '.join(given)} can be set, got: {names}")
    if incremental is not None:
        return _between(incremental)
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


def _between(incremental: Increment) -> dict[str, str]:
    if not isinstance(incremental, (tuple, list)) or len(incremental) != 2:
        raise TypeError(
            "incremental must be a pair (a, b) of snapshot ids or tag names: the rows appended after a, up to b; "
            f"got: {incremental!r}"
        )
    ends = []
    for end in incremental:
        if isinstance(end, bool) or not isinstance(end, (int, str)):
            raise TypeError(f"the ends of incremental must be snapshot ids (int) or tag names (str), got: {end!r}")
        text = str(end).strip()
        if not text or "," in text:
            raise ValueError(f"{end!r} in incremental={tuple(incremental)!r} is no name of a tag")
        ends.append(text)
    # Two tags would else mean the difference of their states, which also has what was overwritten since.
    return {"incremental-between": ",".join(ends), "incremental-between-tag-to-snapshot": "true"}


def source_for_table(
    table: FileStoreTable,
    catalog_options: dict[str, str] | None = None,
    *,
    travel: dict[str, str] | None = None,
    io_config: IOConfig | None = None,
    follow_latest: bool = False,
    reader: str = "auto",
    row_tracking: bool = False,
) -> PaimonDataSource:
    """The data source over a table object, pinned to its snapshot now.

    Args:
        table: The table; its schema and dynamic options are read as they are.
        catalog_options: What workers open the storage with; ``None``: the table's own.
        travel: From ``travel_options``.
        io_config: As for ``read_paimon``.
        follow_latest: As for ``read_paimon``.
        reader: As for ``read_paimon``.
        row_tracking: As for ``read_paimon``.
    """
    require_daft()
    from pypaimon.daft.pinned import PinnedTable
    from pypaimon.daft.source import PaimonDataSource

    if travel and follow_latest:
        raise ValueError(f"follow_latest reads the latest snapshot and cannot be combined with {sorted(travel)}")
    if travel:
        table = table.copy(travel)
    if row_tracking:
        table = table.tracking_rows()
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


def get_table(table_identifier: str, catalog_options: dict[str, Any], branch: str | None) -> FileStoreTable:
    """The table, or a branch of it.

    Raises:
        ValueError: A malformed identifier, one that names another branch, or a branch that does not exist.
        TypeError: ``branch`` is not a text.
        TableNotExistException: The table does not exist.
    """
    require_daft()
    from pypaimon.catalog.catalog_exception import BranchNotExistException, TableNotExistException
    from pypaimon.catalog.catalog_factory import CatalogFactory
    from pypaimon.common.identifier import Identifier

    name = Identifier.of(table_identifier).on_branch(branch)
    catalog = CatalogFactory.create(_texts(catalog_options))
    try:
        return catalog.get_table(name)
    except TableNotExistException:
        if branch is None:
            raise
        catalog.get_table(Identifier(name.database, name.get_table_name()))  # says so when the table is missing too
        raise BranchNotExistException(branch) from None


def _texts(options: dict[str, Any]) -> dict[str, str]:
    """Options as text: a ``pathlib.Path`` is welcome as a warehouse."""
    return {str(key): str(value) for key, value in options.items()}


def _all_of(filters: Filters | None) -> daft.Expression | None:
    if isinstance(filters, Sequence):
        return reduce(and_, filters) if filters else None
    return filters
