"""Workloads that write append tables."""

import itertools
import os
import pathlib
import shutil
import subprocess
import sys

import data
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from context import Context, Workload


def writing(name, what, rows, partition_keys=(), before=None, mode="append", chunks=None, target="0.8") -> Workload:
    """A workload that writes the table `rows()` once; `before()` is written first, untimed."""

    def setup(context: Context):
        import daft

        table = rows()
        floor = chunks or halves
        if context.implementation == "floor":
            return context, table, None, floor
        context.create(table.schema, partition_keys)
        if before is not None:
            if context.implementation == "pypaimon-rust":
                context.write_rust(before())
            else:
                context.write(daft.from_arrow(before()))
        frame = None if context.implementation == "pypaimon-rust" else daft.from_arrow(table).collect()
        return context, table, frame, floor

    return Workload(
        name,
        what,
        api=lambda state: state[0].write(state[2], mode),
        rust=lambda state: state[0].write_rust(state[1], mode == "overwrite"),
        floor=lambda state: state[0].write_floor(state[3](state[1])),
        setup=setup,
        target=target,
    )


def halves(table: pa.Table) -> list[pa.Table]:
    middle = table.num_rows // 2
    return [table.slice(0, middle), table.slice(middle)]


def by_partition(table: pa.Table) -> list[pa.Table]:
    """One chunk for each value of `dt`: the routing is a part of the floor."""
    ordered = table.take(pc.sort_indices(table["dt"]))
    runs = pc.run_end_encode(ordered["dt"].combine_chunks())
    ends = [0, *runs.run_ends.to_pylist()]
    return [ordered.slice(start, end - start) for start, end in itertools.pairwise(ends)]


def commits(context: Context):
    import daft

    tables = [data.narrow(number * 100, 100) for number in range(100)]
    if context.implementation == "floor":
        shutil.rmtree(context.output, ignore_errors=True)
        context.output.mkdir(parents=True)
        return context, tables, None
    context.create(data.NARROW)
    frames = None if context.implementation == "pypaimon-rust" else [daft.from_arrow(table) for table in tables]
    return context, tables, frames


def commit_files(state) -> int:
    """What a commit leaves behind: a data file, three metadata files, a linked snapshot."""
    context, tables, _ = state
    for number, table in enumerate(tables):
        folder = context.output / str(number)
        folder.mkdir()
        pq.write_table(table, folder / "data.parquet", compression="zstd", compression_level=1)
        for name in ("manifest", "base", "delta", ".snapshot"):
            (folder / name).write_bytes(b"x" * 1500)
        os.link(folder / ".snapshot", folder / "snapshot")
        (folder / ".snapshot").unlink()
    return sum(table.num_rows for table in tables)


def committers(state) -> int:
    """Four processes that append 25 times each; gives the rows that can be read afterwards."""
    context, _, _ = state
    script = pathlib.Path(__file__).with_name("committer.py")
    command = [sys.executable, str(script), context.implementation, str(context.output)]
    processes = [subprocess.Popen([*command, str(number)]) for number in range(4)]
    codes = [process.wait() for process in processes]
    if any(codes):
        raise RuntimeError(f"committers ended with {codes}")
    # Counted from the snapshots alone: each acknowledged commit must have left one.
    return 100 * len(list((context.output / f"{data.DATABASE}.db" / "t" / "snapshot").glob("snapshot-*")))


WRITES = [
    writing("W1", "5M rows", lambda: data.mixed(0, data.scaled(5_000_000), 1)),
    writing(
        "W2",
        "2M rows into 200 partitions",
        lambda: data.partitioned(data.scaled(2_000_000), 200, 2),
        ["dt"],
        chunks=by_partition,
    ),
    writing(
        "W4",
        "overwrite 10 of 50 partitions, 1M rows",
        lambda: data.partitioned(data.scaled(1_000_000), 10, 4),
        ["dt"],
        before=lambda: data.partitioned(data.scaled(1_000_000), 50, 3),
        mode="overwrite",
        chunks=by_partition,
    ),
    Workload(
        "W5",
        "100 commits of 100 rows",
        api=lambda state: sum(state[0].write(frame) for frame in state[2]),
        rust=lambda state: sum(state[0].write_rust(table) for table in state[1]),
        floor=commit_files,
        setup=commits,
        target="2.5",
    ),
    Workload(
        "W6",
        "4 processes, 25 commits each",
        api=committers,
        rust=committers,
        floor=None,
        setup=commits,
        target="no loss, < rust",
    ),
]
