"""Rows as JSON text in which nothing is lost: the spelling of `expected.rows` (see src/lib.rs)."""

import json
import struct

import pyarrow as pa


def render(value, kind: pa.DataType):
    """One value, as JSON data."""
    if value is None:
        return None
    if pa.types.is_float32(kind):
        return struct.unpack("<i", struct.pack("<f", value))[0]
    if pa.types.is_float64(kind):
        return struct.unpack("<q", struct.pack("<d", value))[0]
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return bytes(value).hex()
    if pa.types.is_decimal(kind):
        return format(value, "f")
    if pa.types.is_map(kind):
        pairs = [[render(k, kind.key_type), render(v, kind.item_type)] for k, v in value]
        return sorted(pairs, key=lambda pair: json.dumps(pair, ensure_ascii=False, separators=(",", ":")))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return [render(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return [render(value[field.name], field.type) for field in kind]
    return value


def render_table(table: pa.Table) -> list[str]:
    """Each row as a JSON array, sorted."""
    columns = []
    for field, column in zip(table.schema, table.columns):
        kind = field.type
        if pa.types.is_date32(kind):
            column = column.cast(pa.int32())
        elif pa.types.is_time32(kind) or pa.types.is_time64(kind):
            column = column.cast(pa.time32("ms")).cast(pa.int32())
        elif pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
        columns.append([render(value, column.type) for value in column.to_pylist()])
    rows = zip(*columns) if columns else []
    return sorted(json.dumps(list(row), ensure_ascii=False, separators=(",", ":")) for row in rows)
