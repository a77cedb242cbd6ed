"""Workloads: the same work through each implementation, and the floor of it.

A workload gives a function for each implementation that can do it; `setup` is not timed. Answers are compared by the
number of rows (and by a sum where one is cheap), so that speed is never that of a wrong answer.
"""

import dataclasses
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import data
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq


@dataclasses.dataclass(frozen=True)
class Workload:
    """One row of the report."""

    name: str
    what: str
    api: Callable[[Any], int]  # through `pypaimon.daft`: ours and Apache's
    floor: Callable[[Any], int] | None
    rust: Callable[[Any], int] | None = None
    setup: Callable[["Context"], Any] = lambda context: None
    target: str = ""


class Context:
    """Where a workload runs, and how one implementation opens and makes tables there."""

    def __init__(self, implementation: str, warehouse: pathlib.Path, output: pathlib.Path):
        self.implementation = implementation
        self.warehouse = warehouse
        self.output = output
        self.files = json.loads((warehouse / "files.json").read_text())

    def read(self, name: str):
        from pypaimon.daft import read_paimon

        return read_paimon(f"{data.DATABASE}.{name}", {"warehouse": str(self.warehouse)})

    def sql(self, query: str) -> pa.Table | None:
        import pypaimon_rust.datafusion as rust

        session = rust.SQLContext()
        session.register_catalog("p", {"warehouse": str(self.warehouse)}, default_database=data.DATABASE)
        session.set_current_catalog("p")
        session.set_current_database(data.DATABASE)
        batches = session.sql(query)
        return pa.Table.from_batches(batches) if batches else None

    def paths(self, name: str, partition: dict | None = None) -> list[str]:
        return [file["path"] for file in self.files[name] if partition is None or file["partition"] == partition]

    def create(self, schema: pa.Schema, partition_keys=()) -> None:
        """An empty output table; peers that cannot create tables have pypaimon do it."""
        import pypaimon

        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)
        catalog = pypaimon.CatalogFactory.create({"warehouse": str(self.output)})
        catalog.create_database(data.DATABASE, True)
        options = {"metadata.stats-mode": "full"}
        catalog.create_table(
            f"{data.DATABASE}.t",
            pypaimon.Schema.from_pyarrow_schema(schema, partition_keys=list(partition_keys), options=options),
            False,
        )

    def write(self, frame, mode="append") -> int:
        from pypaimon.daft import write_paimon

        result = write_paimon(frame, f"{data.DATABASE}.t", {"warehouse": str(self.output)}, mode=mode)
        return sum(result.to_pydict()["rows"])

    def write_rust(self, rows: pa.Table, overwrite=False) -> int:
        import pypaimon_rust.datafusion as rust

        builder = rust.PaimonCatalog({"warehouse": str(self.output)}).get_table(f"{data.DATABASE}.t")
        builder = builder.new_batch_write_builder()
        if overwrite:
            builder = builder.with_overwrite()
        write = builder.new_write()
        for batch in rows.to_batches():
            write.write_arrow(batch)
        builder.new_commit().commit(write.prepare_commit())
        return rows.num_rows

    def write_floor(self, chunks: list[pa.Table]) -> int:
        """Pyarrow's Parquet writer alone, on two threads."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)

        def write(numbered):
            number, chunk = numbered
            pq.write_table(chunk, self.output / f"{number}.parquet", compression="zstd", compression_level=1)
            return chunk.num_rows

        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(write, enumerate(chunks)))


# ---------------------------------------------------------------------------------------------------- reading


def reading(name, what, query, sql, floor, target="") -> Workload:
    """A workload that reads: `query` takes a function from table name to frame."""
    return Workload(
        name,
        what,
        api=lambda context: query(context.read),
        rust=(lambda context: rows_of(context.sql(sql))) if sql else None,
        floor=floor,
        setup=lambda context: context,
        target=target,
    )


def rows_of(table: pa.Table | None) -> int:
    return table.num_rows if table is not None else 0


def in_range(frame):
    from daft import col

    return frame.where((col("id") >= data.RANGE_START) & (col("id") < data.RANGE_END)).select("id", "v")


def equal(frame, column, value):
    from daft import col

    return frame.where(col(column) == value)


def plain(paths):
    """Daft's own Parquet reader."""
    import daft

    return daft.read_parquet(paths)


def range_file(context: Context) -> list[str]:
    """The file that R2's range lies in, as its footer says."""

    def overlaps(path):
        statistics = pq.ParquetFile(path).metadata.row_group(0).column(0).statistics
        return statistics.max >= data.RANGE_START and statistics.min < data.RANGE_END

    return [path for path in context.paths("scan") if overlaps(path)]


def manifests(context: Context, name: str, only: int | None = None) -> int:
    """Reads and decompresses the live manifests, without decoding them."""
    import fastavro
    import zstandard

    root = context.warehouse / f"{data.DATABASE}.db" / name
    snapshot = json.loads((root / "snapshot" / f"snapshot-{(root / 'snapshot' / 'LATEST').read_text()}").read_text())
    names = []
    for key in ("baseManifestList", "deltaManifestList"):
        with open(root / "manifest" / snapshot[key], "rb") as file:
            names += [record["_FILE_NAME"] for record in fastavro.reader(file)]
    decompressed = 0
    for manifest in names[:only]:
        decompressed += sum(map(len, blocks((root / "manifest" / manifest).read_bytes(), zstandard)))
    return 1 if decompressed else 0


def blocks(container: bytes, zstandard):
    """The decompressed blocks of an Avro container."""
    sync = container[-16:]
    position = container.index(sync) + 16

    def number():
        nonlocal position
        value = shift = 0
        while True:
            byte = container[position]
            position += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return (value >> 1) ^ -(value & 1)

    while position < len(container):
        number()
        size = number()
        yield zstandard.ZstdDecompressor().decompressobj().decompress(container[position : position + size])
        position += size + 16


def total(frame) -> int:
    from daft import col

    return frame.agg(col("id").sum(), col("v").sum(), col("k").sum()).to_arrow().num_rows


# A point in the 50,000 files with the partition that holds it, and one in the 2,000 snapshots.
FILES_OF_PARTITION = max(1, data.MANY_FILES // 10)  # in one commit, which has ten partitions
MANY_ROWS = data.MANY_COMMITS * 10 * FILES_OF_PARTITION * 10
POINT = MANY_ROWS // 2 + 3
POINT_COMMIT, POINT_PART = divmod(POINT // 10 // FILES_OF_PARTITION, 10)
POINT_DAY = f"p{POINT_COMMIT // 10 * 10 + POINT_PART:03}"
SNAPSHOT_POINT = data.SNAPSHOTS * 50 + 3


READS = [
    reading(
        "R0",
        "first 10-row read of a process",
        lambda read: read("tiny").to_arrow().num_rows,
        "select * from tiny",
        lambda context: plain(context.paths("tiny")).to_arrow().num_rows,
        "0.1 s",
    ),
    reading(
        "R1",
        "full scan, 10M rows of 8 columns",
        lambda read: read("scan").to_arrow().num_rows,
        "select * from scan",
        lambda context: plain(context.paths("scan")).to_arrow().num_rows,
        "1.08",
    ),
    reading(
        "R1c",
        "count_rows()",
        lambda read: read("scan").count_rows(),
        None,
        lambda context: plain(context.paths("scan")).count_rows(),
        "0 data files",
    ),
    reading(
        "R1s",
        "sums of three columns",
        lambda read: total(read("scan")),
        "select sum(id), sum(v), sum(k) from scan",
        lambda context: total(plain(context.paths("scan"))),
        "1.08",
    ),
    Workload(
        "R2",
        "a range that lies in one file, statistics kept",
        api=lambda state: in_range(state[0].read("scan")).to_arrow().num_rows,
        rust=lambda state: rows_of(
            state[0].sql(f"select id, v from scan where id >= {data.RANGE_START} and id < {data.RANGE_END}")
        ),
        floor=lambda state: in_range(plain(state[1])).to_arrow().num_rows,
        setup=lambda context: (context, range_file(context)),
        target="1.15 or +5 ms",
    ),
    reading(
        "R2k",
        "one of 1,000 values, in every file",
        lambda read: equal(read("scan"), "k", 7).select("id", "name").to_arrow().num_rows,
        "select id, name from scan where k = 7",
        lambda context: equal(plain(context.paths("scan")), "k", 7).select("id", "name").to_arrow().num_rows,
        "1.15 or +5 ms",
    ),
    reading(
        "R2n",
        "the range of R2 without statistics",
        lambda read: in_range(read("scan_nostats")).to_arrow().num_rows,
        f"select id, v from scan_nostats where id >= {data.RANGE_START} and id < {data.RANGE_END}",
        lambda context: in_range(plain(context.paths("scan_nostats"))).to_arrow().num_rows,
        "1.15 or +5 ms",
    ),
    reading(
        "R3",
        "one of 1,000 partitions",
        lambda read: equal(read("parts"), "dt", "p0000").to_arrow().num_rows,
        "select * from parts where dt = 'p0000'",
        lambda context: plain(context.paths("parts", {"dt": "p0000"})).to_arrow().num_rows,
        "1.15 or +5 ms",
    ),
    reading(
        "R7",
        "plan 50,000 files: partition and point",
        lambda read: equal(equal(read("many"), "dt", POINT_DAY), "id", POINT).to_arrow().num_rows,
        f"select * from many where dt = '{POINT_DAY}' and id = {POINT}",
        lambda context: manifests(context, "many", 1),
        "2",
    ),
    reading(
        "R7f",
        "plan 50,000 files: point",
        lambda read: equal(read("many"), "id", POINT).to_arrow().num_rows,
        f"select * from many where id = {POINT}",
        lambda context: manifests(context, "many"),
        "3",
    ),
    reading(
        "R7l",
        "LIMIT 10 over 50,000 files",
        lambda read: read("many").limit(10).to_arrow().num_rows,
        "select * from many limit 10",
        lambda context: 10 * manifests(context, "many", 1),
        "5",
    ),
    reading(
        "R7c",
        "count over 50,000 files",
        lambda read: read("many").count_rows(),
        None,
        lambda context: manifests(context, "many") * MANY_ROWS,
        "2",
    ),
    reading(
        "R7s",
        "a point in 2,000 files without statistics",
        lambda read: equal(read("snapshots"), "id", SNAPSHOT_POINT).to_arrow().num_rows,
        f"select * from snapshots where id = {SNAPSHOT_POINT}",
        lambda context: manifests(context, "snapshots"),
        "5",
    ),
    reading(
        "R9",
        "LIMIT 10",
        lambda read: read("scan").limit(10).to_arrow().num_rows,
        "select * from scan limit 10",
        lambda context: next(pq.ParquetFile(context.paths("scan")[0]).iter_batches(10)).num_rows,
        "1.2, 15 MB",
    ),
]


# ---------------------------------------------------------------------------------------------------- writing


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

WORKLOADS = {workload.name: workload for workload in READS + WRITES}
