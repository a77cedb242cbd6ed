"""Writing rows into data files."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pypaimon.exceptions import InvalidInputError
from pypaimon.unsupported import refuse, unsupported
from pypaimon.write.commit_message import CommitMessage

if TYPE_CHECKING:
    import pandas

    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["BatchTableWrite", "TableWrite"]


class TableWrite:
    """Writes rows; nothing can be read before a commit. Made by `BatchWriteBuilder.new_write`.

    Columns are found by name, in any order, and cast safely to the table's types. Threads may share a writer: one
    writes at a time. In a ``with`` block, what was not prepared is deleted at the end.

    Of the rows of one key of a primary-key table, the one written last is the newest, unless the table's
    ``sequence.field`` says otherwise. Only one writer may write a bucket for one commit.
    """

    def __init__(self, table: FileStoreTable, row_kind_column: str | None = None, *, overwrite: bool = False) -> None:
        self.table = table
        self.row_kind_column = row_kind_column
        self._native = table._native.writer(row_kind_column=row_kind_column, overwrite=overwrite)

    def write_arrow(self, data: Any, bucket: int | None = None) -> None:
        """Writes a `pyarrow.Table`, or anything else that speaks the Arrow PyCapsule interface.

        Raises:
            InvalidInputError: A column is missing, unknown or named twice, or a value does not fit its type.
        """
        if bucket is not None:
            refuse("writing into a given bucket", "leave `bucket` out: rows find their bucket by the bucket key")
        self._native.write(data)

    def write_arrow_batch(self, data: pa.RecordBatch, bucket: int | None = None) -> None:
        """Writes a `pyarrow.RecordBatch`; the errors are those of `write_arrow`."""
        self.write_arrow(data, bucket)

    def write_pandas(self, dataframe: pandas.DataFrame) -> None:
        """Writes a pandas frame, without its index; the errors are those of `write_arrow`."""
        target = pa.schema(self.table._native.arrow_schema())
        if self.row_kind_column is not None:
            target = target.append(pa.field(self.row_kind_column, pa.string()))
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

    with_write_type = unsupported("TableWrite.with_write_type", "write all columns")
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
