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
    def drop_database(
        self, name: str, ignore_if_not_exists: bool = False, cascade: bool = False, *, ignore_if_exists: bool = False
    ) -> None:
        """Drops a database; `cascade` drops its tables too.

        Args:
            name: Its name.
            ignore_if_not_exists: Whether it may be missing.
            cascade: Whether it may have tables.
            ignore_if_exists: The same as `ignore_if_not_exists`: Daft's own connector calls it so.

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
    def drop_table(
        self, identifier: str | Identifier, ignore_if_not_exists: bool = False, *, ignore_if_exists: bool = False
    ) -> None:
        """Drops a table with its files.

        Args:
            identifier: The table.
            ignore_if_not_exists: Whether it may be missing.
            ignore_if_exists: The same: Daft's own connector calls it so.

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

    @abstractmethod
    def create_branch(self, identifier: str | Identifier, branch_name: str, tag_name: str | None = None) -> None:
        """Creates a branch of a table, from a tag or with the latest schema and no rows.

        Raises:
            TableNotExistException: The table does not exist.
            BranchAlreadyExistException: The branch exists.
            TagNotExistException: The tag does not exist.
        """

    @abstractmethod
    def drop_branch(self, identifier: str | Identifier, branch_name: str) -> None:
        """Drops a branch of a table.

        Raises:
            TableNotExistException: The table does not exist.
            BranchNotExistException: The branch does not exist.
        """

    @abstractmethod
    def rename_branch(self, identifier: str | Identifier, from_branch: str, to_branch: str) -> None:
        """Renames a branch of a table.

        Raises:
            TableNotExistException: The table does not exist.
            BranchNotExistException: `from_branch` does not exist.
            BranchAlreadyExistException: `to_branch` exists.
        """

    @abstractmethod
    def fast_forward(self, identifier: str | Identifier, branch_name: str) -> None:
        """Makes a table what one of its branches is; see `BranchManager.fast_forward`.

        Raises:
            TableNotExistException: The table does not exist.
            BranchNotExistException: The branch does not exist.
        """

    @abstractmethod
    def list_branches(self, identifier: str | Identifier) -> list[str]:
        """The names of a table's branches beside the main one, in order.

        Raises:
            TableNotExistException: The table does not exist.
        """

    _snapshots_by_files = "commits of this catalog are files of the table"
    alter_database = unsupported("Catalog.alter_database", "filesystem catalogs keep nothing for a database")
    load_snapshot = unsupported("Catalog.load_snapshot", "use table.snapshot_manager().get_latest_snapshot()")
    commit_snapshot = unsupported("Catalog.commit_snapshot", _snapshots_by_files)
    rollback_to = unsupported("Catalog.rollback_to", "use table.rollback_to(snapshot id or tag)")
    create_partitions = unsupported("Catalog.create_partitions", "partitions come into being with their first row")
    list_partitions_paged = unsupported(
        "Catalog.list_partitions_paged", "see the partitions of new_scan().plan().splits()"
    )
    list_tags_paged = unsupported("Catalog.list_tags_paged", "use table.list_tags()")
    auth_table_query = unsupported("Catalog.auth_table_query")
    del _snapshots_by_files
