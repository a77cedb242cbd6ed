"""Workloads that read append tables."""

import json

import data
import pyarrow.parquet as pq
from context import Context, Workload, equal, plain, reading, rows_of


def in_range(frame):
    from daft import col

    return frame.where((col("id") >= data.RANGE_START) & (col("id") < data.RANGE_END)).select("id", "v")


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
