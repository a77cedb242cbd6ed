"""Exceptions about databases, tables, columns, tags and branches, at the path where Daft looks for them."""

from __future__ import annotations

from pypaimon.common.identifier import Identifier
from pypaimon.exceptions import PaimonError

__all__ = [
    "BranchAlreadyExistException",
    "BranchNotExistException",
    "CatalogException",
    "ColumnAlreadyExistException",
    "ColumnNotExistException",
    "DatabaseAlreadyExistException",
    "DatabaseNoPermissionException",
    "DatabaseNotExistException",
    "TableAlreadyExistException",
    "TableNoPermissionException",
    "TableNotExistException",
    "TagAlreadyExistException",
    "TagNotExistException",
]


class CatalogException(PaimonError):
    """Any error about something that a catalog names."""


class _OfDatabase(CatalogException):
    _text = ""

    def __init__(self, database: str) -> None:
        super().__init__(self._text.format(database))
        self.database = database


class _OfTable(CatalogException):
    _text = ""

    def __init__(self, identifier: Identifier) -> None:
        super().__init__(self._text.format(identifier.get_full_name()))
        self.identifier = identifier


class DatabaseNotExistException(_OfDatabase):
    """The database does not exist; `database` names it."""

    _text = "Database {} does not exist"


class DatabaseAlreadyExistException(_OfDatabase):
    """The database exists already; `database` names it."""

    _text = "Database {} already exists"


class DatabaseNoPermissionException(_OfDatabase):
    """The database may not be accessed; `database` names it."""

    _text = "No permission to access database {}"


class TableNotExistException(_OfTable):
    """The table does not exist; `identifier` names it."""

    _text = "Table {} does not exist"


class TableAlreadyExistException(_OfTable):
    """The table exists already; `identifier` names it."""

    _text = "Table {} already exists"


class TableNoPermissionException(_OfTable):
    """The table may not be accessed; `identifier` names it."""

    _text = "No permission to access table {}"


class ColumnNotExistException(CatalogException, ValueError):
    """The column does not exist; `column` names it."""

    def __init__(self, column: str) -> None:
        super().__init__(f"Column {column} does not exist")
        self.column = column


class ColumnAlreadyExistException(CatalogException, ValueError):
    """The column exists already; `column` names it."""

    def __init__(self, column: str) -> None:
        super().__init__(f"Column {column} already exists")
        self.column = column


class TagNotExistException(CatalogException, ValueError):
    """The tag does not exist; `tag` names it."""

    def __init__(self, tag: str) -> None:
        super().__init__(f"Tag '{tag}' doesn't exist.")
        self.tag = tag


class TagAlreadyExistException(CatalogException, ValueError):
    """The tag exists already; `tag` names it."""

    def __init__(self, tag: str) -> None:
        super().__init__(f"Tag '{tag}' already exists.")
        self.tag = tag


class BranchNotExistException(CatalogException, ValueError):
    """The branch does not exist; `branch` names it."""

    def __init__(self, branch: str) -> None:
        super().__init__(f"Branch {branch} does not exist")
        self.branch = branch


class BranchAlreadyExistException(CatalogException, ValueError):
    """The branch exists already; `branch` names it."""

    def __init__(self, branch: str) -> None:
        super().__init__(f"Branch {branch} already exists")
        self.branch = branch
