"""Reading splits into what other libraries take."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pypaimon import _native
from pypaimon.exceptions import MissingDependencyError
from pypaimon.read.split import DataSplit
from pypaimon.schema.data_types import DataField, PyarrowFieldParser
from pypaimon.unsupported import unsupported

if TYPE_CHECKING:
    import pandas
    from duckdb import DuckDBPyConnection

    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["Row", "TableRead"]


class Row(tuple[Any, ...]):
    """A row: its values in the order of the read's columns."""

    __slots__ = ()

    def get_field(self, pos: int) -> Any:
        """The value at a position."""
        return self[pos]


class TableRead:
    """Reads splits; made by `ReadBuilder.new_read`. It may be used again and again, and by several threads.

    In all methods `parallelism` is how many splits are read at the same time; ``None``: the table's option
    ``read.parallelism``, else the number of processors. Columns, filter and limit are those of the builder.
    """

    def __init__(
        self,
        table: FileStoreTable,
        fields: Sequence[DataField],
        predicate: _native.NativePredicate | None,
        limit: int | None,
    ) -> None:
        self.table = table
        self._fields = list(fields)
        self._predicate = predicate
        self._limit = limit

    def to_arrow(self, splits: Iterable[DataSplit], parallelism: int | None = None) -> pa.Table:
        """All rows in memory, in the order of the splits.

        Raises:
            SnapshotExpiredError: The splits' snapshot was expired meanwhile.
            CorruptTableError: A file is broken.
        """
        stream = self.table._native.read_all(
            [split._native for split in splits],
            columns=self._columns(),
            predicate=self._predicate,
            limit=self._limit,
            parallelism=self._parallelism(parallelism),
        )
        # Not `pa.table(stream)`, which imports pandas to see whether it got a frame of it.
        return pa.RecordBatchReader.from_stream(stream).read_all()

    def to_arrow_batch_reader(self, splits: Iterable[DataSplit], parallelism: int | None = 1) -> pa.RecordBatchReader:
        """Batches as they are needed: a few are read ahead, and reading stops when the reader is dropped.

        With `parallelism` 1 the rows come in the order of the splits; above, batches come as they become ready.
        The reader speaks the Arrow PyCapsule interface, as all of pyarrow's do.
        """
        batches = self._batches(self._stream(splits, parallelism))
        return pa.RecordBatchReader.from_batches(PyarrowFieldParser.from_paimon_schema(self._fields), batches)

    def to_iterator(self, splits: Iterable[DataSplit]) -> Iterator[Row]:
        """Rows one by one, in the order of the splits."""
        for batch in self._batches(self._stream(splits, 1)):
            columns = [column.to_pylist() for column in batch.columns]
            yield from map(Row, zip(*columns, strict=True)) if columns else (Row() for _ in range(batch.num_rows))

    def to_pandas(self, splits: Iterable[DataSplit], parallelism: int | None = None) -> pandas.DataFrame:
        """All rows as a pandas frame.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401
        except ImportError as missing:
            raise MissingDependencyError("to_pandas() needs pandas: pip install pandas") from missing
        return self.to_arrow(splits, parallelism).to_pandas()

    def to_duckdb(
        self,
        splits: Iterable[DataSplit],
        table_name: str,
        connection: DuckDBPyConnection | None = None,
        parallelism: int | None = None,
    ) -> DuckDBPyConnection:
        """Registers all rows with DuckDB.

        Args:
            splits: What to read.
            table_name: The name under which DuckDB knows the rows.
            connection: Where; ``None``: a new connection in memory.
            parallelism: Splits that are read at the same time.

        Raises:
            MissingDependencyError: duckdb is not installed.
        """
        try:
            import duckdb
        except ImportError as missing:
            raise MissingDependencyError("to_duckdb() needs duckdb: pip install duckdb") from missing
        connection = connection or duckdb.connect(database=":memory:")
        connection.register(table_name, self.to_arrow(splits, parallelism))
        return connection

    def _stream(self, splits: Iterable[DataSplit], parallelism: int | None) -> _native.NativeStream:
        return self.table._native.read(
            [split._native for split in splits],
            columns=self._columns(),
            predicate=self._predicate,
            limit=self._limit,
            parallelism=self._parallelism(parallelism),
        )

    @staticmethod
    def _batches(stream: _native.NativeStream) -> Iterator[pa.RecordBatch]:
        # Each batch is waited for in the native module, where Ctrl-C is looked at.
        try:
            while (batch := stream.read_next()) is not None:
                yield pa.record_batch(batch)
        finally:
            stream.close()

    def _columns(self) -> list[str]:
        return [field.name for field in self._fields]

    def _parallelism(self, wanted: int | None) -> int:
        return max(1, wanted or self.table.options.read_parallelism() or os.cpu_count() or 1)

    _through_daft = "use pypaimon.daft.read_paimon, or to_arrow_batch_reader(splits)"
    to_ray = unsupported("TableRead.to_ray", _through_daft)
    to_torch = unsupported("TableRead.to_torch", _through_daft)
    del _through_daft
