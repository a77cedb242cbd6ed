"""Writing rows into data files."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pypaimon.exceptions import InvalidInputError
from pypaimon.unsupported import refuse, unsupported
from pypaimon.write.commit_message import CommitMessage

if TYPE_CHECKING:
    import pandas
    from typing_extensions import Self

    from pypaimon import _native
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["BatchTableWrite", "TableWrite"]


class TableWrite:
    """Writes rows; nothing can be read before a commit. Made by `BatchWriteBuilder.new_write`.

    Columns are found by name, in any order, and cast safely to the table's types. Threads may share a writer: one
    writes at a time. In a ``with`` block, what was not prepared is deleted at the end.

    Of the rows of one key of a primary-key table, the one written last is the newest, unless the table's
    ``sequence.field`` says otherwise. Only one writer may write a bucket for one commit.
    """

    def __init__(
        self,
        table: FileStoreTable,
        row_kind_column: str | None = None,
        *,
        overwrite: bool = False,
        commit_user: str | None = None,
    ) -> None:
        self.table = table
        self._commit_user = commit_user
        self.row_kind_column = row_kind_column
        self._overwrite = overwrite
        self._write_type: list[str] | None = None
        self._has_rows = False
        self._native = self._open()

    def _open(self) -> _native.NativeWriter:
        return self.table._native.writer(
            row_kind_column=self.row_kind_column,
            overwrite=self._overwrite,
            write_type=self._write_type,
            commit_user=self._commit_user,
        )

    def with_write_type(self, write_cols: Sequence[str]) -> Self:
        """Lets rows bring these columns only, in any order.

        What is left out has its default value, else NULL; a table with ``data-evolution.enabled`` stores nothing for
        it, and an update can add it later.

        Raises:
            InvalidInputError: A column is unknown; a partition column, or one that is NOT NULL without a default value,
                is left out; rows have been written.
            UnsupportedError: The table has a primary key.
        """
        if self._has_rows:
            raise InvalidInputError("with_write_type comes before the first row")
        columns = list(dict.fromkeys(write_cols))
        before = self._write_type
        self._write_type = columns
        try:
            opened = self._open()
        except BaseException:
            self._write_type = before
            raise
        self._native.abort()
        self._native = opened
        return self

    def write_arrow(self, data: Any, bucket: int | None = None) -> None:
        """Writes a `pyarrow.Table`, or anything else that speaks the Arrow PyCapsule interface.

        Raises:
            InvalidInputError: A column is missing, unknown or named twice, or a value does not fit its type.
        """
        if bucket is not None:
            refuse("writing into a given bucket", "leave `bucket` out: rows find their bucket by the bucket key")
        self._has_rows = True
        self._native.write(data)

    def write_arrow_batch(self, data: pa.RecordBatch, bucket: int | None = None) -> None:
        """Writes a `pyarrow.RecordBatch`; the errors are those of `write_arrow`."""
        self.write_arrow(data, bucket)

    def write_pandas(self, dataframe: pandas.DataFrame) -> None:
        """Writes a pandas frame, without its index; the errors are those of `write_arrow`."""
        target = pa.schema(self.table._native.arrow_schema())
        if self.row_kind_column is not None:
            target = target.append(pa.field(self.row_kind_column, pa.string()))
        if self._write_type is not None:
            target = pa.schema([field for field in target if field.name in self._write_type])
        unknown = [str(name) for name in dataframe.columns if name not in target.names]
        if unknown:
            raise InvalidInputError(f"the table has no column {', '.join(unknown)}; it has: {', '.join(target.names)}")
        # Nullability is checked with the other rules of the table, when the rows are written.
        fields = [target.field(name).with_nullable(True) for name in target.names if name in dataframe.columns]
        try:
            rows = pa.Table.from_pandas(dataframe, schema=pa.schema(fields), preserve_index=False)
        except pa.ArrowException as error:
            raise InvalidInputError(f"the frame does not fit the table's types: {error}") from error
        self.write_arrow(rows)

    def abort(self) -> None:
        """Deletes what this writer wrote and did not prepare."""
        self._native.abort()

    def close(self) -> None:
        """Ends the writer; deletes what it wrote and did not prepare."""
        self._native.abort()

    def __enter__(self) -> TableWrite:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    with_blob_consumer = unsupported("TableWrite.with_blob_consumer")
    with_blob_uri_reader_factory = unsupported("TableWrite.with_blob_uri_reader_factory")
    write_ray = unsupported("TableWrite.write_ray", "use pypaimon.daft.write_paimon")
    write_row = unsupported("TableWrite.write_row", "collect rows in a pyarrow.Table and use write_arrow")


class BatchTableWrite(TableWrite):
    """A writer whose messages are committed once."""

    def prepare_commit(self) -> list[CommitMessage]:
        """Finishes the files and ends the writer.

        Returns:
            What to pass to `BatchTableCommit.commit`, perhaps from another process.
        """
        return [CommitMessage(message) for message in self._native.prepare_commit()]
