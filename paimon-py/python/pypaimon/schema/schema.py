"""What a table looks like when it is created."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from pypaimon.exceptions import InvalidInputError
from pypaimon.schema.data_types import DataField, PyarrowFieldParser

__all__ = ["Schema"]


@dataclass
class Schema:
    """Columns, keys and options of a table to be created.

    Attributes:
        fields: The columns; their ids are given anew.
        partition_keys: Names of the partition columns, in path order.
        primary_keys: Names of the primary-key columns.
        options: Table options; values that are not text are written as the format wants them.
        comment: The table's comment.

    Example:
        >>> import pyarrow as pa
        >>> schema = Schema.from_pyarrow_schema(pa.schema([("day", pa.string()), ("n", pa.int64())]), ["day"])
        >>> schema.partition_keys
        ['day']
    """

    fields: list[DataField] = field(default_factory=list)
    partition_keys: list[str] = field(default_factory=list)
    primary_keys: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    comment: str | None = None

    def __post_init__(self) -> None:
        self.fields = list(self.fields or ())
        self.partition_keys = _names("partition_keys", self.partition_keys)
        self.primary_keys = _names("primary_keys", self.primary_keys)
        self.options = option_texts(self.options)

    @staticmethod
    def from_pyarrow_schema(
        pa_schema: pa.Schema,
        partition_keys: Sequence[str] | None = None,
        primary_keys: Sequence[str] | None = None,
        options: Mapping[str, Any] | None = None,
        comment: str | None = None,
    ) -> Schema:
        """A schema with the columns of an Arrow schema.

        Args:
            pa_schema: Types and nullability; the metadata key ``description`` of a field is its comment.
            partition_keys: Names of the partition columns, in path order.
            primary_keys: Names of the primary-key columns.
            options: Table options.
            comment: The table's comment.

        Raises:
            InvalidInputError: An Arrow type has no type in the format.
        """
        fields = PyarrowFieldParser.to_paimon_schema(pa_schema)
        return Schema(fields, partition_keys, primary_keys, options, comment)  # type: ignore[arg-type]

    def to_json(self) -> str:
        """The form that `_native.NativeCatalog.create_table` takes."""
        return json.dumps(
            {
                "fields": [field.to_dict() for field in self.fields],
                "partitionKeys": self.partition_keys,
                "primaryKeys": self.primary_keys,
                "options": self.options,
                "comment": self.comment,
            }
        )


def option_texts(options: Mapping[str, Any] | None) -> dict[str, str]:
    """Options as text: ``True`` becomes ``true``, numbers and paths their usual form.

    Raises:
        InvalidInputError: A key is not text, or a value is None.
    """
    texts = {}
    for key, value in dict(options or {}).items():
        if not isinstance(key, str):
            raise InvalidInputError(f"expected text for the key of an option, found {key!r}")
        if value is None:
            raise InvalidInputError(f"option '{key}' has no value")
        texts[key] = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return texts


def _names(what: str, names: Sequence[str] | None) -> list[str]:
    if isinstance(names, str):
        raise InvalidInputError(f"expected a list of column names for {what}, found the text {names!r}")
    return list(names or ())
