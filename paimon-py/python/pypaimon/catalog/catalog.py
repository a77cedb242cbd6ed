"""What a catalog can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

from pypaimon.catalog.database import Database
from pypaimon.common.identifier import Identifier
from pypaimon.schema.schema import Schema
from pypaimon.schema.schema_change import SchemaChange
from pypaimon.table.table import Table
from pypaimon.unsupported import unsupported

__all__ = ["Catalog"]


class Catalog(ABC):
    """Databases and tables by name. Names of tables are ``database.table``, as text or as `Identifier`."""

    DB_SUFFIX = ".db"
    DEFAULT_DATABASE = "default"

    @abstractmethod
    def list_databases(self) -> list[str]:
        """The names of all databases, in order."""

    @abstractmethod
    def get_database(self, name: str) -> Database:
        """A database.

        Raises:
            DatabaseNotExistException: It does not exist.
        """

    @abstractmethod
    def create_database(
        self, name: str, ignore_if_exists: bool = False, properties: Mapping[str, str] | None = None
    ) -> None:
        """Creates a database.

        Args:
            name: Its name, without separators.
            ignore_if_exists: Whether it may exist already.
            properties: What the catalog shall keep for it, where it can.

        Raises:
            DatabaseAlreadyExistException: It exists.
        """

    @abstractmethod
    def drop_database(self, name: str, ignore_if_not_exists: bool = False, cascade: bool = False) -> None:
        """Drops a database; `cascade` drops its tables too.

        Raises:
            DatabaseNotExistException: It does not exist.
            InvalidInputError: It has tables, and `cascade` is not set.
        """

    @abstractmethod
    def list_tables(self, database_name: str) -> list[str]:
        """The names of a database's tables, in order.

        Raises:
            DatabaseNotExistException: The database does not exist.
        """

    @abstractmethod
    def get_table(self, identifier: str | Identifier) -> Table:
        """A table with its latest schema.

        Raises:
            TableNotExistException: It does not exist.
        """

    @abstractmethod
    def create_table(self, identifier: str | Identifier, schema: Schema, ignore_if_exists: bool = False) -> None:
        """Creates a table.

        Raises:
            DatabaseNotExistException: Its database does not exist.
            TableAlreadyExistException: It exists.
            InvalidInputError: The schema contradicts itself.
        """

    @abstractmethod
    def drop_table(self, identifier: str | Identifier, ignore_if_not_exists: bool = False) -> None:
        """Drops a table with its files.

        Raises:
            TableNotExistException: It does not exist.
        """

    @abstractmethod
    def rename_table(self, source_identifier: str | Identifier, target_identifier: str | Identifier) -> None:
        """Renames a table.

        Raises:
            TableNotExistException: The source does not exist.
            TableAlreadyExistException: The target exists.
        """

    @abstractmethod
    def alter_table(
        self,
        identifier: str | Identifier,
        changes: Sequence[SchemaChange],
        ignore_if_not_exists: bool = False,
    ) -> None:
        """Makes a new version of a table's schema.

        Raises:
            TableNotExistException: The table does not exist.
            InvalidInputError: A change cannot be made.
        """

    _snapshots_by_files = "commits of this catalog are files of the table"
    alter_database = unsupported("Catalog.alter_database", "filesystem catalogs keep nothing for a database")
    load_snapshot = unsupported("Catalog.load_snapshot", "use table.snapshot_manager().get_latest_snapshot()")
    commit_snapshot = unsupported("Catalog.commit_snapshot", _snapshots_by_files)
    rollback_to = unsupported("Catalog.rollback_to", "read the older state with table.copy({'scan.snapshot-id': ...})")
    create_branch = unsupported("Catalog.create_branch")
    drop_branch = unsupported("Catalog.drop_branch")
    rename_branch = unsupported("Catalog.rename_branch")
    fast_forward = unsupported("Catalog.fast_forward")
    list_branches = unsupported("Catalog.list_branches")
    create_partitions = unsupported("Catalog.create_partitions", "partitions come into being with their first row")
    list_partitions_paged = unsupported(
        "Catalog.list_partitions_paged", "see the partitions of new_scan().plan().splits()"
    )
    list_tags_paged = unsupported("Catalog.list_tags_paged", "use table.list_tags()")
    auth_table_query = unsupported("Catalog.auth_table_query")
    del _snapshots_by_files
