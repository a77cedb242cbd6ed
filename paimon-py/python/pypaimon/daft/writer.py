"""Writing a Daft data frame to a Paimon table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pypaimon.daft.compat import require_daft
from pypaimon.daft.reader import get_table

if TYPE_CHECKING:
    import daft

    from pypaimon.table.file_store_table import FileStoreTable


def write_paimon(
    df: daft.DataFrame,
    table_identifier: str,
    catalog_options: dict[str, str],
    *,
    mode: str = "append",
    partition: Mapping[str, Any] | None = None,
    commit_properties: Mapping[str, str] | None = None,
    idempotence_key: str | None = None,
    branch: str | None = None,
    row_kind_column: str | None = None,
) -> daft.DataFrame:
    """Executes a frame and commits its rows to a table, all or none.

    Rows of a primary-key table are merged into it by its ``merge-engine``. Of rows with the same key the one that comes
    last in the frame, as ``collect()`` shows it, is the newest, unless the table's ``sequence.field`` says otherwise.
    On Ray, Daft keeps the order of rows only of frames that come straight from memory: others want ``sequence.field``.
    After the commit the buckets that were written are compacted when that is due, and always where rows are seen only
    then (``first-row``, deletion vectors); the table option ``write-only=true`` leaves that to others.

    Args:
        df: The rows; columns are matched by name, in any order, and cast where nothing is lost.
        table_identifier: Full name such as ``"db.t"``.
        catalog_options: Options for ``CatalogFactory.create``, such as ``{"warehouse": "/path"}``.
        mode: ``"append"``, or ``"overwrite"``: the whole of an unpartitioned table is replaced; of a partitioned one
            the partitions that occur in ``df`` (unless the table says ``dynamic-partition-overwrite=false``).
        partition: With ``mode="overwrite"``: replaces exactly this partition, whatever the table option says. Leading
            partition columns name all partitions under them. Rows outside are refused; no rows clear it.
        commit_properties: Texts recorded in the snapshot.
        idempotence_key: Names this write: when a snapshot still retained was committed under the same name, nothing is
            executed and the result has no rows. Use it to retry after an unclear failure.
        branch: Branch to write to; the same as ``"db.t$branch_<name>"``.
        row_kind_column: Of a primary-key table: the column of ``df`` that says what a row does to its key: ``"+I"``
            and ``"+U"`` put it there, ``"-D"`` deletes it, ``"-U"`` takes back what it held before. It is not stored;
            for a column that is, there is the table option ``rowkind.field``.

    Returns:
        A frame with a row for each new file: ``operation`` (``ADD`` or ``OVERWRITE``), ``rows``, ``file_size`` in
        bytes, ``file_name``.

    Raises:
        ValueError: Another ``mode``, columns that do not fit the table, a ``partition`` or ``branch`` it does not have,
            another text in ``row_kind_column``.
        UnsupportedError: Rows of such a table cannot be written yet.
        TableNotExistException: The table does not exist.
        CommitConflictError: Another writer changed what this one replaces, or meanwhile gave buckets to new keys of a
            table without fixed buckets: write again.
        NotVisibleError: The rows are committed, but the compaction failed without which nobody sees them.
    """
    return write_table(
        df,
        get_table(table_identifier, catalog_options, branch),
        mode=mode,
        partition=partition,
        commit_properties=commit_properties,
        idempotence_key=idempotence_key,
        row_kind_column=row_kind_column,
    )


def write_table(
    df: daft.DataFrame,
    table: FileStoreTable,
    *,
    mode: str = "append",
    partition: Mapping[str, Any] | None = None,
    commit_properties: Mapping[str, str] | None = None,
    idempotence_key: str | None = None,
    row_kind_column: str | None = None,
) -> daft.DataFrame:
    """Like ``write_paimon``, to a table object with its dynamic options."""
    require_daft()
    from pypaimon.daft.keyed import write_keyed
    from pypaimon.daft.sink import PaimonDataSink

    sink = PaimonDataSink(
        table,
        mode,
        partition=partition,
        commit_properties=commit_properties,
        idempotence_key=idempotence_key,
        row_kind_column=row_kind_column,
    )
    sink.check_schema(df.schema().to_pyarrow_schema())
    if (snapshot_id := sink.already_committed()) is not None:
        sink.show(snapshot_id)
        return sink.empty_result()
    try:
        return write_keyed(df, sink) if table.is_primary_key_table else df.write_sink(sink)
    except BaseException:
        sink.abort()
        raise
