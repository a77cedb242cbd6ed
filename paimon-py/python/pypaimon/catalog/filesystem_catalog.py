"""A catalog whose databases and tables are folders of a warehouse."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from pypaimon import _native
from pypaimon.catalog.catalog import Catalog
from pypaimon.catalog.catalog_exception import DatabaseNotExistException, TagNotExistException
from pypaimon.catalog.database import Database
from pypaimon.common.identifier import Identifier
from pypaimon.exceptions import InvalidInputError
from pypaimon.schema.schema import Schema, option_texts
from pypaimon.schema.schema_change import SchemaChange, SetOption
from pypaimon.table.file_store_table import FileStoreTable
from pypaimon.tag.tag import Tag

__all__ = ["FileSystemCatalog"]


class FileSystemCatalog(Catalog):
    """Tables at ``<warehouse>/<database>.db/<table>``; made by `CatalogFactory.create`.

    Pickling leaves out options that are secret (keys, tokens, passwords): the process that unpickles finds them in its
    environment, or is given a catalog of its own.

    Attributes:
        warehouse: The root folder or URL.
        catalog_options: The options it was made with.
    """

    def __init__(self, catalog_options: Mapping[str, Any]) -> None:
        self.catalog_options = option_texts(catalog_options)
        self._native = _native.NativeCatalog.connect(self.catalog_options)
        self.warehouse = self.catalog_options["warehouse"]

    def list_databases(self) -> list[str]:
        return self._native.list_databases()

    def get_database(self, name: str) -> Database:
        if not self._native.database_exists(name):
            raise DatabaseNotExistException(name)
        return Database(name)

    def create_database(
        self, name: str, ignore_if_exists: bool = False, properties: Mapping[str, str] | None = None
    ) -> None:
        if properties:
            raise InvalidInputError(
                f"a filesystem catalog keeps no properties of a database; found {sorted(properties)} for '{name}'"
            )
        self._native.create_database(name, ignore_if_exists)

    def drop_database(
        self, name: str, ignore_if_not_exists: bool = False, cascade: bool = False, *, ignore_if_exists: bool = False
    ) -> None:
        self._native.drop_database(name, ignore_if_not_exists or ignore_if_exists, cascade)

    def list_tables(self, database_name: str) -> list[str]:
        return self._native.list_tables(database_name)

    def get_table(self, identifier: str | Identifier) -> FileStoreTable:
        name = Identifier.of(identifier)
        return FileStoreTable(self._native.get_table(name.database, name.object), name)

    def create_table(self, identifier: str | Identifier, schema: Schema, ignore_if_exists: bool = False) -> None:
        name = Identifier.of(identifier)
        _warn_of_misspelt(schema.options)
        self._native.create_table(name.database, name.object, schema.to_json(), ignore_if_exists)

    def drop_table(
        self, identifier: str | Identifier, ignore_if_not_exists: bool = False, *, ignore_if_exists: bool = False
    ) -> None:
        name = Identifier.of(identifier)
        self._native.drop_table(name.database, name.object, ignore_if_not_exists or ignore_if_exists)

    def rename_table(self, source_identifier: str | Identifier, target_identifier: str | Identifier) -> None:
        source, target = Identifier.of(source_identifier), Identifier.of(target_identifier)
        self._native.rename_table(source.database, source.object, target.database, target.object, False)

    def alter_table(
        self,
        identifier: str | Identifier,
        changes: Sequence[SchemaChange],
        ignore_if_not_exists: bool = False,
    ) -> None:
        name = Identifier.of(identifier)
        _warn_of_misspelt({change.key: change.value for change in changes if isinstance(change, SetOption)})
        actions = json.dumps([change.to_dict() for change in changes])
        self._native.alter_table(name.database, name.object, actions, ignore_if_not_exists)

    def create_tag(
        self,
        identifier: str | Identifier,
        tag_name: str,
        snapshot_id: int | None = None,
        time_retained: str | None = None,
        ignore_if_exists: bool = False,
    ) -> None:
        """Names a snapshot of a table; see `FileStoreTable.create_tag`."""
        self.get_table(identifier).create_tag(tag_name, snapshot_id, ignore_if_exists, time_retained)

    def delete_tag(self, identifier: str | Identifier, tag_name: str) -> None:
        """Deletes a tag of a table.

        Raises:
            TagNotExistException: It does not exist.
        """
        if not self.get_table(identifier).delete_tag(tag_name):
            raise TagNotExistException(tag_name)

    def get_tag(self, identifier: str | Identifier, tag_name: str) -> Tag:
        """A tag of a table.

        Raises:
            TagNotExistException: It does not exist.
        """
        tag = self.get_table(identifier).get_tag(tag_name)
        if tag is None:
            raise TagNotExistException(tag_name)
        return tag

    def create_branch(self, identifier: str | Identifier, branch_name: str, tag_name: str | None = None) -> None:
        self.get_table(identifier).branch_manager().create_branch(branch_name, tag_name)

    def drop_branch(self, identifier: str | Identifier, branch_name: str) -> None:
        self.get_table(identifier).branch_manager().drop_branch(branch_name)

    def rename_branch(self, identifier: str | Identifier, from_branch: str, to_branch: str) -> None:
        self.get_table(identifier).branch_manager().rename_branch(from_branch, to_branch)

    def fast_forward(self, identifier: str | Identifier, branch_name: str) -> None:
        self.get_table(identifier).branch_manager().fast_forward(branch_name)

    def list_branches(self, identifier: str | Identifier) -> list[str]:
        return self.get_table(identifier).branch_manager().branches()

    def drop_partitions(self, identifier: str | Identifier, partitions: Sequence[Mapping[str, str]]) -> None:
        """Deletes all rows of partitions.

        Args:
            identifier: The table.
            partitions: Each a value for some or all partition columns; at least one.

        Raises:
            InvalidInputError: There is no partition, or a column is none of the table's.
        """
        if not partitions:
            raise InvalidInputError("Partitions list cannot be empty.")
        with self.get_table(identifier).new_batch_write_builder().new_commit() as commit:
            commit.truncate_partitions(partitions)

    def __reduce__(self) -> tuple[Any, ...]:
        return FileSystemCatalog, (_native.without_secrets(self.catalog_options),)

    def __repr__(self) -> str:
        return f"FileSystemCatalog(warehouse={self.warehouse!r})"


def _warn_of_misspelt(options: Mapping[str, str]) -> None:
    for warning in _native.known_option_warnings(dict(options)):
        warnings.warn(warning, UserWarning, stacklevel=3)
