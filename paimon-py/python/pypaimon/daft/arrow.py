"""Arrow layouts: Paimon's own and the ones Daft works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute  # casts import it when they first run; better here than in a query

_Shaped = TypeVar("_Shaped", pa.Schema, pa.RecordBatch)

#: What Daft keeps of a File, by the names of its tested versions.
FILE_STORAGE = pa.struct(
    [
        pa.field("url", pa.large_utf8()),
        pa.field("io_config", pa.large_binary()),
        pa.field("position", pa.int64()),
        pa.field("size", pa.int64()),
    ]
)


def to_daft_layout(data: _Shaped) -> _Shaped:
    """A schema or batch with 64-bit offsets for text and bytes, and TIME as microseconds (Daft has no other)."""
    if isinstance(data, pa.Schema):
        return pa.schema([field.with_type(_daft_type(field.type)) for field in data])
    schema = to_daft_layout(data.schema)
    return data if schema.equals(data.schema) else data.cast(schema)


def to_paimon_layout(schema: pa.Schema) -> pa.Schema:
    """A schema from Daft without the 64-bit layouts, which Paimon would take for other types (large binary: BLOB)."""
    return pa.schema([field.with_type(_paimon_type(field.type)) for field in schema])


def _daft_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string(kind):
        return pa.large_string()
    if pa.types.is_binary(kind):
        return pa.large_binary()
    if pa.types.is_time32(kind):
        return pa.time64("us")
    return change_types(kind, _daft_type)


def _paimon_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_list(kind):
        return pa.list_(kind.value_field.with_type(_paimon_type(kind.value_type)))
    return change_types(kind, _paimon_type)


def change_types(kind: pa.DataType, change: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """A type with each of its children changed; one without children as it is."""

    def changed(field: pa.Field) -> pa.Field:
        return field.with_type(change(field.type))

    if pa.types.is_struct(kind):
        return pa.struct([changed(field) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(changed(kind.key_field), changed(kind.item_field))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(changed(kind.value_field), kind.list_size)
    if pa.types.is_large_list(kind):
        return pa.large_list(changed(kind.value_field))
    if pa.types.is_list(kind):
        return pa.list_(changed(kind.value_field))
    return kind


def check_castable(given: pa.DataType, wanted: pa.DataType, name: str) -> None:
    """Checks that values of one type can be written to a column of another.

    Raises:
        ValueError: No value of the first type, bar NULL, can be.
    """
    if given == wanted or pa.types.is_null(given):
        return
    if given == FILE_STORAGE:
        if not pa.types.is_large_binary(wanted):
            raise ValueError(
                f"cannot write column {name!r} of files to the table's {wanted}: only a BLOB column takes files"
            )
        return
    if pa.types.is_struct(given) and pa.types.is_struct(wanted):
        extra = [field.name for field in given if wanted.get_field_index(field.name) < 0]
        if extra:
            raise ValueError(f"cannot write column {name!r}: the table's {wanted} has no fields {extra}")
        for field in given:
            check_castable(field.type, wanted.field(field.name).type, f"{name}.{field.name}")
    elif pa.types.is_map(given) and pa.types.is_map(wanted):
        check_castable(given.key_type, wanted.key_type, f"{name}.key")
        check_castable(given.item_type, wanted.item_type, f"{name}.value")
    elif _is_list(given) and _is_list(wanted):
        check_castable(given.value_type, wanted.value_type, f"{name}.element")
    else:
        _check_flat(given, wanted, name)


def cast_flat_columns(batch: pa.RecordBatch, wanted: pa.Schema) -> pa.RecordBatch:
    """Casts columns without children to the types of another schema, such as text to numbers.

    What differs only in layout or in nested fields, and columns that the schema does not have, are left to the writer.

    Raises:
        ValueError: A value would be changed by the cast; the text names the column.
    """
    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        at = wanted.get_field_index(name)
        kind = column.type if at < 0 else wanted.field(at).type
        if at >= 0 and not pa.types.is_nested(column.type) and _paimon_type(column.type) != kind:
            try:
                column = column.cast(kind)
            except pa.ArrowException as error:
                raise ValueError(f"cannot write column {name!r} as {kind}: {error}") from error
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _check_flat(given: pa.DataType, wanted: pa.DataType, name: str) -> None:
    try:
        if pa.types.is_nested(given) or pa.types.is_nested(wanted):
            raise pa.ArrowNotImplementedError
        pa.nulls(0, given).cast(wanted)
    except pa.ArrowException as error:
        raise ValueError(f"cannot write column {name!r} of type {given} to the table's {wanted}") from error


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
