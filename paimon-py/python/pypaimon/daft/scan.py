"""Planning one execution: which splits answer Daft's pushdowns, and which reader takes each of them.

Daft applies filters, projection and limit again above the scan, so pushing them is free to fall short. Only partition
filters are taken out of Daft's plan: these are enforced here, exactly, by evaluating the very expression on the
partition values of the planned splits.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING

import pyarrow as pa
from daft.expressions import ExpressionsProjection
from daft.io.pushdowns import Pushdowns
from daft.recordbatch import RecordBatch
from daft.schema import Schema

from pypaimon.daft.arrow import to_daft_layout
from pypaimon.daft.io_config import daft_reads
from pypaimon.daft.predicate import Filter, Tree, convert

if TYPE_CHECKING:
    from pypaimon._native import NativeFile, NativePlan, NativePredicate, NativeSplit, NativeTable
    from pypaimon.daft.pinned import PinnedTable

#: Up to this LIMIT our reader is faster than Daft's, which starts with whole row groups of several files.
_SMALL_LIMIT = 65_536

#: Files so small, and so many of them, cost Daft more as tasks (37 us each) than as data once a filter drops most rows.
_SMALL_FILE_BYTES, _MANY_FILES = 1 << 20, 64

#: Our reader takes a file of this size from an object store in one request, Daft's in three.
_ONE_REQUEST_BYTES = 512 << 10


@dataclass(frozen=True)
class ScanSplit:
    """One split and its reader: Daft's Parquet reader when ``reason`` is None, else ours, for that reason."""

    split: NativeSplit
    files: list[NativeFile]
    reason: str | None
    partition: int
    """Row of this split in ``Scan.partitions``."""


@dataclass(frozen=True)
class Scan:
    """A planned execution.

    Attributes:
        row_filter: What became of Daft's filter.
        partition_filter: What became of Daft's partition filter.
        requested: Columns the query asks for; ``None``: all.
        columns: Columns the tasks produce: those and the ones the filter needs, in table order; at least one.
        limit: LIMIT applied in the source; ``None``: left to Daft.
        plan: Paimon's plan, before the exact partition filter.
        splits: What is read.
        partitions: Partition values, one row per planned split.
        fields: The table's columns in Paimon's own Arrow types.
    """

    row_filter: Filter
    partition_filter: Filter
    requested: list[str] | None
    columns: list[str]
    limit: int | None
    plan: NativePlan
    splits: list[ScanSplit]
    partitions: pa.RecordBatch
    fields: pa.Schema


def plan_scan(table: PinnedTable, schema: Schema, pushdowns: Pushdowns, reader: str) -> Scan:
    """Plans a scan.

    Args:
        table: The table at its snapshot.
        schema: Its columns as Daft sees them.
        pushdowns: What Daft asks for.
        reader: ``"auto"``, or ``"paimon"`` to send every file to our reader.

    Raises:
        SnapshotExpiredError: The pinned state is no longer in storage.
    """
    native = table.native
    fields = pa.schema(native.arrow_schema())
    row_filter = convert(pushdowns.filters, schema, fields, lambda tree: _bind(native, tree) is not None)
    partition_filter = convert_partition_filter(native, schema, pushdowns)
    limit = pushdowns.limit if row_filter.exact else None
    columns = _task_columns(fields, pushdowns.columns, row_filter)
    plan = table.plan(
        predicate=_bind(native, row_filter.tree),
        filter_is_exact=row_filter.exact,
        partition_predicate=_bind(native, partition_filter.tree),
        limit=limit if partition_filter.exact else None,
        # Of the files that hold the columns of the same rows, only those of these columns are planned.
        columns=columns,
    )
    splits = plan.splits
    partitions = to_daft_layout(pa.record_batch(native.partition_batch(splits)))
    kept = list(range(len(splits)))
    if partition_filter.conjuncts:
        kept = kept_partitions(partition_filter, partitions)
    if limit is not None and row_filter.tree is None:
        kept = _covering(splits, kept, limit)
    files = [splits[index].files for index in kept]
    reasons = _reasons(native, [splits[index] for index in kept], files, pushdowns, row_filter, columns, reader, fields)
    return Scan(
        row_filter=row_filter,
        partition_filter=partition_filter,
        requested=_requested(fields, pushdowns.columns),
        columns=columns,
        limit=limit,
        plan=plan,
        splits=[
            ScanSplit(splits[index], group, reason, index)
            for index, group, reason in zip(kept, files, reasons, strict=True)
        ],
        partitions=partitions,
        fields=fields,
    )


def convert_partition_filter(native: NativeTable, schema: Schema, pushdowns: Pushdowns) -> Filter:
    """Daft's partition filter; its tree may keep partitions that `kept_partitions` drops."""
    fields = pa.schema(native.arrow_schema())
    return convert(pushdowns.partition_filters, schema, fields, lambda tree: _bind(native, tree) is not None)


def kept_partitions(partition_filter: Filter, partitions: pa.RecordBatch) -> list[int]:
    """The rows of ``partitions`` that pass; each conjunct is evaluated by Daft itself."""
    condition = reduce(and_, partition_filter.conjuncts).alias("kept")
    values = RecordBatch.from_arrow_record_batches([partitions], partitions.schema)
    kept = values.eval_expression_list(ExpressionsProjection([condition])).to_pydict()["kept"]
    return [index for index, passes in enumerate(kept) if passes is True]


def cheapest_column(fields: pa.Schema) -> str:
    """A column that tells the number of rows at the least cost."""

    def width(field: pa.Field) -> int:
        if pa.types.is_large_binary(field.type):  # a BLOB, in files of its own
            return 1 << 21
        try:
            return int(field.type.bit_width)
        except ValueError:  # no fixed width
            return 1 << 20 if pa.types.is_nested(field.type) else 1 << 10

    return str(min(fields, key=width).name)


def _bind(native: NativeTable, tree: Tree | None) -> NativePredicate | None:
    if tree is None:
        return None
    try:
        return native.predicate(tree)
    except (ValueError, TypeError, ArithmeticError, NotImplementedError):
        return None  # not a predicate of this table: Daft keeps the filter


def _requested(fields: pa.Schema, columns: list[str] | None) -> list[str] | None:
    return None if columns is None else [name for name in columns if fields.get_field_index(name) >= 0]


def _task_columns(fields: pa.Schema, columns: list[str] | None, row_filter: Filter) -> list[str]:
    if columns is None:
        return list(fields.names)
    wanted = row_filter.columns.union(columns)
    return [name for name in fields.names if name in wanted] or [cheapest_column(fields)]


def _covering(splits: list[NativeSplit], kept: list[int], limit: int) -> list[int]:
    """The first of the kept splits that certainly hold ``limit`` rows."""
    rows = 0
    for position, index in enumerate(kept):
        if rows >= limit:
            return kept[:position]
        rows += splits[index].merged_row_count or 0
    return kept


def _reasons(
    native: NativeTable,
    splits: list[NativeSplit],
    files: list[list[NativeFile]],
    pushdowns: Pushdowns,
    row_filter: Filter,
    columns: list[str],
    reader: str,
    fields: pa.Schema,
) -> list[str | None]:
    """Per split why Daft's reader is not taken; ``None``: it is."""
    floats = sorted(name for name in row_filter.columns if _holds_floats(fields.field(name).type))
    count = sum(map(len, files))
    size = sum(split.file_size for split in splits)
    reason = None
    if reader == "paimon":
        reason = "reader='paimon' requested"
    elif pushdowns.limit is not None and pushdowns.limit <= _SMALL_LIMIT:
        reason = "small limit"
    elif floats:
        # Parquet statistics leave NaN out, and Daft prunes by them although it sorts NaN above all numbers.
        reason = f"filter on floating-point column {floats[0]!r} (NaN)"
    elif not row_filter.exact:
        # Daft compares Parquet statistics with the literal as it stands, and rows after casts of its own.
        reason = f"filter that is not exact on Parquet statistics: {row_filter.residual[0]}"
    elif size < count * _ONE_REQUEST_BYTES and not native.location.startswith("file:"):
        reason = "small files on object storage"
    elif pushdowns.filters is not None and count > _MANY_FILES and size < count * _SMALL_FILE_BYTES:
        reason = "many small files under a filter"
    if reason is not None:
        return [reason] * len(splits)
    reasons = native.native_parquet(splits, columns, _bind(native, row_filter.tree))
    return [
        reason or (None if all(daft_reads(file.path) for file in group) else "Daft has no reader for the URL scheme")
        for reason, group in zip(reasons, files, strict=True)
    ]


def _holds_floats(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_holds_floats(kind.field(index).type) for index in range(kind.num_fields))
    return bool(pa.types.is_floating(kind))
