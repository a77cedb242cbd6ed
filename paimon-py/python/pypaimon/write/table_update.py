"""Changing rows that are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pypaimon._native import NativeCommitMessage, NativeUpdate
from pypaimon.common.predicate import Predicate
from pypaimon.common.predicate_builder import PredicateBuilder
from pypaimon.exceptions import InvalidInputError
from pypaimon.table.special_fields import SpecialFields
from pypaimon.unsupported import unsupported
from pypaimon.write.commit_message import CommitMessage

if TYPE_CHECKING:
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["BatchTableUpdate", "TableUpdate"]

_ROW_ID = SpecialFields.ROW_ID.name

_HELD_BYTES = 64 << 20
"""New values of whole row groups that are collected before they are written."""

_Assignments = Mapping[str, Any | Callable[[pa.Table], pa.Array | pa.ChunkedArray]]


class TableUpdate:
    """Changes rows of a table whose rows have ids; made by `WriteBuilder.new_update`.

    The table has ``row-tracking.enabled`` and ``data-evolution.enabled``, and to delete rows also
    ``deletion-vectors.enabled``. Each call looks at the latest snapshot, leaves the table as it is, and gives messages
    for the commit; after an error it leaves nothing behind. What others commit in between to the same columns of the
    same rows makes the commit fail.

    Example:
        >>> builder = table.new_batch_write_builder()  # doctest: +SKIP
        >>> update = builder.new_update().with_update_type(["name"])  # doctest: +SKIP
        >>> rows = pa.table({"_ROW_ID": [3], "name": ["new"]})  # doctest: +SKIP
        >>> builder.new_commit().commit(update.update_by_arrow_with_row_id(rows))  # doctest: +SKIP
    """

    def __init__(self, table: FileStoreTable, commit_user: str) -> None:
        self.table = table
        self.commit_user = commit_user
        self.update_cols: list[str] | None = None

    def with_update_type(self, update_cols: Sequence[str]) -> TableUpdate:
        """Updates these columns, whatever other columns come with them.

        Raises:
            InvalidInputError: The table does not have one of them.
        """
        columns = list(dict.fromkeys(update_cols))
        self._check_columns(columns)
        self.update_cols = None if len(columns) == len(self.table.field_names) else columns
        return self

    def new_predicate_builder(self) -> PredicateBuilder:
        """Builds conditions on the table's columns."""
        return self.table.new_read_builder().new_predicate_builder()

    def _check_columns(self, names: Iterable[str], what: str = "Column") -> None:
        for name in names:
            if name not in self.table.field_names:
                raise InvalidInputError(f"{what} {name} is not in table schema.")

    new_shard_updator = unsupported("TableUpdate.new_shard_updator", "use update_by_predicate")
    new_update_by_row_id = unsupported("TableUpdate.new_update_by_row_id", "use update_by_arrow_with_row_id")
    with_read_projection = unsupported("TableUpdate.with_read_projection", "use update_by_predicate with read_columns")
    merge_into = unsupported("TableUpdate.merge_into", "use upsert_by_arrow_with_key or update_by_predicate")


class BatchTableUpdate(TableUpdate):
    """Changes that are committed once."""

    def update_by_arrow_with_row_id(self, table: Any) -> list[CommitMessage]:
        """New values for rows by their ids.

        Args:
            table: A `pyarrow.Table`, or anything else that speaks the Arrow PyCapsule interface: ``_ROW_ID`` and the
                columns of `with_update_type`, else all of its columns.

        Raises:
            InvalidInputError: A row id is given twice, or the table does not have it or its row is deleted; a column is
                unknown or a partition column; a value does not fit.
        """
        return _messages(self.table._native.updater().update_columns(table, self.update_cols))

    def update_by_arrow_batches_with_row_id(self, tables: Iterable[Any]) -> list[CommitMessage]:
        """Like `update_by_arrow_with_row_id`, table by table, all by one snapshot.

        Raises:
            InvalidInputError: As there; or two tables change the same column of rows of one data file.
        """
        columns = self.update_cols
        return self._collect(lambda update: (update.update_columns(table, columns) for table in tables))

    def update_by_predicate(
        self,
        predicate: Predicate | None,
        assignments: _Assignments,
        read_columns: Sequence[str] | None = None,
    ) -> list[CommitMessage]:
        """New values for the rows for which a condition is true.

        Args:
            predicate: The condition; ``None``: all rows.
            assignments: For each column its new value: one for all rows; an Arrow array with one for each matching row;
                or what is called with the matching rows of one row group after another, as a `pyarrow.Table` of
                `read_columns` and ``_ROW_ID``, and gives such an array for them.
            read_columns: What is called needs these columns.

        Raises:
            InvalidInputError: A column is unknown or a partition column, arrays do not have the length of the rows, a
                value does not fit its column.
        """
        called = [name for name, value in assignments.items() if callable(value)]
        read_columns = list(dict.fromkeys(read_columns or ()))
        self._check_assignments(assignments, called, read_columns)
        bound = None if predicate is None else self.table._native.predicate(predicate.to_tree())

        def update(native: NativeUpdate) -> Iterable[list[NativeCommitMessage]]:
            arrays = any(isinstance(value, (pa.Array, pa.ChunkedArray)) for value in assignments.values())
            held: list[pa.Table] = []
            for batch in native.matching(bound, read_columns if called else []):
                held.append(pa.Table.from_batches([pa.record_batch(batch)]))
                if called:
                    held[-1] = self._assigned(assignments, held[-1])
                    if sum(table.nbytes for table in held) >= _HELD_BYTES:
                        yield native.update_columns(pa.concat_tables(held), list(assignments))
                        held = []
            if held:
                rows = pa.concat_tables(held)
                yield native.update_columns(rows if called else self._assigned(assignments, rows), list(assignments))
            elif arrays:
                self._assigned(assignments, pa.table({_ROW_ID: pa.array([], pa.int64())}))

        return self._collect(update)

    def upsert_by_arrow_with_key(self, table: Any, upsert_keys: Sequence[str]) -> list[CommitMessage]:
        """Rows by key: those that the table has change, the others are added.

        All rows of the table with the same values in `upsert_keys`, and in the partition columns, get the new values of
        the columns of `with_update_type`, else of all columns that are given. Of rows that are given with one key the
        last counts.

        Raises:
            InvalidInputError: A key or a partition column is not given, there is no row, or a value does not fit.
        """
        return _messages(self.table._native.updater().upsert(table, list(upsert_keys), self.update_cols))

    def upsert_by_key(
        self, rows: Mapping[str, Any] | Sequence[Mapping[str, Any]], upsert_keys: Sequence[str]
    ) -> list[CommitMessage]:
        """Like `upsert_by_arrow_with_key`, with rows as mappings of columns to values, all of the same columns."""
        listed = [rows] if isinstance(rows, Mapping) else list(rows)
        if not listed:
            raise InvalidInputError("rows must not be empty.")
        names = list(listed[0])
        self._check_columns(names)
        for row in listed:
            if set(row) != set(names):
                raise InvalidInputError(
                    f"upsert_by_key requires rows of the same columns: the first has {names}, another one {list(row)}"
                )
        target = self._target()
        schema = pa.schema([target.field(name).with_nullable(True) for name in names])
        return self.upsert_by_arrow_with_key(pa.Table.from_pylist([dict(row) for row in listed], schema), upsert_keys)

    def delete_by_row_id(self, row_ids: Iterable[int]) -> list[CommitMessage]:
        """Deletes rows by their ids; those that are deleted already stay so.

        Raises:
            InvalidInputError: The table does not have a row id, or lacks ``deletion-vectors.enabled``.
        """
        ids = row_ids.to_pylist() if isinstance(row_ids, (pa.Array, pa.ChunkedArray)) else list(row_ids)
        if any(row_id is None for row_id in ids):
            raise InvalidInputError("_ROW_ID value must not be null.")
        return _messages(self.table._native.updater().delete_rows([int(row_id) for row_id in ids]))

    def delete_by_predicate(self, predicate: Predicate | None) -> list[CommitMessage]:
        """Deletes the rows for which a condition is true; ``None``: all rows.

        A condition on partition columns alone takes the files of those partitions away, which needs no
        ``deletion-vectors.enabled``.
        """
        bound = None if predicate is None else self.table._native.predicate(predicate.to_tree())
        return _messages(self.table._native.updater().delete_where(bound))

    def _check_assignments(self, assignments: _Assignments, called: list[str], read_columns: list[str]) -> None:
        if not assignments:
            raise InvalidInputError("assignments must not be empty.")
        self._check_columns(assignments)
        self._check_columns(read_columns, "Read column")
        if read_columns and not called:
            raise InvalidInputError("read_columns requires a callable assignment.")
        if called and not read_columns:
            raise InvalidInputError("Callable assignments require read_columns.")
        if called and any(isinstance(value, (pa.Array, pa.ChunkedArray)) for value in assignments.values()):
            raise InvalidInputError("Callable assignments cannot be combined with Arrow array assignments.")
        for name in assignments:
            if name in self.table.partition_keys:
                raise InvalidInputError(f"update_by_predicate does not support updating partition column '{name}'.")

    def _assigned(self, assignments: _Assignments, matched: pa.Table) -> pa.Table:
        """The ids of `matched` rows and their new values."""
        target = self._target()
        columns = {_ROW_ID: matched[_ROW_ID]}
        for name, value in assignments.items():
            if callable(value):
                value = value(matched)
                if not isinstance(value, (pa.Array, pa.ChunkedArray)):
                    raise InvalidInputError(
                        f"Callable assignment for {name} must return a pyarrow.Array or pyarrow.ChunkedArray."
                    )
            if not isinstance(value, (pa.Array, pa.ChunkedArray)):
                columns[name] = _repeated(value, target.field(name).type, matched.num_rows)
            elif len(value) != matched.num_rows:
                raise InvalidInputError(
                    f"Assignment array length must match matched row count: {len(value)} != {matched.num_rows}."
                )
            else:
                columns[name] = value
        return pa.table(columns)

    def _collect(self, update: Callable[[NativeUpdate], Iterable[list[NativeCommitMessage]]]) -> list[CommitMessage]:
        """All messages, or none: what was written before an error is deleted."""
        messages: list[NativeCommitMessage] = []
        try:
            for written in update(self.table._native.updater()):
                messages.extend(written)
        except BaseException:
            self.table._native.abort(messages)
            raise
        return _messages(messages)

    def _target(self) -> pa.Schema:
        return pa.schema(self.table._native.arrow_schema())


def _repeated(value: Any, data_type: pa.DataType, rows: int) -> pa.Array:
    if isinstance(value, pa.Scalar):
        value = value.as_py()
    try:
        return pa.array([value] * rows, data_type)
    except (pa.ArrowException, TypeError, OverflowError) as error:
        raise InvalidInputError(f"the value {value!r} does not fit a column of type {data_type}: {error}") from error


def _messages(native: Iterable[NativeCommitMessage]) -> list[CommitMessage]:
    return [CommitMessage(message) for message in native]
