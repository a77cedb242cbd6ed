"""Tables whose rows are in data files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pypaimon import _native
from pypaimon.common.file_io import FileIO
from pypaimon.common.identifier import Identifier
from pypaimon.common.options.config_option import ConfigOption
from pypaimon.common.options.core_options import CoreOptions
from pypaimon.schema.schema import option_texts
from pypaimon.schema.table_schema import TableSchema
from pypaimon.snapshot.snapshot_manager import SnapshotManager
from pypaimon.table.bucket_mode import BucketMode
from pypaimon.table.table import Table
from pypaimon.tag.tag import Tag
from pypaimon.unsupported import unsupported

if TYPE_CHECKING:
    from pypaimon.read.read_builder import ReadBuilder
    from pypaimon.write.write_builder import BatchWriteBuilder

__all__ = ["FileStoreTable"]


class FileStoreTable(Table):
    """A table with the schema and the options it had when it was opened; made by `Catalog.get_table`.

    It may be shared by threads and pickled. A pickle leaves out options that are secret (keys, tokens, passwords).

    Attributes:
        identifier: The table's name.
        table_schema: The schema, with dynamic options.
        fields: The columns.
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
        return FileIO(self._native.catalog_options())

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
        return FileStoreTable(native, Identifier(name.database, name.get_table_name(), native.branch))

    def refresh(self) -> FileStoreTable:
        """The same table and dynamic options with the schema that is current now."""
        return FileStoreTable(self._native.refresh(), self.identifier)

    def new_read_builder(self) -> ReadBuilder:
        """Starts a read."""
        from pypaimon.read.read_builder import ReadBuilder

        return ReadBuilder(self)

    def new_batch_write_builder(self) -> BatchWriteBuilder:
        """Starts a write that commits once."""
        from pypaimon.write.write_builder import BatchWriteBuilder

        return BatchWriteBuilder(self)

    def snapshot_manager(self) -> SnapshotManager:
        """The table's snapshots."""
        return SnapshotManager(self._native)

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
            time_retained: For how long it is kept, such as ``"7 d"``; ``None``: until it is deleted.

        Raises:
            TagAlreadyExistException: The name is taken.
            SnapshotNotExistException: The snapshot does not exist.
        """
        self._native.create_tag(tag_name, snapshot_id, ignore_if_exists, _millis(time_retained))

    def delete_tag(self, tag_name: str) -> bool:
        """Deletes a tag; ``False`` when there was none."""
        return self._native.delete_tag(tag_name)

    def list_tags(self) -> list[str]:
        """The names of all tags, in order."""
        return self._native.list_tags()

    def get_tag(self, tag_name: str) -> Tag | None:
        """A tag; ``None`` when there is none of that name."""
        data = self._native.tag(tag_name)
        return None if data is None else Tag.from_dict(data)

    def __reduce__(self) -> tuple[Any, ...]:
        return FileStoreTable, (self._native, self.identifier)

    def __repr__(self) -> str:
        return f"FileStoreTable({self.identifier}, location={self.table_path!r}, schema_id={self.table_schema.id})"

    _tags = "use table.create_tag(...), table.delete_tag(...) and table.list_tags()"
    _branches = "read a branch by its name: catalog.get_table('db.table$branch_name')"
    branch_manager = unsupported("FileStoreTable.branch_manager", _branches)
    changelog_manager = unsupported("FileStoreTable.changelog_manager")
    consumer_manager = unsupported("FileStoreTable.consumer_manager")
    create_global_index = unsupported("FileStoreTable.create_global_index")
    drop_global_index = unsupported("FileStoreTable.drop_global_index")
    new_postpone_fixed_bucket_write_builder = unsupported("FileStoreTable.new_postpone_fixed_bucket_write_builder")
    path_factory = unsupported("FileStoreTable.path_factory", "see split.file_paths")
    rename_branch = unsupported("FileStoreTable.rename_branch", _branches)
    rename_tag = unsupported("FileStoreTable.rename_tag", _tags)
    replace_tag = unsupported("FileStoreTable.replace_tag", _tags)
    rollback_to = unsupported(
        "FileStoreTable.rollback_to", "read the older state with table.copy({'scan.snapshot-id': ...})"
    )
    rollback_to_timestamp = unsupported(
        "FileStoreTable.rollback_to_timestamp", "read the older state with table.copy({'scan.timestamp': ...})"
    )
    tag_manager = unsupported("FileStoreTable.tag_manager", _tags)
    del _tags, _branches


def _millis(time: str | timedelta | None) -> int | None:
    if time is None:
        return None
    if isinstance(time, str):
        time = ConfigOption("time_retained", timedelta, None).read({"time_retained": time})
    return round(time.total_seconds() * 1000)  # type: ignore[union-attr]
