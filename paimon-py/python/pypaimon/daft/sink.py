"""A Paimon table as a Daft data sink."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from daft.dataframe import DataFrame
from daft.datatype import DataType
from daft.io.sink import DataSink, WriteResult
from daft.recordbatch import MicroPartition
from daft.schema import Schema
from daft.series import Series

from pypaimon.daft.arrow import cast_flat_columns, check_castable
from pypaimon.daft.files import carried_io_config, file_io_config, io_config_from, with_plain_files
from pypaimon.daft.io_config import s3_options
from pypaimon.daft.partition import StaticPartition
from pypaimon.daft.pinned import PinnedTable
from pypaimon.exceptions import CommitConflictError, InvalidInputError, UnsupportedError
from pypaimon.table.bucket_mode import BucketMode

if TYPE_CHECKING:
    from pypaimon._native import NativeCommitMessage, NativeFile, NativeWriter
    from pypaimon.table.file_store_table import FileStoreTable

#: Identifier of the one commit of a batch write: Java's ``BatchWriteBuilder.COMMIT_IDENTIFIER``. It says that the
#: commit is not to be found again, so a write with an idempotence key has another one.
_BATCH_IDENTIFIER, _IDEMPOTENT_IDENTIFIER = 2**63 - 1, 1


@dataclass(frozen=True)
class Assigned:
    """Rows that know their bucket.

    Attributes:
        bucket: The column that says it.
        kind: The column that says what the row does to its key.
        base_snapshot: The latest snapshot before buckets were assigned; ``None``: there was none.
    """

    bucket: str
    kind: str
    base_snapshot: int | None


class PaimonDataSink(DataSink[list[bytes]]):
    """Writes the rows of a frame and commits them at the end, all or none.

    In the process that made it, all calls of ``write`` share one writer, so that the 131,072-row pieces that Daft
    cuts do not become files of their own. A copy that was pickled to a worker writes files for each call and sends
    back their metadata. Such a pickle carries the catalog options, credentials included: workers need them.

    Daft gives the pieces in any order: rows of primary-key tables are written by ``pypaimon.daft.keyed``.

    Args:
        table: The table; its dynamic options count.
        mode: ``"append"`` or ``"overwrite"``.
        partition: See ``write_paimon``.
        commit_properties: See ``write_paimon``.
        idempotence_key: See ``write_paimon``.
        row_kind_column: See ``write_paimon``.

    Raises:
        ValueError: Another mode, a partition the table does not have, or row kinds for a table without primary key.
    """

    def __init__(
        self,
        table: FileStoreTable,
        mode: str = "append",
        *,
        partition: Mapping[str, Any] | None = None,
        commit_properties: Mapping[str, str] | None = None,
        idempotence_key: str | None = None,
        row_kind_column: str | None = None,
    ) -> None:
        if mode not in ("append", "overwrite"):
            raise ValueError(f"Only 'append' or 'overwrite' mode is supported, got: {mode!r}")
        if partition is not None and mode != "overwrite":
            raise ValueError("partition= names what mode='overwrite' replaces; it has no meaning with mode='append'")
        if row_kind_column is not None and not table.is_primary_key_table:
            raise ValueError("row_kind_column= says what rows do to their keys, but the table has no primary key")
        self.table = PinnedTable.of(table, table.native.catalog_options(), follow_latest=True)
        self._fields = pa.schema(table.native.arrow_schema())
        self.buckets, self.partition_keys = table.total_buckets, list(table.partition_keys)
        self.assigns = table.bucket_mode() in (BucketMode.HASH_DYNAMIC, BucketMode.CROSS_PARTITION)
        self._operation = "OVERWRITE" if mode == "overwrite" else "ADD"
        options = table.table_schema.options
        self._partition = None
        self._commit_mode = mode
        if mode == "overwrite":
            keys = list(table.partition_keys)
            dynamic = options.get("dynamic-partition-overwrite", "true").strip().lower() != "false"
            self._commit_mode = "overwrite-dynamic" if keys and dynamic and partition is None else "overwrite-static"
            if partition is not None:
                null_name = options.get("partition.default-name", "__DEFAULT_PARTITION__")
                self._partition = StaticPartition.of(partition, keys, self._fields, null_name)
        self._properties = {str(key): str(value) for key, value in (commit_properties or {}).items()}
        self._identifier = _BATCH_IDENTIFIER if idempotence_key is None else _IDEMPOTENT_IDENTIFIER
        self._user = _commit_user(idempotence_key, options.get("commit.user-prefix"))
        self._identity = table.native.identity()
        self.row_kind_column = row_kind_column
        self._writers: _Writers | None = None

    def name(self) -> str:
        """What Daft calls this sink in messages."""
        return "Paimon Write"

    def schema(self) -> Schema:
        """The columns of the result frame."""
        return Schema._from_field_name_and_types(
            [
                ("operation", DataType.string()),
                ("rows", DataType.int64()),
                ("file_size", DataType.int64()),
                ("file_name", DataType.string()),
            ]
        )

    def check_schema(self, given: pa.Schema) -> None:
        """Checks that rows of this schema can be written to the table.

        Raises:
            ValueError: They cannot; the text names the columns.
        """
        given = with_plain_files(given)
        if len(set(given.names)) < len(given.names):
            raise ValueError(f"Cannot write to Paimon with duplicate input field names: {given.names}")
        self._check_row_kinds(given)
        missing = [name for name in self._fields.names if name not in given.names]
        extra = [name for name in given.names if name not in (*self._fields.names, self.row_kind_column)]
        wrong = [f"missing fields: {missing}"] if missing else []
        wrong += [f"extra fields: {extra}"] if extra else []
        if wrong:
            raise ValueError(f"Paimon write schema mismatch: {'; '.join(wrong)}")
        for field in self._fields:
            check_castable(given.field(field.name).type, field.type, field.name)

    def already_committed(self) -> int | None:
        """The retained snapshot that was committed under the same idempotence key."""
        if self._identifier == _BATCH_IDENTIFIER:
            return None
        return self.table.native.snapshots().find_commit(self._user, self._identifier)

    def show(self, snapshot_id: int) -> None:
        """Does the compaction that follows a commit: whoever made this one may not have come to it."""
        self.table.native.compact_after(snapshot_id, self._user, self._identity)

    def empty_result(self) -> DataFrame:
        """The result frame of a write without new files."""
        return DataFrame._from_micropartitions(self._result([]))

    def start(self) -> None:
        """Opens the writer that all calls of ``write`` in this process share.

        Raises:
            UnsupportedError: Rows of such a table cannot be written yet.
        """
        self._writers = _Writers(self)

    def open_writer(
        self,
        order_column: str | None = None,
        source_options: Mapping[str, str] | None = None,
        assigned: Assigned | None = None,
    ) -> NativeWriter:
        """A writer of the table.

        Args:
            order_column: Numbers the rows that it is given, in any order.
            source_options: Options with which files outside of the table's storage are opened.
            assigned: How rows say their bucket, if they do.
        """
        sources = {f"blob-descriptor.{key}": value for key, value in (source_options or {}).items()}
        native = self.table.native.copy(sources) if sources else self.table.native
        return native.writer(
            row_kind_column=assigned.kind if assigned else self.row_kind_column,
            order_column=order_column,
            overwrite=self.overwrites,
            assigned=(assigned.bucket, assigned.base_snapshot) if assigned else None,
            commit_user=self._user,
        )

    @property
    def overwrites(self) -> bool:
        """Whether rows replace what is there."""
        return self._operation == "OVERWRITE"

    def write(self, micropartitions: Iterator[MicroPartition]) -> Iterator[WriteResult[list[bytes]]]:
        """Writes some rows; the result holds the metadata of files that only this call wrote."""
        if self._writers is not None:
            rows, size = self._write_all(self._writers, micropartitions)
            yield WriteResult(result=[], bytes_written=size, rows_written=rows)
            return
        writers = _Writers(self)
        try:
            rows, size = self._write_all(writers, micropartitions)
            messages = writers.prepare_commit()
        except BaseException:
            writers.abort()
            raise
        yield WriteResult([message.to_bytes() for message in messages], bytes_written=size, rows_written=rows)

    def write_batch(self, batch: pa.RecordBatch, writer: NativeWriter | None = None) -> None:
        """Writes rows that have the columns of the table, those of row kinds and order, and no others.

        Args:
            batch: The rows.
            writer: Who writes; ``None``: the writer of this process.

        Raises:
            ValueError: They do not fit; the text names the column.
        """
        batch = self.checked(batch)
        if writer is None:
            assert self._writers is not None
            writer = self._writers.of(None)
        writer.write(batch)

    def checked(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows for a writer.

        Raises:
            ValueError: They do not fit; the text names the column.
        """
        batch = cast_flat_columns(batch, self._fields)
        if self._partition is not None:
            self._partition.check(batch)
        return batch

    def finalize(self, write_results: list[WriteResult[list[bytes]]]) -> MicroPartition:
        """Commits everything that was written, and lists the new files."""
        return self.commit([data for result in write_results for data in result.result])

    def commit(self, written: list[bytes]) -> MicroPartition:
        """Commits what other processes wrote, and what this one has written, and lists the new files."""
        messages = [_message_from_bytes(data) for data in written]
        if self._writers is not None:
            messages += self._writers.prepare_commit()
            self._writers = None
        native = self.table.native
        try:
            native.commit(
                messages,
                user=self._user,
                identifier=self._identifier,
                mode=self._commit_mode,
                partition=self._partition.spec if self._partition else {},
                partitions=None,
                properties=self._properties,
                identity=self._identity,
            )
        except (CommitConflictError, InvalidInputError, UnsupportedError):
            # Only these are known not to have been committed; after anything else the files may belong to a snapshot.
            native.abort(messages)
            raise
        return self._result([file for message in messages for file in message.new_files])

    def abort(self) -> None:
        """Deletes what this process has written and not handed to a commit."""
        if self._writers is not None:
            self._writers.abort()
            self._writers = None

    def _write_all(self, writers: _Writers, micropartitions: Iterator[MicroPartition]) -> tuple[int, int]:
        rows = size = 0
        checked = None
        for micropartition in micropartitions:
            for part in micropartition.get_record_batches():
                batch = with_plain_files(part.to_arrow_record_batch())
                if batch.schema != checked:
                    checked = batch.schema
                    self.check_schema(checked)
                self.write_batch(batch, writers.of(carried_io_config(batch)))
                rows, size = rows + batch.num_rows, size + batch.nbytes
        return rows, size

    def _check_row_kinds(self, given: pa.Schema) -> None:
        name = self.row_kind_column
        if name is None:
            return
        if name in self._fields.names:
            raise ValueError(
                f"row_kind_column {name!r} is a column of the table: give row kinds in a column that is not stored, or "
                f"set the table option rowkind.field to {name!r}"
            )
        if name not in given.names:
            raise ValueError(f"row_kind_column {name!r} is not a column of the frame, which has: {given.names}")
        kind = given.field(name).type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            raise ValueError(f"row_kind_column {name!r} must hold the texts '+I', '-U', '+U' or '-D', found {kind}")

    def _result(self, files: list[NativeFile]) -> MicroPartition:
        # Not `pa.array(list)`, which imports pandas where it is installed: 0.2 s.
        columns: dict[str, list[Any]] = {
            "operation": [self._operation] * len(files),
            "rows": [file.row_count for file in files],
            "file_size": [file.file_size for file in files],
            "file_name": [file.file_name for file in files],
        }
        schema = self.schema()
        return MicroPartition.from_pydict(
            {name: Series.from_pylist(values, name, dtype=schema[name].dtype) for name, values in columns.items()}
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_writers": None}


class _Writers:
    """The writers of one process or of one call: one for each way to reach the files that rows point to.

    Raises:
        UnsupportedError: Rows of such a table cannot be written yet.
    """

    def __init__(self, sink: PaimonDataSink) -> None:
        self._sink = sink
        self._own = file_io_config(sink.table.catalog_options, None)
        self._opened: dict[bytes | None, NativeWriter] = {}
        self.of(None)

    def of(self, carried: bytes | None) -> NativeWriter:
        """The writer for rows whose files carry this; ``None``: nothing, or there are none."""
        key = None if carried == self._own else carried
        if key not in self._opened:
            sources = None if key is None else s3_options(io_config_from(key))
            self._opened[key] = self._sink.open_writer(source_options=sources)
        return self._opened[key]

    def prepare_commit(self) -> list[NativeCommitMessage]:
        """Ends the files and says what they are."""
        return [message for writer in self._opened.values() for message in writer.prepare_commit()]

    def abort(self) -> None:
        """Deletes what was written."""
        for writer in self._opened.values():
            writer.abort()


def _commit_user(idempotence_key: str | None, prefix: str | None) -> str:
    if idempotence_key is not None:
        return f"idempotent-{hashlib.sha256(idempotence_key.encode()).hexdigest()[:32]}"
    return f"{prefix}_{uuid.uuid4()}" if prefix else str(uuid.uuid4())


def _message_from_bytes(data: bytes) -> NativeCommitMessage:
    from pypaimon._native import NativeCommitMessage

    return NativeCommitMessage.from_bytes(data)
