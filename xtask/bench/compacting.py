"""Workloads of compaction.

The floor of a full compaction is what it cannot do without: a merged read of the table, by us too, and Pyarrow's writer
on the rows that come out. A compacted table has nothing left to merge, so the floor of reading it is Daft's own reader.
"""

import shutil
import time
from collections import Counter

import data
from context import Context, Workload, plain

#: Commits of `C3`.
COMMITS = data.scaled(1_000)
#: Planning a table that is compacted as it is written may take so long, seconds.
PLAN_SECONDS = 0.05
#: Sorted runs that a bucket may have: the default of 'num-sorted-run.compaction-trigger'.
TRIGGER = 5


def table_at(warehouse, name: str):
    import pypaimon

    return pypaimon.CatalogFactory.create({"warehouse": str(warehouse)}).get_table(f"{data.DATABASE}.{name}")


def splits_of(table) -> list:
    return table.new_read_builder().new_scan().plan().splits()


def paths_of(table) -> list[str]:
    files = [file for split in splits_of(table) for file in split.files]
    return [str(file.file_path).removeprefix("file://") for file in files]


def copied(context: Context, name: str):
    """A table as it was written, to be compacted."""
    if context.implementation == "floor":
        return context, None
    shutil.rmtree(context.output, ignore_errors=True)
    folder = f"{data.DATABASE}.db"
    shutil.copytree(context.warehouse / folder / name, context.output / folder / name)
    return context, table_at(context.output, name)


def large(context: Context):
    """10 million rows in 6 runs; the floor's is the same."""
    import daft

    rows, keys = data.scaled(10_000_000) // data.KEYED_RUNS, data.scaled(5_000_000)
    options = {"bucket": str(data.KEYED_BUCKETS), "write-only": "true"}
    context.create(data.KEYED, primary_keys=["id"], options=options)
    for run in range(data.KEYED_RUNS):
        context.write(daft.from_arrow(data.upserted(rows, keys, 900 + run)))
    return context, table_at(context.output, "t")


def compact(state) -> int:
    """Gives the rows that are left."""
    _, table = state
    summary = table.compact(full=True).to_pydict()
    buckets = [rows for rows, work in zip(summary["rows_after"], summary["work"]) if work != "manifests"]
    return sum(buckets)


def read_and_write(context: Context, frame) -> int:
    merged = frame.to_arrow()
    step = -(-merged.num_rows // data.KEYED_BUCKETS)
    return context.write_floor([merged.slice(start, step) for start in range(0, merged.num_rows, step)])


def floor_of_large(state) -> int:
    from pypaimon.daft import read_paimon

    context, _ = state
    frame = read_paimon(f"{data.DATABASE}.t", {"warehouse": str(context.output)})
    merged = frame.to_arrow()
    context.output = context.output.with_name("output-floor")
    return context.write_floor([merged])


def compacted(context: Context):
    """A compacted table, and its files."""
    shutil.rmtree(context.output, ignore_errors=True)
    folder = f"{data.DATABASE}.db"
    shutil.copytree(context.warehouse / folder / "keyed", context.output / folder / "keyed")
    table_at(context.output, "keyed").compact(full=True).collect()
    return context, paths_of(table_at(context.output, "keyed"))


def read_compacted(state) -> int:
    from pypaimon.daft import read_paimon

    context, _ = state
    return read_paimon(f"{data.DATABASE}.keyed", {"warehouse": str(context.output)}).to_arrow().num_rows


def streaming(context: Context):
    context.create(data.KEYED, primary_keys=["id"], options={"bucket": "2"})
    return context


def commit_often(context: Context) -> int:
    """Small upserts that are compacted as they come; afterwards plans are fast, and no bucket has many files."""
    import daft

    for number in range(COMMITS):
        context.write(daft.from_arrow(data.upserted(100, 100_000, 5000 + number)))
    table = table_at(context.output, "t")
    splits_of(table)
    started = time.perf_counter()
    splits = splits_of(table)
    seconds = time.perf_counter() - started
    files = Counter()
    for split in splits:
        files[split.bucket] += len({file.file_name for file in split.files if file.level == 0})
    if seconds > PLAN_SECONDS or max(files.values()) > TRIGGER:
        raise RuntimeError(f"a plan after {COMMITS} commits takes {seconds:.3f} s, files of level 0: {dict(files)}")
    return COMMITS * 100


COMPACTING = [
    Workload(
        "C1",
        "compact 6 runs, 1M rows, fully",
        api=compact,
        floor=lambda state: read_and_write(state[0], state[0].read("keyed")),
        setup=lambda context: copied(context, "keyed"),
        target="1.3",
    ),
    Workload(
        "C2",
        "read what C1 leaves",
        api=read_compacted,
        floor=lambda state: plain(state[1]).select(*data.KEYED.names).to_arrow().num_rows,
        setup=compacted,
        target="1.15",
    ),
    Workload(
        "C3",
        f"{COMMITS} upserts of 100 rows, compacted as they come",
        api=commit_often,
        floor=None,
        setup=streaming,
        target="plan < 50 ms",
    ),
    Workload(
        "C4",
        "compact 6 runs, 10M rows, fully",
        api=compact,
        floor=floor_of_large,
        setup=large,
        target="1.3",
    ),
]
