"""Changes of a table's schema, for `Catalog.alter_table`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar

from pypaimon.schema.data_types import DataType

__all__ = [
    "AddColumn",
    "DropColumn",
    "Move",
    "MoveType",
    "RemoveOption",
    "RenameColumn",
    "SchemaChange",
    "SetOption",
    "UpdateColumnComment",
    "UpdateColumnDefaultValue",
    "UpdateColumnNullability",
    "UpdateColumnPosition",
    "UpdateColumnType",
    "UpdateComment",
]


class MoveType(Enum):
    """Where a column goes."""

    FIRST = "FIRST"
    AFTER = "AFTER"
    BEFORE = "BEFORE"
    LAST = "LAST"


@dataclass(frozen=True)
class Move:
    """A place for a column; made by `first`, `after`, `before` and `last`."""

    field_name: str
    reference_field_name: str | None
    type: MoveType

    @staticmethod
    def first(field_name: str) -> Move:
        """Before all other columns."""
        return Move(field_name, None, MoveType.FIRST)

    @staticmethod
    def after(field_name: str, reference_field_name: str) -> Move:
        """Right after another column."""
        return Move(field_name, reference_field_name, MoveType.AFTER)

    @staticmethod
    def before(field_name: str, reference_field_name: str) -> Move:
        """Right before another column."""
        return Move(field_name, reference_field_name, MoveType.BEFORE)

    @staticmethod
    def last(field_name: str) -> Move:
        """After all other columns."""
        return Move(field_name, None, MoveType.LAST)

    def to_dict(self) -> dict[str, Any]:
        """The form of Paimon's REST API."""
        return {
            "fieldName": self.field_name,
            "referenceFieldName": self.reference_field_name,
            "type": self.type.value,
        }


class SchemaChange:
    """One change; made by the static methods. A nested column is named by the list of names that lead to it.

    Example:
        >>> from pypaimon.schema.data_types import AtomicType
        >>> change = SchemaChange.add_column("note", AtomicType("STRING"), comment="free text")
        >>> change.to_dict()["action"]
        'addColumn'
    """

    action: ClassVar[str] = ""

    @staticmethod
    def set_option(key: str, value: str) -> SetOption:
        """Sets a table option."""
        return SetOption(key, value)

    @staticmethod
    def remove_option(key: str) -> RemoveOption:
        """Removes a table option."""
        return RemoveOption(key)

    @staticmethod
    def update_comment(comment: str | None) -> UpdateComment:
        """Sets the table's comment; ``None`` removes it."""
        return UpdateComment(comment)

    @staticmethod
    def add_column(
        field_name: str | Sequence[str], data_type: DataType, comment: str | None = None, move: Move | None = None
    ) -> AddColumn:
        """Adds a column, at the end unless `move` says where; old rows have NULL in it."""
        return AddColumn(_path(field_name), data_type, comment, move)

    @staticmethod
    def rename_column(field_name: str | Sequence[str], new_name: str) -> RenameColumn:
        """Renames a column."""
        return RenameColumn(_path(field_name), new_name)

    @staticmethod
    def drop_column(field_name: str | Sequence[str]) -> DropColumn:
        """Drops a column."""
        return DropColumn(_path(field_name))

    @staticmethod
    def update_column_type(
        field_name: str | Sequence[str], new_data_type: DataType, keep_nullability: bool = False
    ) -> UpdateColumnType:
        """Changes a column's type, to one that its values can be cast to."""
        return UpdateColumnType(_path(field_name), new_data_type, keep_nullability)

    @staticmethod
    def update_column_nullability(field_name: str | Sequence[str], new_nullability: bool) -> UpdateColumnNullability:
        """Says whether NULL is a value of a column."""
        return UpdateColumnNullability(_path(field_name), new_nullability)

    @staticmethod
    def update_column_comment(field_name: str | Sequence[str], comment: str | None) -> UpdateColumnComment:
        """Sets a column's comment."""
        return UpdateColumnComment(_path(field_name), comment)

    @staticmethod
    def update_column_default_value(
        field_names: str | Sequence[str], default_value: str | None
    ) -> UpdateColumnDefaultValue:
        """Sets the literal that writers put where no value is given."""
        return UpdateColumnDefaultValue(_path(field_names), default_value)

    @staticmethod
    def update_column_position(move: Move) -> UpdateColumnPosition:
        """Moves a column."""
        return UpdateColumnPosition(move)

    def to_dict(self) -> dict[str, Any]:
        """The form of Paimon's REST API."""
        change: dict[str, Any] = {"action": self.action}
        for part in fields(self):  # type: ignore[arg-type]
            value = getattr(self, part.name)
            change[_camel(part.name)] = value.to_dict() if isinstance(value, (DataType, Move)) else value
        return change


@dataclass(frozen=True)
class SetOption(SchemaChange):
    """See `SchemaChange.set_option`."""

    action: ClassVar[str] = "setOption"
    key: str
    value: str


@dataclass(frozen=True)
class RemoveOption(SchemaChange):
    """See `SchemaChange.remove_option`."""

    action: ClassVar[str] = "removeOption"
    key: str


@dataclass(frozen=True)
class UpdateComment(SchemaChange):
    """See `SchemaChange.update_comment`."""

    action: ClassVar[str] = "updateComment"
    comment: str | None


@dataclass(frozen=True)
class AddColumn(SchemaChange):
    """See `SchemaChange.add_column`."""

    action: ClassVar[str] = "addColumn"
    field_names: list[str]
    data_type: DataType
    comment: str | None = None
    move: Move | None = None


@dataclass(frozen=True)
class RenameColumn(SchemaChange):
    """See `SchemaChange.rename_column`."""

    action: ClassVar[str] = "renameColumn"
    field_names: list[str]
    new_name: str


@dataclass(frozen=True)
class DropColumn(SchemaChange):
    """See `SchemaChange.drop_column`."""

    action: ClassVar[str] = "dropColumn"
    field_names: list[str]


@dataclass(frozen=True)
class UpdateColumnType(SchemaChange):
    """See `SchemaChange.update_column_type`."""

    action: ClassVar[str] = "updateColumnType"
    field_names: list[str]
    new_data_type: DataType
    keep_nullability: bool = False


@dataclass(frozen=True)
class UpdateColumnNullability(SchemaChange):
    """See `SchemaChange.update_column_nullability`."""

    action: ClassVar[str] = "updateColumnNullability"
    field_names: list[str]
    new_nullability: bool


@dataclass(frozen=True)
class UpdateColumnComment(SchemaChange):
    """See `SchemaChange.update_column_comment`."""

    action: ClassVar[str] = "updateColumnComment"
    field_names: list[str]
    new_comment: str | None


@dataclass(frozen=True)
class UpdateColumnDefaultValue(SchemaChange):
    """See `SchemaChange.update_column_default_value`."""

    action: ClassVar[str] = "updateColumnDefaultValue"
    field_names: list[str]
    new_default_value: str | None


@dataclass(frozen=True)
class UpdateColumnPosition(SchemaChange):
    """See `SchemaChange.update_column_position`."""

    action: ClassVar[str] = "updateColumnPosition"
    move: Move


def _path(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
