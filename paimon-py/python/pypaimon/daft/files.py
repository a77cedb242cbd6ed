"""BLOB columns as Daft has them: ``daft.File`` values, alone, in lists, and as values of maps.

A File is a reference: a URL, a range of bytes and, for Daft's own reader, how the storage is reached. No byte of a BLOB
moves when such columns are read, filtered or written to another table.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

import pyarrow as pa
import pyarrow.compute as pc
from daft.datatype import DataType
from daft.recordbatch import RecordBatch
from daft.schema import Schema

from pypaimon.daft.arrow import FILE_STORAGE, change_types, to_daft_layout, to_paimon_layout
from pypaimon.daft.io_config import infer_io_config

if TYPE_CHECKING:
    from daft.io import IOConfig

_Shaped = TypeVar("_Shaped", pa.Schema, pa.RecordBatch)


class Budget(NamedTuple):
    """How many bytes of BLOB values the files of one batch may point to.

    Daft hands a batch on as it comes, so that a function over files, such as ``read_blob``, has so many bytes in its
    hands at once; some ten calls may overlap. But each batch costs about 0.4 ms, so large values get some more room.
    """

    wanted: int = 32 << 20
    most: int = 128 << 20
    """For batches that would else have fewer than ``rows``."""
    rows: int = 16


def daft_schema(fields: pa.Schema) -> Schema:
    """The columns of a table as Daft sees them.

    Args:
        fields: The columns in Paimon's own Arrow types, where a large binary is a BLOB and nothing else is.
    """
    schema = Schema.from_pyarrow_schema(to_daft_layout(fields))
    files = file_columns(fields)
    if not files:
        return schema
    return Schema._from_field_name_and_types([(name, files.get(name) or schema[name].dtype) for name in fields.names])


def file_columns(fields: pa.Schema) -> dict[str, DataType]:
    """The columns that hold BLOB values, with their types in Daft; `fields` as for `daft_schema`."""
    types = {field.name: _file_type(field.type) for field in fields}
    return {name: kind for name, kind in types.items() if kind is not None}


def to_record_batch(batch: pa.RecordBatch, files: Mapping[str, DataType]) -> RecordBatch:
    """A batch of Daft's; the columns in `files` are references as ``NativeTable.read(blobs="files")`` gives them."""
    made = RecordBatch.from_arrow_record_batches([batch], batch.schema)
    if not any(name in files for name in batch.schema.names):
        return made
    columns = zip(batch.schema.names, made.columns(), strict=True)
    return RecordBatch.from_pydict(
        {name: column.cast(files[name]) if name in files else column for name, column in columns}
    )


def file_io_config(catalog_options: Mapping[str, str], io_config: IOConfig | None) -> bytes | None:
    """How Daft's own ``file.open()`` reaches the storage, as a File carries it, credentials included.

    Returns:
        ``None`` where nothing is said: Daft's defaults, the environment, apply.
    """
    config = io_config or infer_io_config(catalog_options)
    if config is None:
        return None
    # The serialised form is what its pickle holds, and nothing else gives it.
    _, (serialised,) = cast("tuple[object, tuple[bytes]]", config.__reduce__())
    return serialised


def io_config_from(carried: bytes) -> IOConfig:
    """The inverse of `file_io_config`."""
    from daft.io import IOConfig

    restored: IOConfig = IOConfig._from_serialized(carried)  # type: ignore[attr-defined]
    return restored


def carried_io_config(batch: pa.RecordBatch) -> bytes | None:
    """What files of a batch, from `with_plain_files`, carry to reach their storage; ``None``: nothing.

    Raises:
        ValueError: They carry different things.
    """
    carried: set[bytes] = set()
    for column in batch.columns:
        if pa.types.is_map(column.type):
            column = column.items
        elif pa.types.is_large_list(column.type):
            column = column.values
        if column.type == FILE_STORAGE:
            carried.update(pc.unique(column.field("io_config").drop_null()).to_pylist())
    carried.discard(b"")  # what `daft.functions.file` puts there for none
    if len(carried) > 1:
        raise ValueError("files that are reached by different IOConfigs cannot be written together: write them in turn")
    return next(iter(carried), None)


def cut_by_bytes(batch: pa.RecordBatch, files: Mapping[str, DataType], budget: Budget) -> Iterator[pa.RecordBatch]:
    """Cuts a batch into parts whose files point to no more bytes than the budget has, or that have one row."""
    ends = [_running_bytes(batch.column(name)) for name in batch.schema.names if name in files]
    total = ends[0] if ends else None
    for more in ends[1:]:
        total = pc.add(total, more)
    if total is None or not batch.num_rows or total[-1].as_py() <= budget.wanted:
        yield batch
        return
    totals = total.to_pylist()
    start = before = 0
    while start < len(totals):
        end = bisect_right(totals, before + budget.wanted)
        if end - start < budget.rows:
            end = min(start + budget.rows, bisect_right(totals, before + budget.most))
        end = max(start + 1, end)
        yield batch.slice(start, end - start)
        start, before = end, totals[end - 1]


def with_plain_files(data: _Shaped) -> _Shaped:
    """A schema or batch of Daft's with files as the structs that Daft keeps of them."""
    if isinstance(data, pa.Schema):
        return pa.schema([field.with_type(_plain_type(field.type)) for field in data])
    schema = with_plain_files(data.schema)
    return data if schema.equals(data.schema) else data.cast(schema)


def with_blob_columns(schema: pa.Schema, named: Collection[str]) -> pa.Schema:
    """A schema of Daft's in Paimon's own Arrow types, where a large binary is a BLOB and other bytes are not.

    Args:
        schema: The columns of a frame.
        named: The columns of bytes, or of lists and maps of bytes, that are BLOB; those of files are anyhow.

    Raises:
        ValueError: A named column does not exist, or holds neither bytes nor files.
    """
    if missing := [name for name in named if name not in schema.names]:
        raise ValueError(f"BLOB columns {missing} are not columns of the schema, which has: {schema.names}")
    columns = []
    for field in to_paimon_layout(schema):
        kind = field.type
        if field.name in named or _outer_blob(kind, is_daft_file):
            blob = _outer_blob(kind, lambda inner: is_daft_file(inner) or pa.types.is_binary(inner))
            if blob is None:
                raise ValueError(f"BLOB column {field.name!r} must hold bytes or files, found {kind}")
            kind = blob
        columns.append(field.with_type(kind))
    return pa.schema(columns)


def is_daft_file(kind: pa.DataType) -> bool:
    """Whether a type of Daft's, as Arrow has it, is a File of some kind."""
    return isinstance(kind, pa.BaseExtensionType) and kind.storage_type == FILE_STORAGE


def _plain_type(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if is_daft_file(kind) else change_types(kind, _plain_type)


def _file_type(kind: pa.DataType) -> DataType | None:
    made: DataType | None = None
    if pa.types.is_large_binary(kind):
        made = DataType.file()
    elif pa.types.is_list(kind) and pa.types.is_large_binary(kind.value_type):
        made = DataType.list(DataType.file())
    elif pa.types.is_map(kind) and pa.types.is_large_binary(kind.item_type):
        made = DataType.map(DataType.from_arrow_type(kind.key_type), DataType.file())
    return made


def _outer_blob(kind: pa.DataType, holds: Callable[[pa.DataType], bool]) -> pa.DataType | None:
    """BLOB, a list or a map of it in place of what `holds`; ``None`` for other types."""
    if holds(kind):
        return pa.large_binary()
    if pa.types.is_list(kind) and holds(kind.value_type):
        return pa.list_(kind.value_field.with_type(pa.large_binary()))
    if pa.types.is_map(kind) and holds(kind.item_type):
        return pa.map_(kind.key_field, kind.item_field.with_type(pa.large_binary()))
    return None


def _running_bytes(column: pa.Array) -> pa.Array:
    """For each row how many bytes the files up to there point to; whole files, whose size nobody knows yet, count 0."""
    if pa.types.is_struct(column.type):
        return pc.cumulative_sum(column.field("size").fill_null(0))
    files = column.items if pa.types.is_map(column.type) else column.values
    before = pa.concat_arrays([pa.array([0], pa.int64()), _running_bytes(files)])
    sums = before.take(column.offsets)
    return pc.subtract(sums[1:], sums[0])
