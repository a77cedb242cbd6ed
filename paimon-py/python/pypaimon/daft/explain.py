"""What a scan would read, which reader takes what, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from daft.io.pushdowns import Pushdowns

from pypaimon.common.identifier import Identifier
from pypaimon.read.explain import explain_plan
from pypaimon.table.file_store_table import FileStoreTable

if TYPE_CHECKING:
    from pypaimon.daft.pinned import PinnedTable
    from pypaimon.daft.scan import Scan
    from pypaimon.read.explain import ExplainResult

#: Daft's own Parquet reader.
READER_MODE_NATIVE_PARQUET = "native_parquet"
#: Our reader (the name is Apache's).
READER_MODE_PYPAIMON_FALLBACK = "pypaimon_fallback"


@dataclass(frozen=True, slots=True)
class PaimonReaderSplitExplain:
    """One split and the reader it goes to."""

    partition: dict[str, Any]
    bucket: int
    file_count: int
    row_count: int
    file_size: int
    reader_mode: str
    fallback_reason: str | None
    file_paths: list[str]


@dataclass(frozen=True, slots=True)
class PaimonScanExplain:
    """A planned scan; ``str()`` renders it.

    Attributes:
        paimon_scan: Paimon's plan: the snapshot, and what each pruning stage dropped.
        pushed_filters: Conjuncts that the source applies exactly; Daft applies them again.
        remaining_filters: Conjuncts left to Daft; the source may still prune by a part of them.
        partition_filters: Conjuncts on partition columns alone, all applied exactly by the source.
        partition_filter_split_pruning: Splits before and after the exact evaluation of the partition filters.
        requested_columns: Columns asked for; ``None``: all.
        task_columns: Columns the tasks produce.
        fallback_read_columns: Columns our reader reads.
        source_limit: LIMIT applied in the source.
        splits: Each split, when ``verbose``.
    """

    paimon_scan: ExplainResult

    native_parquet_split_count: int = 0
    native_parquet_file_count: int = 0
    pypaimon_fallback_split_count: int = 0
    pypaimon_fallback_file_count: int = 0
    fallback_reasons: dict[str, int] = field(default_factory=dict)

    pushed_filters: list[str] = field(default_factory=list)
    remaining_filters: list[str] = field(default_factory=list)
    partition_filters: list[str] = field(default_factory=list)
    partition_filter_split_pruning: tuple[int, int] | None = None

    requested_columns: list[str] | None = None
    task_columns: list[str] | None = None
    fallback_read_columns: list[str] | None = None

    requested_limit: int | None = None
    source_limit: int | None = None
    limit_pushed: bool = False

    splits: list[PaimonReaderSplitExplain] | None = None

    @property
    def total_split_count(self) -> int:
        """Splits read, whoever reads them."""
        return self.native_parquet_split_count + self.pypaimon_fallback_split_count

    @property
    def total_file_count(self) -> int:
        """Files read, whoever reads them."""
        return self.native_parquet_file_count + self.pypaimon_fallback_file_count

    def __str__(self) -> str:
        return "\n".join([*_report(self), "", str(self.paimon_scan).rstrip()])


def explain(table: PinnedTable, scan: Scan, pushdowns: Pushdowns, *, verbose: bool) -> PaimonScanExplain:
    """Describes a planned scan."""
    native = [part for part in scan.splits if part.reason is None]
    ours = [part for part in scan.splits if part.reason is not None]
    everything = scan.requested is None and scan.columns == scan.fields.names
    columns = None if everything else scan.columns
    return PaimonScanExplain(
        paimon_scan=explain_plan(
            FileStoreTable(table.native, Identifier.from_string(table.name)),
            scan.plan,
            predicate=" AND ".join(scan.row_filter.pushed + scan.partition_filter.pushed) or None,
            projection=columns,
            limit=scan.limit,
            verbose=verbose,
        ),
        native_parquet_split_count=len(native),
        native_parquet_file_count=sum(len(part.files) for part in native),
        pypaimon_fallback_split_count=len(ours),
        pypaimon_fallback_file_count=sum(len(part.files) for part in ours),
        fallback_reasons=dict(Counter(part.reason or "" for part in ours)),
        pushed_filters=scan.row_filter.pushed,
        remaining_filters=scan.row_filter.residual,
        partition_filters=[str(conjunct) for conjunct in scan.partition_filter.conjuncts],
        partition_filter_split_pruning=(
            (len(scan.plan.splits), len(scan.splits)) if scan.partition_filter.conjuncts else None
        ),
        requested_columns=scan.requested,
        task_columns=columns,
        fallback_read_columns=columns,
        requested_limit=pushdowns.limit,
        source_limit=scan.limit,
        limit_pushed=pushdowns.limit is not None and scan.limit == pushdowns.limit,
        splits=_splits(scan) if verbose else None,
    )


def _splits(scan: Scan) -> list[PaimonReaderSplitExplain]:
    return [
        PaimonReaderSplitExplain(
            partition=part.split.partition(),
            bucket=part.split.bucket,
            file_count=len(part.files),
            row_count=part.split.row_count,
            file_size=part.split.file_size,
            reader_mode=READER_MODE_NATIVE_PARQUET if part.reason is None else READER_MODE_PYPAIMON_FALLBACK,
            fallback_reason=part.reason,
            file_paths=[file.path for file in part.files],
        )
        for part in scan.splits
    ]


def _report(scan: PaimonScanExplain) -> list[str]:
    def listed(values: list[str]) -> str:
        return ", ".join(values) or "<none>"

    def columns(values: list[str] | None) -> str:
        return "<all columns>" if values is None else f"[{', '.join(values)}]"

    limit = "<none>"
    if scan.requested_limit is not None:
        limit = f"requested {scan.requested_limit}, {'pushed' if scan.limit_pushed else 'left to Daft'}"
    pruned = "n/a"
    if scan.partition_filter_split_pruning is not None:
        pruned = "{} -> {}".format(*scan.partition_filter_split_pruning)
    lines = {
        "Daft's Parquet reader": f"{scan.native_parquet_split_count} splits ({scan.native_parquet_file_count} files)",
        "Our reader": f"{scan.pypaimon_fallback_split_count} splits ({scan.pypaimon_fallback_file_count} files)",
        "Why not Daft's": listed([f"{reason}: {count}" for reason, count in sorted(scan.fallback_reasons.items())]),
        "Pushed filters": listed(scan.pushed_filters),
        "Remaining filters": listed(scan.remaining_filters),
        "Partition filters": listed(scan.partition_filters),
        "Splits by partition filters": pruned,
        "Requested columns": columns(scan.requested_columns),
        "Task columns": columns(scan.task_columns),
        "Limit": limit,
    }
    report = ["== Daft Paimon Scan ==", *(f"{label + ':':<28} {text}" for label, text in lines.items())]
    if scan.splits is not None:
        report += ["", "Splits:"]
        report += [
            f"  #{index} bucket={split.bucket} files={split.file_count} rows={split.row_count} size={split.file_size} "
            f"mode={split.reader_mode}" + (f" ({split.fallback_reason})" if split.fallback_reason else "")
            for index, split in enumerate(scan.splits)
        ]
    return report
