"""Names of tables: ``database.object``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pypaimon.exceptions import InvalidInputError

__all__ = ["DEFAULT_MAIN_BRANCH", "Identifier"]

DEFAULT_MAIN_BRANCH = "main"
_BRANCH_PREFIX = "branch_"


@dataclass(frozen=True, init=False)
class Identifier:
    """The name of a table in a catalog.

    ``object`` is the table's name, with a branch (``t$branch_b``) or a system table (``t$snapshots``) where there is
    one. ``Identifier("db", "t", branch="b")`` puts them together.

    Example:
        >>> Identifier.from_string("sales.orders").get_table_name()
        'orders'
    """

    database: str
    object: str

    def __init__(self, database: str, object: str, branch: str | None = None, system_table: str | None = None) -> None:
        if branch is not None and branch.lower() != DEFAULT_MAIN_BRANCH:
            object += f"${_BRANCH_PREFIX}{branch}"
        if system_table is not None:
            object += f"${system_table}"
        # The class is frozen; this is its constructor.
        super().__setattr__("database", database)
        super().__setattr__("object", object)

    @classmethod
    def create(
        cls, database: str, table: str, branch: str | None = None, system_table: str | None = None
    ) -> Identifier:
        """Same as the constructor."""
        return cls(database, table, branch, system_table)

    @classmethod
    def from_string(cls, full_name: str) -> Identifier:
        """Parses ``database.object``; back-ticks may surround a part that holds a dot.

        Args:
            full_name: For example ``db.t``, ``db.t$branch_b`` or ```db`.`odd.name```.

        Raises:
            InvalidInputError: The text does not name a database and a table.
        """
        if not isinstance(full_name, str) or not full_name.strip():
            raise InvalidInputError(f"expected a table's name 'database.table', found {full_name!r}")
        if "`" not in full_name:
            database, dot, table = full_name.partition(".")
            if not dot:
                raise InvalidInputError(f"Cannot get splits from '{full_name}' to get database and object")
            return cls(database, table)
        parts = [""]
        quoted = False
        for character in full_name:
            if character == "`":
                quoted = not quoted
            elif character == "." and not quoted:
                parts.append("")
            else:
                parts[-1] += character
        if quoted:
            raise InvalidInputError(f"Unclosed backtick in identifier: {full_name}")
        if len(parts) != 2:
            raise InvalidInputError(f"Invalid identifier format: {full_name}")
        return cls(*parts)

    @classmethod
    def of(cls, identifier: str | Identifier) -> Identifier:
        """`identifier` itself, parsed when it is text."""
        return identifier if isinstance(identifier, cls) else cls.from_string(identifier)  # type: ignore[arg-type]

    def on_branch(self, branch: str | None) -> Identifier:
        """The same table on a branch; ``None``: as it is.

        Raises:
            InvalidInputError: The branch has no name, or this identifier names another one.
            TypeError: `branch` is not a text.
        """
        if branch is None:
            return self
        if not isinstance(branch, str):
            raise TypeError(f"branch must be the name of a branch, got: {branch!r}")
        if not branch.strip():
            raise InvalidInputError("Branch name is blank.")
        table, named, system_table = self._parts()
        if named not in (None, branch):
            raise InvalidInputError(f"branch={branch!r} contradicts '{self.object}', which names branch '{named}'")
        return Identifier(self.database, table, branch, system_table)

    def get_full_name(self) -> str:
        """``database.object``."""
        return f"{self.database}.{self.object}"

    def get_database_name(self) -> str:
        """The database."""
        return self.database

    def get_object_name(self) -> str:
        """The table with its branch and system table."""
        return self.object

    def get_table_name(self) -> str:
        """The table alone."""
        return self._parts()[0]

    def get_branch_name(self) -> str | None:
        """The branch; ``None`` for the main one."""
        return self._parts()[1]

    def get_branch_name_or_default(self) -> str:
        """The branch; ``main`` for the main one."""
        return self.get_branch_name() or DEFAULT_MAIN_BRANCH

    def get_system_table_name(self) -> str | None:
        """The system table, such as ``snapshots``; ``None`` for the table itself."""
        return self._parts()[2]

    def is_system_table(self) -> bool:
        """Whether this names a system table."""
        return self.get_system_table_name() is not None

    @property
    def branch(self) -> str | None:
        """Same as `get_branch_name`."""
        return self.get_branch_name()

    def __str__(self) -> str:
        return self.get_full_name()

    def __reduce__(self) -> tuple[Any, ...]:
        return Identifier, (self.database, self.object)

    def _parts(self) -> tuple[str, str | None, str | None]:
        table, *rest = self.object.split("$")
        branch = rest.pop(0)[len(_BRANCH_PREFIX) :] if rest and rest[0].startswith(_BRANCH_PREFIX) else None
        if len(rest) > 1:
            raise InvalidInputError(f"Invalid object name: {self.object}")
        return table, branch, rest[0] if rest else None
