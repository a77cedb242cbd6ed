"""Types of columns, and how they map to Arrow.

The mapping itself is the native module's; these classes say what a type is and carry it as the schema file does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pypaimon import _native
from pypaimon.exceptions import InvalidInputError

__all__ = [
    "ArrayType",
    "AtomicType",
    "DataField",
    "DataType",
    "MapType",
    "MultisetType",
    "PyarrowFieldParser",
    "RowType",
    "VectorType",
    "parse_data_type",
]


@dataclass(eq=False)
class DataType:
    """A type with its nullability. Two types are equal when a schema file writes them alike."""

    nullable: bool = True

    def to_dict(self) -> str | dict[str, Any]:
        """The type as a schema file has it: text, or an object for nested types."""
        raise NotImplementedError

    def _suffix(self) -> str:
        return "" if self.nullable else " NOT NULL"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataType) and type(self) is type(other) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))


@dataclass(eq=False, init=False)
class AtomicType(DataType):
    """A type without parts, by its SQL name.

    Args:
        type: For example ``INT``, ``STRING``, ``DECIMAL(10, 2)`` or ``TIMESTAMP(6)``.
        nullable: Whether NULL is a value of it.
    """

    type: str = ""

    def __init__(self, type: str, nullable: bool = True) -> None:
        self.type = type
        self.nullable = nullable

    def to_dict(self) -> str:
        """The SQL text."""
        return self.type + self._suffix()

    def __str__(self) -> str:
        return self.to_dict()


@dataclass(eq=False, init=False)
class ArrayType(DataType):
    """``ARRAY<element_type>``."""

    element: DataType = field(default_factory=DataType)

    def __init__(self, nullable: bool, element_type: DataType) -> None:
        self.nullable = nullable
        self.element = element_type

    def to_dict(self) -> dict[str, Any]:
        """The type as a schema file has it."""
        return {"type": "ARRAY" + self._suffix(), "element": self.element.to_dict()}

    def __str__(self) -> str:
        return f"ARRAY<{self.element}>{self._suffix()}"


@dataclass(eq=False, init=False)
class MultisetType(DataType):
    """``MULTISET<element_type>``."""

    element: DataType = field(default_factory=DataType)

    def __init__(self, nullable: bool, element_type: DataType) -> None:
        self.nullable = nullable
        self.element = element_type

    def to_dict(self) -> dict[str, Any]:
        """The type as a schema file has it."""
        return {"type": "MULTISET" + self._suffix(), "element": self.element.to_dict()}

    def __str__(self) -> str:
        return f"MULTISET<{self.element}>{self._suffix()}"


@dataclass(eq=False, init=False)
class VectorType(DataType):
    """``VECTOR<element_type, length>``."""

    element: DataType = field(default_factory=DataType)
    length: int = 0

    def __init__(self, nullable: bool, element_type: DataType, length: int) -> None:
        self.nullable = nullable
        self.element = element_type
        self.length = length

    def to_dict(self) -> dict[str, Any]:
        """The type as a schema file has it."""
        return {"type": "VECTOR" + self._suffix(), "element": self.element.to_dict(), "length": self.length}

    def __str__(self) -> str:
        return f"VECTOR<{self.element}, {self.length}>{self._suffix()}"


@dataclass(eq=False, init=False)
class MapType(DataType):
    """``MAP<key_type, value_type>``."""

    key: DataType = field(default_factory=DataType)
    value: DataType = field(default_factory=DataType)

    def __init__(self, nullable: bool, key_type: DataType, value_type: DataType) -> None:
        self.nullable = nullable
        self.key = key_type
        self.value = value_type

    def to_dict(self) -> dict[str, Any]:
        """The type as a schema file has it."""
        return {"type": "MAP" + self._suffix(), "key": self.key.to_dict(), "value": self.value.to_dict()}

    def __str__(self) -> str:
        return f"MAP<{self.key}, {self.value}>{self._suffix()}"


@dataclass
class DataField:
    """A named column, or a named part of a ``ROW``.

    Attributes:
        id: Unique in the table for ever; given anew when a table is created.
        name: Unique among its siblings.
        type: Type and nullability.
        description: A comment.
        default_value: A literal that writers put where no value is given.
    """

    id: int
    name: str
    type: DataType
    description: str | None = None
    default_value: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The field as a schema file has it."""
        fields: dict[str, Any] = {"id": self.id, "name": self.name, "type": self.type.to_dict()}
        if self.description is not None:
            fields["description"] = self.description
        if self.default_value is not None:
            fields["defaultValue"] = self.default_value
        return fields

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> DataField:
        """The inverse of `to_dict`."""
        try:
            name, data_type = data["name"], parse_data_type(data["type"])
        except KeyError as missing:
            raise InvalidInputError(f"field {data} lacks {missing}") from None
        return cls(data.get("id", 0), name, data_type, data.get("description"), data.get("defaultValue"))

    def __hash__(self) -> int:
        return hash((self.id, self.name, self.type, self.description, self.default_value))


@dataclass(eq=False, init=False)
class RowType(DataType):
    """``ROW<fields>``."""

    fields: list[DataField] = field(default_factory=list)

    def __init__(self, nullable: bool, fields: Sequence[DataField]) -> None:
        self.nullable = nullable
        self.fields = list(fields)

    def to_dict(self) -> dict[str, Any]:
        """The type as a schema file has it."""
        return {"type": "ROW" + self._suffix(), "fields": [field.to_dict() for field in self.fields]}

    def __str__(self) -> str:
        fields = ", ".join(f"{field.name}: {field.type}" for field in self.fields)
        return f"ROW<{fields}>{self._suffix()}"


def parse_data_type(data: str | dict[str, Any]) -> DataType:
    """Reads a type as a schema file has it: the inverse of `DataType.to_dict`.

    Raises:
        InvalidInputError: `data` does not have the shape of a type.
    """
    text = data if isinstance(data, str) else str(data.get("type", ""))
    nullable = not text.upper().rstrip().endswith("NOT NULL")
    if isinstance(data, str) or not set(data) - {"type"}:
        name = text.strip()
        if not nullable:
            name = name[: -len("NOT NULL")].rstrip()
        elif name.upper().endswith(" NULL"):
            name = name[: -len("NULL")].rstrip()
        return AtomicType(name, nullable)
    kind = text.split(" ")[0].upper()
    try:
        if kind == "ARRAY":
            return ArrayType(nullable, parse_data_type(data["element"]))
        if kind == "MULTISET":
            return MultisetType(nullable, parse_data_type(data["element"]))
        if kind == "VECTOR":
            return VectorType(nullable, parse_data_type(data["element"]), int(data["length"]))
        if kind == "MAP":
            return MapType(nullable, parse_data_type(data["key"]), parse_data_type(data["value"]))
        if kind == "ROW":
            return RowType(nullable, [DataField.from_dict(part) for part in data["fields"]])
    except KeyError as missing:
        raise InvalidInputError(f"type {data} lacks {missing}") from None
    raise InvalidInputError(f"expected a type, found {data}")


class PyarrowFieldParser:
    """Between types of this package and types of pyarrow."""

    @staticmethod
    def from_paimon_type(data_type: DataType) -> pa.DataType:
        """The Arrow type that reads give and writes take for `data_type`."""
        return PyarrowFieldParser.from_paimon_field(DataField(0, "value", data_type)).type

    @staticmethod
    def from_paimon_field(data_field: DataField) -> pa.Field:
        """The Arrow field that reads give for `data_field`."""
        return PyarrowFieldParser.from_paimon_schema([data_field]).field(0)

    @staticmethod
    def from_paimon_schema(data_fields: Iterable[DataField]) -> pa.Schema:
        """The Arrow schema that reads give for `data_fields`.

        Raises:
            UnsupportedError: A type has no Arrow type yet.
        """
        fields = json.dumps([field.to_dict() for field in data_fields])
        return pa.schema(_native.fields_to_arrow(fields))

    @staticmethod
    def to_paimon_type(pa_type: pa.DataType, nullable: bool = True) -> DataType:
        """The type of a column that is made for `pa_type`."""
        return PyarrowFieldParser.to_paimon_field(0, pa.field("value", pa_type, nullable)).type

    @staticmethod
    def to_paimon_field(field_idx: int, pa_field: pa.Field) -> DataField:
        """The column that is made for `pa_field`, with id `field_idx`."""
        made = PyarrowFieldParser.to_paimon_schema(pa.schema([pa_field]))[0]
        made.id = field_idx
        return made

    @staticmethod
    def to_paimon_schema(pa_schema: pa.Schema) -> list[DataField]:
        """The columns that are made for `pa_schema`, with ids from 0.

        Raises:
            InvalidInputError: A type of Arrow has no type in the format.
        """
        return [DataField.from_dict(field) for field in json.loads(_native.fields_from_arrow(pa_schema))]
