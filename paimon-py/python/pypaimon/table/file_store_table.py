"""Tables whose rows are in data files."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pypaimon import _native
from pypaimon.branch.branch_manager import BranchManager
from pypaimon.common.file_io import FileIO
from pypaimon.common.identifier import Identifier
from pypaimon.common.options.core_options import CoreOptions
from pypaimon.exceptions import InvalidInputError
from pypaimon.schema.schema import option_texts
from pypaimon.schema.table_schema import TableSchema
from pypaimon.snapshot.snapshot_manager import SnapshotManager
from pypaimon.table.bucket_mode import BucketMode
from pypaimon.table.special_fields import SpecialFields
from pypaimon.table.table import Table
from pypaimon.tag.tag import Tag
from pypaimon.tag.tag_manager import TagManager
from pypaimon.unsupported import unsupported

if TYPE_CHECKING:
    from daft import DataFrame

    from pypaimon.daft.compaction import CompactionProgress
    from pypaimon.read.read_builder import ReadBuilder
    from pypaimon.write.write_builder import BatchWriteBuilder

__all__ = ["FileStoreTable"]


class FileStoreTable(Table):
    """A table with the schema and the options it had when it was opened; made by `Catalog.get_table`.

    It may be shared by threads and pickled. A pickle leaves out options that are secret (keys, tokens, passwords).

    Attributes:
        identifier: The table's name.
        table_schema: The schema, with dynamic options.
        fields: The columns; of ``t$row_tracking`` also those of row tracking.
        partition_keys: Names of the partition columns, in path order.
        primary_keys: Names of the primary-key columns.
        is_primary_key_table: Whether there is a primary key.
        options: The table's options, typed.
        total_buckets: Option ``bucket``.
    """

    def __init__(self, native: _native.NativeTable, identifier: Identifier) -> None:
        self._native = native
        self.identifier = identifier
        self.table_schema = TableSchema.from_json(native.schema_json())
        self.fields = self.table_schema.fields
        if native.view == "row_tracking":
            self.fields = SpecialFields.row_type_with_row_tracking(self.fields)
        self.field_names = [field.name for field in self.fields]
        self.field_dict = {field.name: field for field in self.fields}
        self.partition_keys = self.table_schema.partition_keys
        self.partition_keys_fields = [self.field_dict[name] for name in self.partition_keys]
        self.primary_keys = self.table_schema.primary_keys
        self.primary_keys_fields = [self.field_dict[name] for name in self.primary_keys]
        self.is_primary_key_table = bool(self.primary_keys)
        self.options = CoreOptions.from_dict(self.table_schema.options)
        self.total_buckets = self.options.bucket()

    @classmethod
    def from_path(cls, table_path: str, file_io_options: Mapping[str, Any] | None = None) -> FileStoreTable:
        """Opens a table by its folder, without a catalog.

        Args:
            table_path: The table's folder or URL.
            file_io_options: Options for its storage.

        Raises:
            NotFoundError: There is no table.
        """
        native = _native.NativeTable.open(str(table_path), option_texts(file_io_options), None, None)
        database, _, table = str(table_path).rstrip("/").rpartition("/")
        return cls(native, Identifier(database.rpartition("/")[2].removesuffix(".db") or "unknown", table))

    @property
    def native(self) -> _native.NativeTable:
        """The table of the native module."""
        return self._native

    @property
    def table_path(self) -> str:
        """The table's folder: a path on local disks, else a URL."""
        return self._native.location.removeprefix("file://")

    @property
    def file_io(self) -> FileIO:
        """The options with which the table's storage was opened."""
        return FileIO.of(self._native.catalog_options())

    def schema(self) -> TableSchema:
        """The schema of this table object."""
        return self.table_schema

    def comment(self) -> str | None:
        """The table's comment."""
        return self.table_schema.comment

    def current_branch(self) -> str:
        """The branch that this table object reads and writes."""
        return self._native.branch or "main"

    def bucket_mode(self) -> BucketMode:
        """How rows find their bucket."""
        if self.total_buckets > 0:
            return BucketMode.HASH_FIXED
        if self.total_buckets == -2:
            return BucketMode.POSTPONE_MODE
        if not self.is_primary_key_table:
            return BucketMode.BUCKET_UNAWARE
        whole = set(self.partition_keys) <= set(self.primary_keys)
        return BucketMode.HASH_DYNAMIC if whole else BucketMode.CROSS_PARTITION

    def copy(self, options: Mapping[str, Any]) -> FileStoreTable:
        """The same table with other options, for this object alone.

        Args:
            options: Options to set; ``None`` removes one. ``scan.snapshot-id``, ``scan.tag-name``, ``scan.timestamp``,
                ``scan.timestamp-millis`` and ``scan.version`` choose the state to read, with the schema of that state;
                ``incremental-between`` (``"a,b"``: snapshots or tags) chooses what was appended in between;
                ``branch`` chooses a branch.

        Raises:
            InvalidInputError: An option cannot be changed, has a wrong value, or the state does not exist.

        Example:
            >>> yesterday = table.copy({"scan.timestamp": "2026-01-31 00:00:00"})  # doctest: +SKIP
        """
        texts = option_texts({key: value for key, value in options.items() if value is not None})
        for warning in _native.known_option_warnings(texts):
            warnings.warn(warning, UserWarning, stacklevel=2)
        removed = {key: None for key, value in options.items() if value is None}
        native = self._native.copy({**texts, **removed})
        if native.branch == self._native.branch:
            return FileStoreTable(native, self.identifier)
        name = self.identifier
        of_branch = Identifier(name.database, name.get_table_name(), native.branch, name.get_system_table_name())
        return FileStoreTable(native, of_branch)

    def refresh(self) -> FileStoreTable:
        """The same table and dynamic options with the schema that is current now."""
        return FileStoreTable(self._native.refresh(), self.identifier)

    def tracking_rows(self) -> FileStoreTable:
        """The same table with the columns ``_ROW_ID`` and ``_SEQUENCE_NUMBER``, to be read: ``t$row_tracking``.

        Raises:
            InvalidInputError: The table lacks the option ``row-tracking.enabled``.
        """
        name = self.identifier
        of_view = Identifier(name.database, name.get_table_name(), name.get_branch_name(), "row_tracking")
        return FileStoreTable(self._native.tracking_rows(), of_view)

    def new_read_builder(self) -> ReadBuilder:
        """Starts a read."""
        from pypaimon.read.read_builder import ReadBuilder

        return ReadBuilder(self)

    def new_batch_write_builder(self) -> BatchWriteBuilder:
        """Starts a write that commits once."""
        from pypaimon.write.write_builder import BatchWriteBuilder

        return BatchWriteBuilder(self)

    def compact(
        self,
        full: bool = False,
        partitions: Sequence[Mapping[str, Any]] | None = None,
        dry_run: bool = False,
        *,
        progress: Callable[[CompactionProgress], object] | None = None,
    ) -> DataFrame:
        """Merges the table's files into fewer, larger ones, and commits that. No row changes.

        What is due is done, as the table's options say: the sorted runs of a bucket of a primary-key table when there
        are more than ``num-sorted-run.compaction-trigger``, all of level 0 where rows are seen only above it, and the
        small files of an append table (``compaction.min.file-num``, ``compaction.small-file-ratio``), rows that wait
        for a bucket (``bucket`` = -2) get one. Of a table with data evolution the data files of the same and of
        neighbouring row ids become one; ``.blob`` files stay, and so do deleted rows, as ids are never given again.

        The work is spread over Daft's workers, on Ray too, one task for some files of a bucket. Anybody may write
        meanwhile: what somebody else compacted or replaced in between is planned again a few times, and then left alone
        (it *gives way*). Old snapshots keep the files that they name.

        Daft shows the tasks as rows of its step ``paimon_compact`` where it shows progress: on terminals, and on Ray.

        Args:
            full: Merges everything: each bucket of a primary-key table into its last level, without deleted rows; the
                small files of an append table, however few; the manifests.
            partitions: Only these, each a mapping of some partition columns to values (as text, or of the column's own
                Python type; ``None`` is NULL): ``[{"dt": "2024-01-01"}]``.
            dry_run: Plans, and does nothing.
            progress: Called with a `CompactionProgress` before the first task and after each, perhaps by other
                threads, by one at a time; ``print`` will do. What it raises ends the compaction. On Ray it is told of
                tasks in their order, the largest first.

        Returns:
            A ``daft.DataFrame`` with a row for each bucket that is compacted, by partition and bucket, and at the end a
            row for the manifests of the whole table, whose ``work`` is ``"manifests"``:

            ============================== =====================================================================
            ``partition``, ``bucket``      such as ``"dt=2024-01-01/hour=3"``, ``""`` without; NULL for manifests
            ``work``                       what is done, such as ``"merge to level 5"``
            ``files_before, _after``       files of the bucket, the untouched ones too; manifest files
            ``level_0_before, _after``     those on level 0, which merged reads pay for
            ``bytes_before, _after``       size of these files
            ``rows_before, _after``        rows in them, older and deleted ones too; entries of the manifests
            ``gave_way``                   whether somebody else was faster, and the bucket was left as it was
            ============================== =====================================================================

            *Before* is the snapshot that was planned, *after* is that and what this compaction did: what others do
            meanwhile is not counted. In a dry run, *after* and ``gave_way`` are NULL.

        Raises:
            ImportError: Daft is missing.
            InvalidInputError: A column in `partitions` does not partition the table, or a value is not of its type; or
                this table object shows another state than the latest (``scan.snapshot-id`` and its kin).
            UnsupportedError: Such a table is not compacted yet.
            KeyboardInterrupt: Nothing is published, or one whole snapshot; tasks of this process have deleted their
                files, those that Ray's workers were at may leave some that no snapshot names.
            CommitConflictError: The table was dropped and created again; nothing was committed.

        Example:
            >>> table.compact(full=True, partitions=[{"dt": "2024-01-01"}]).show()  # doctest: +SKIP
        """
        from pypaimon.daft.compat import require_daft

        require_daft()
        from pypaimon.daft.compaction import compact_table

        return compact_table(self, full=full, partitions=partitions, dry_run=dry_run, progress=progress)

    def snapshot_manager(self) -> SnapshotManager:
        """The table's snapshots."""
        return SnapshotManager(self._native.snapshots())

    def tag_manager(self) -> TagManager:
        """The table's tags."""
        return TagManager(self._native.tags())

    def branch_manager(self) -> BranchManager:
        """The table's branches."""
        return BranchManager(self._native.branches())

    def create_tag(
        self,
        tag_name: str,
        snapshot_id: int | None = None,
        ignore_if_exists: bool = False,
        time_retained: str | timedelta | None = None,
    ) -> None:
        """Names a snapshot and keeps it from expiry.

        Args:
            tag_name: The name, without separators.
            snapshot_id: The snapshot; ``None``: the latest.
            ignore_if_exists: Whether a tag of that name may exist already, and then stays as it is.
            time_retained: For how long it is kept, such as ``"7 d"``; ``None``: as the table's option
                ``tag.default-time-retained`` says, and without that until it is deleted.

        Raises:
            TagAlreadyExistException: The name is taken.
            SnapshotNotExistException: The snapshot does not exist.
        """
        retained = time_retained or self.options.get("tag.default-time-retained")
        self.tag_manager().create_tag(snapshot_id, tag_name, ignore_if_exists, retained)

    def replace_tag(
        self, tag_name: str, snapshot_id: int | None = None, time_retained: str | timedelta | None = None
    ) -> None:
        """Lets a tag name another snapshot (``None``: the latest), kept for `time_retained`.

        Raises:
            TagNotExistException: There is no such tag.
            SnapshotNotExistException: The snapshot does not exist.
        """
        self.tag_manager().replace_tag(snapshot_id, tag_name, time_retained)

    def rename_tag(self, old_name: str, new_name: str) -> None:
        """Renames a tag.

        Raises:
            TagNotExistException: `old_name` does not exist.
            TagAlreadyExistException: `new_name` exists.
        """
        self.tag_manager().rename_tag(old_name, new_name)

    def delete_tag(self, tag_name: str) -> bool:
        """Deletes a tag; ``False`` when there was none."""
        return self.tag_manager().delete_tag(tag_name)

    def list_tags(self) -> list[str]:
        """The names of all tags, in order."""
        return self.tag_manager().list_tags()

    def get_tag(self, tag_name: str) -> Tag | None:
        """A tag; ``None`` when there is none of that name."""
        return self.tag_manager().get(tag_name)

    def rename_branch(self, from_branch: str, to_branch: str) -> None:
        """Renames a branch; see `BranchManager.rename_branch`."""
        self.branch_manager().rename_branch(from_branch, to_branch)

    def rollback_to(self, target: int | str) -> None:
        """Makes an older state the latest one: later snapshots, and the tags of these, are deleted.

        The data files of what was deleted stay until orphans are cleaned up. Nobody may write meanwhile.

        Args:
            target: A snapshot's id, or a tag's name; a tag also brings back a snapshot that has expired.

        Raises:
            SnapshotNotExistException: The snapshot does not exist, and no tag keeps it.
            TagNotExistException: The tag does not exist.
            InvalidInputError: `target` is something else.
        """
        if isinstance(target, str):
            self._native.snapshots().rollback(tag=target)
        elif isinstance(target, int) and not isinstance(target, bool):
            self._native.snapshots().rollback(snapshot_id=target)
        else:
            raise InvalidInputError(
                f"Unsupported rollback target type: {type(target)}; expected a snapshot id (int) or a tag name (str)"
            )

    def rollback_to_timestamp(self, timestamp_millis: int) -> None:
        """Like `rollback_to`, to the last snapshot that was committed at or before a time in milliseconds since 1970.

        Raises:
            InvalidInputError: No snapshot is that old.
        """
        self._native.snapshots().rollback(timestamp_millis=timestamp_millis)

    def __reduce__(self) -> tuple[Any, ...]:
        return FileStoreTable, (self._native, self.identifier)

    def __repr__(self) -> str:
        return f"FileStoreTable({self.identifier}, location={self.table_path!r}, schema_id={self.table_schema.id})"

    changelog_manager = unsupported("FileStoreTable.changelog_manager")
    consumer_manager = unsupported("FileStoreTable.consumer_manager")
    create_global_index = unsupported("FileStoreTable.create_global_index")
    drop_global_index = unsupported("FileStoreTable.drop_global_index")
    new_postpone_fixed_bucket_write_builder = unsupported("FileStoreTable.new_postpone_fixed_bucket_write_builder")
    path_factory = unsupported("FileStoreTable.path_factory", "see split.file_paths")
