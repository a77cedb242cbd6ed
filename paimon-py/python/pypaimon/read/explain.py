"""What a plan reads, and what it left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pypaimon import _native
from pypaimon.common.size import size_text
from pypaimon.read.split import DataFile, DataSplit

if TYPE_CHECKING:
    from pypaimon.read.read_builder import ReadBuilder
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["ExplainResult", "ExplainSplitInfo", "PruningStat", "explain", "explain_plan"]


@dataclass(frozen=True)
class PruningStat:
    """What one stage was given and what it kept."""

    before: int
    after: int

    @property
    def pruned(self) -> int:
        """What the stage dropped."""
        return self.before - self.after

    def format(self) -> str:
        """For example ``10 -> 2  (pruned 8)``."""
        return f"{self.before} -> {self.after}  (pruned {self.pruned})"


@dataclass(frozen=True)
class ExplainSplitInfo:
    """One split of a plan."""

    partition: dict[str, Any]
    bucket: int
    file_count: int
    row_count: int
    merged_row_count: int | None
    file_size: int
    raw_convertible: bool
    has_deletion_vectors: bool
    level_histogram: dict[int, int]
    deletion_file_count: int
    file_paths: list[str]
    data_files: list[DataFile] | None = None


@dataclass(frozen=True)
class ExplainResult:
    """A plan, told; ``str()`` of it is a report."""

    table_identifier: str
    is_primary_key_table: bool
    bucket_mode: str
    deletion_vectors_enabled: bool
    data_evolution_enabled: bool
    snapshot_id: int | None
    schema_id: int | None
    predicate: str | None = None
    projection: list[str] | None = None
    limit: int | None = None
    manifest_pruning: PruningStat | None = None
    partition_pruning: PruningStat | None = None
    bucket_pruning: PruningStat | None = None
    file_skipping: PruningStat | None = None
    section_pruning: PruningStat | None = None
    entries_read: int = 0
    limit_stopped: bool = False
    file_count: int = 0
    total_file_size: int = 0
    estimated_row_count: int = 0
    estimated_merged_row_count: int | None = None
    deletion_file_count: int = 0
    level_histogram: dict[int, int] = field(default_factory=dict)
    split_count: int = 0
    splits_raw_convertible: int = 0
    splits_with_deletion_vectors: int = 0
    splits_all_above_l0: int = 0
    files_per_split_min: int = 0
    files_per_split_max: int = 0
    files_per_split_avg: float = 0.0
    split_size_min: int = 0
    split_size_max: int = 0
    split_size_avg: float = 0.0
    split_size_p50: int = 0
    split_size_p95: int = 0
    has_auth: bool = False
    splits: list[ExplainSplitInfo] | None = None
    native_planned: bool = True
    file_index_pruning: PruningStat | None = None

    def __str__(self) -> str:
        return _report(self)


def explain(builder: ReadBuilder, verbose: bool) -> ExplainResult:
    """Plans the read of `builder` and tells about it."""
    filters = [str(part) for part in (builder._predicate, builder._partition_filter) if part is not None]
    return explain_plan(
        builder.table,
        builder.new_scan()._plan(),
        predicate=" AND ".join(filters) or None,
        projection=builder._projection,
        limit=builder._limit,
        verbose=verbose,
    )


def explain_plan(
    table: FileStoreTable,
    plan: _native.NativePlan,
    *,
    predicate: str | None,
    projection: list[str] | None,
    limit: int | None,
    verbose: bool,
) -> ExplainResult:
    """Tells about a plan.

    Args:
        table: The table that was planned.
        plan: Its plan.
        predicate: The filter, in words.
        projection: The columns; ``None``: all.
        limit: The limit.
        verbose: Whether to list every split.
    """
    splits = [_split_info(DataSplit(split)) for split in plan.splits]
    sizes = sorted(split.file_size for split in splits)
    counts = [split.file_count for split in splits]
    merged = [split.merged_row_count for split in splits]
    names = ("manifests", "partitions", "buckets", "files", "sections", "file_index")
    stages = {name: PruningStat(*plan.report[name]) for name in names}
    return ExplainResult(
        table_identifier=table.identifier.get_full_name(),
        is_primary_key_table=table.is_primary_key_table,
        bucket_mode=str(table.bucket_mode()),
        deletion_vectors_enabled=table.options.deletion_vectors_enabled(),
        data_evolution_enabled=table.options.data_evolution_enabled(),
        snapshot_id=plan.snapshot_id,
        schema_id=table.table_schema.id,
        predicate=predicate,
        projection=projection,
        limit=limit,
        manifest_pruning=stages["manifests"],
        partition_pruning=stages["partitions"],
        bucket_pruning=stages["buckets"],
        file_skipping=stages["files"],
        section_pruning=stages["sections"] if table.is_primary_key_table else None,
        entries_read=plan.report["entries_read"],
        limit_stopped=plan.report["limit_stopped"],
        file_count=sum(counts),
        total_file_size=sum(sizes),
        estimated_row_count=sum(split.row_count for split in splits),
        estimated_merged_row_count=None if None in merged else sum(rows or 0 for rows in merged),
        deletion_file_count=sum(split.deletion_file_count for split in splits),
        level_histogram=dict(sum((Counter(split.level_histogram) for split in splits), Counter())),
        split_count=len(splits),
        splits_raw_convertible=sum(split.raw_convertible for split in splits),
        splits_with_deletion_vectors=sum(split.has_deletion_vectors for split in splits),
        splits_all_above_l0=sum(bool(split.level_histogram) and 0 not in split.level_histogram for split in splits),
        files_per_split_min=min(counts, default=0),
        files_per_split_max=max(counts, default=0),
        files_per_split_avg=_average(counts),
        split_size_min=min(sizes, default=0),
        split_size_max=max(sizes, default=0),
        split_size_avg=_average(sizes),
        split_size_p50=_percentile(sizes, 50),
        split_size_p95=_percentile(sizes, 95),
        splits=splits if verbose else None,
        file_index_pruning=stages["file_index"],
    )


def _split_info(split: DataSplit) -> ExplainSplitInfo:
    files = split.files
    deletions = sum(file.has_deletions for file in files)
    return ExplainSplitInfo(
        partition=split.partition.to_dict(),
        bucket=split.bucket,
        file_count=len(files),
        row_count=split.row_count,
        merged_row_count=split.merged_row_count(),
        file_size=split.file_size,
        raw_convertible=split.raw_convertible,
        has_deletion_vectors=deletions > 0,
        level_histogram=dict(Counter(file.level for file in files)),
        deletion_file_count=deletions,
        file_paths=split.file_paths,
        data_files=files,
    )


def _average(values: Sequence[int]) -> float:
    return sum(values) / len(values) if values else 0.0


def _percentile(ascending: Sequence[int], percent: int) -> int:
    return ascending[min(len(ascending) - 1, len(ascending) * percent // 100)] if ascending else 0


def _report(result: ExplainResult) -> str:
    kind = ["PK" if result.is_primary_key_table else "Append", result.bucket_mode]
    kind += ["dv=on"] if result.deletion_vectors_enabled else []
    rows = f"{result.estimated_row_count:,}"
    if result.estimated_merged_row_count is not None:
        rows += f"   (merged: {result.estimated_merged_row_count:,})"
    levels = "  ".join(f"L{level}={count}" for level, count in sorted(result.level_histogram.items()))
    lines: list[tuple[str, Any]] = [
        ("Table:", f"{result.table_identifier} ({', '.join(kind)})"),
        ("Snapshot:", _snapshot(result)),
        ("Predicate:", result.predicate or "<none>"),
        ("Projection:", "<all columns>" if result.projection is None else f"[{', '.join(result.projection)}]"),
        ("Limit:", "<none>" if result.limit is None else result.limit),
        ("", ""),
        ("Manifest pruning:", _stage(result.manifest_pruning)),
        ("Partition pruning:", _stage(result.partition_pruning)),
        ("Bucket pruning:", _stage(result.bucket_pruning)),
        ("File skipping:", _stage(result.file_skipping) + ("  (stopped at the limit)" if result.limit_stopped else "")),
        ("Section skipping:", _stage(result.section_pruning)),
        ("File index:", _stage(result.file_index_pruning)),
        ("", ""),
        ("Splits:", result.split_count),
        ("  raw-convertible:", f"{result.splits_raw_convertible} / {result.split_count}"),
        ("  with DV:", f"{result.splits_with_deletion_vectors} / {result.split_count}"),
        (
            "  files/split:",
            f"min={result.files_per_split_min}  max={result.files_per_split_max}  avg={result.files_per_split_avg:.2f}",
        ),
        (
            "  size/split:",
            f"min={size_text(result.split_size_min)}  p50={size_text(result.split_size_p50)}  "
            f"p95={size_text(result.split_size_p95)}  max={size_text(result.split_size_max)}",
        ),
        ("", ""),
        ("Files:", result.file_count),
        ("Total size:", size_text(result.total_file_size)),
        ("Estimated rows:", rows),
        ("Level histogram:", levels or "<none>"),
        ("Deletion files:", result.deletion_file_count),
    ]
    text = ["== PyPaimon Scan Plan ==", *(f"{label:<19} {value}".rstrip() for label, value in lines)]
    if result.splits is not None:
        text += ["", "Splits[]"]
        for position, split in enumerate(result.splits):
            text.append(
                f"  [{position}] partition={split.partition} bucket={split.bucket} files={split.file_count} "
                f"size={size_text(split.file_size)} rows={split.row_count} raw={split.raw_convertible} "
                f"dv={split.has_deletion_vectors}"
            )
            text += [f"      file: {path}" for path in split.file_paths]
    return "\n".join(text)


def _snapshot(result: ExplainResult) -> str:
    if result.snapshot_id is None:
        return "<none>  (table is empty)"
    return f"{result.snapshot_id}  (schema {result.schema_id})"


def _stage(stat: PruningStat | None) -> str:
    return "n/a" if stat is None else stat.format()
