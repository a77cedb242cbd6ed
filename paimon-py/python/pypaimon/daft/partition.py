"""Partitions as users name them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pypaimon.exceptions import InvalidInputError


@dataclass(frozen=True)
class StaticPartition:
    """A partition, or all partitions under some leading columns.

    Attributes:
        spec: Partition column -> value as text.
        values: Partition column -> value in the column's Arrow type, ``None`` inside for NULL.
    """

    spec: dict[str, str]
    values: dict[str, pa.Scalar]

    @classmethod
    def of(cls, partition: Mapping[str, Any], keys: list[str], fields: pa.Schema, null_name: str) -> StaticPartition:
        """Reads what the user gave.

        Args:
            partition: Column -> value: text, or the column's own Python type.
            keys: The table's partition columns, in order.
            fields: The table's columns.
            null_name: Directory name that stands for NULL.

        Raises:
            ValueError: Not a non-empty set of leading partition columns, or a value that is not of its column's type.
        """
        named = keys[: len(partition)]
        if not partition or set(partition) != set(named):
            raise ValueError(f"partition {dict(partition)!r} must name leading partition columns of {keys}")
        values = {name: _typed(name, partition[name], fields.field(name).type, null_name) for name in named}
        return cls({name: _text(partition[name], null_name) for name in named}, values)

    def check(self, batch: pa.RecordBatch) -> None:
        """Checks that all rows of a batch lie in the partition.

        Raises:
            ValueError: One does not; the text tells its value.
        """
        for name, wanted in self.values.items():
            column = batch.column(name)
            if column.type != wanted.type:
                column = column.cast(wanted.type)
            inside = pc.equal(column, wanted).fill_null(False) if wanted.is_valid else column.is_null()
            if not pc.all(inside, min_count=0).as_py():
                outside = column.filter(pc.invert(inside))[0].as_py()
                raise ValueError(
                    f"a row with {name} = {outside!r} lies outside of the overwritten partition {self.spec}"
                )


def partition_spec(partition: Mapping[str, Any], keys: list[str], fields: pa.Schema, null_name: str) -> dict[str, str]:
    """The values of some partition columns as texts.

    Args:
        partition: Column -> value: text, or the column's own Python type.
        keys: The table's partition columns.
        fields: The table's columns.
        null_name: Directory name that stands for NULL.

    Raises:
        InvalidInputError: A column that does not partition the table, or a value that is not of its column's type.
    """
    if not isinstance(partition, Mapping) or not partition:
        raise InvalidInputError(f"a partition is a mapping of partition columns to values, got: {partition!r}")
    unknown = [name for name in partition if name not in keys]
    if unknown:
        has = f"it is partitioned by: {', '.join(keys)}" if keys else "it has no partitions"
        raise InvalidInputError(f"{', '.join(map(repr, unknown))} does not partition the table; {has}")
    for name, value in partition.items():
        _typed(name, value, fields.field(name).type, null_name)
    return {name: _text(value, null_name) for name, value in partition.items()}


def partition_text(partition: Mapping[str, Any]) -> str:
    """A partition's values in a line: ``dt=2024-01-01/hour=3``; empty without partition columns."""
    return "/".join(f"{name}={_text(value, 'NULL')}" for name, value in partition.items())


def _typed(name: str, value: Any, kind: pa.DataType, null_name: str) -> pa.Scalar:
    if value is None or value == null_name:
        return pa.scalar(None, kind)
    try:
        if isinstance(value, str):
            return pa.scalar(value).cast(kind)
        return pa.scalar(value, kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, TypeError) as error:
        raise InvalidInputError(f"{value!r} is not a value of partition column {name!r} of type {kind}") from error


def _text(value: Any, null_name: str) -> str:
    if value is None:
        return null_name
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    return str(value)
