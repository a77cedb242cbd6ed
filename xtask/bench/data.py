"""Deterministic input of the benchmarks: sizes and columns."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SCALE = float(os.environ.get("PAIMON_BENCH_SCALE", "1"))
DATABASE = "bench"


def scaled(count: int) -> int:
    """`count` times the scale, at least 1."""
    return max(1, int(count * SCALE))


SCAN_FILES = 20
SCAN_ROWS = scaled(500_000)  # of each file
PARTITIONS, PARTITION_ROWS = scaled(1000), 2000
MANY_COMMITS, MANY_FILES = 100, scaled(500)  # files of each commit
SNAPSHOTS = scaled(2000)

# Primary-key tables: as many runs as commits, which overlap because each draws from the same keys.
KEYED_BUCKETS, KEYED_RUNS = 4, 6
KEYED_ROWS, KEYED_KEYS = scaled(1_000_000) // KEYED_RUNS, scaled(500_000)  # of each run; of all
MERGED_BUCKETS, MERGED_RUNS = 2, 5
MERGED_ROWS, MERGED_KEYS = scaled(1_000_000) // MERGED_RUNS, scaled(400_000)
UPSERTS = scaled(400_000)

# Tables with row tracking.
BLOBS, BLOB_BYTES = scaled(20_000), 50_000
LARGE_BLOBS, LARGE_BLOB_BYTES = scaled(200), 8 << 20
LABELS, WANTED = 10, 3  # one label of ten is asked for
LABEL = f"label {WANTED}"
DELETED_FILES, DELETED_ROWS = 4, scaled(500_000)  # of each file; one row of 20 is deleted
EVOLVING = {"row-tracking.enabled": "true", "data-evolution.enabled": "true"}

# R2 reads this range of `id`, which lies in one file.
RANGE_START = 4 * SCAN_ROWS + SCAN_ROWS // 500
RANGE_END = RANGE_START + SCAN_ROWS // 5

MIXED = pa.schema(
    [
        ("id", pa.int64()),
        ("k", pa.int32()),
        ("v", pa.float64()),
        ("dec", pa.decimal128(18, 2)),
        ("cat", pa.string()),
        ("name", pa.string()),
        ("ts", pa.timestamp("us")),
        ("d", pa.date32()),
    ]
)
KEYED = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        ("k", pa.int32()),
        ("v", pa.float64()),
        ("cat", pa.string()),
        ("name", pa.string()),
        ("ts", pa.timestamp("us")),
    ]
)
NARROW = pa.schema([("id", pa.int64()), ("k", pa.int32()), ("v", pa.float64()), ("name", pa.string())])
BLOB = pa.schema([("id", pa.int64()), ("label", pa.string()), ("image", pa.large_binary())])
MANY = pa.schema([("id", pa.int64()), ("v", pa.float64()), ("name", pa.string()), ("dt", pa.string())])


def mixed(first: int, rows: int, seed: int) -> pa.Table:
    """Eight columns of mixed types; `id` counts from `first`."""
    source = np.random.default_rng([7, seed])
    ids = np.arange(first, first + rows)
    cents = source.integers(-(10**9), 10**9, rows)
    categories = pa.array([f"category {i:02}" for i in range(50)])
    logins = pc.binary_join_element_wise(pa.array(source.integers(0, 10**12, rows)).cast(pa.string()), "mail", "@")
    return pa.table(
        [
            pa.array(ids),
            pa.array(source.integers(0, 1000, rows, dtype=np.int32)),
            pa.array(source.standard_normal(rows)),
            decimals(cents),
            categories.take(pa.array(source.integers(0, 50, rows))),
            logins,
            pa.array(1_700_000_000_000_000 + ids * 1000).cast(pa.timestamp("us")),
            pa.array((19_000 + source.integers(0, 365, rows)).astype(np.int32)).cast(pa.date32()),
        ],
        schema=MIXED,
    )


def keyed(ids: np.ndarray, seed: int, nulls: float = 0.0) -> pa.Table:
    """A version of the rows with these keys; the part `nulls` of the other values is NULL."""
    source = np.random.default_rng([9, seed])
    rows = mixed(0, len(ids), 2000 + seed)
    times = 1_700_000_000_000_000 + ids * 1000 + source.integers(0, 1000, len(ids))
    columns = [rows["k"], rows["v"], rows["cat"], rows["name"], pa.array(times).cast(pa.timestamp("us"))]
    if nulls:
        columns = [
            pc.if_else(pa.array(source.random(len(ids)) < nulls), pa.scalar(None, column.type), column)
            for column in columns
        ]
    return pa.table([pa.array(ids), *columns], schema=KEYED)


def upserted(rows: int, keys: int, seed: int, nulls: float = 0.0) -> pa.Table:
    """A version of `rows` of the keys from 0 to `keys`, in no order, each once."""
    return keyed(np.random.default_rng([10, seed]).choice(keys, rows, replace=False), seed, nulls)


def blobs(first: int, count: int, size: int, seed: int) -> pa.Table:
    """Rows of `BLOB` of `size` random bytes each; `id` counts from `first`."""
    payload = pa.py_buffer(np.random.default_rng([12, seed]).bytes(count * size))
    offsets = pa.py_buffer(np.arange(0, (count + 1) * size, size, dtype=np.int64))
    images = pa.Array.from_buffers(pa.large_binary(), count, [None, offsets, payload])
    ids = range(first, first + count)
    return pa.table([pa.array(ids), [f"label {i % LABELS}" for i in ids], images], schema=BLOB)


def decimals(unscaled: np.ndarray) -> pa.Array:
    """DECIMAL(18, 2) of 64-bit unscaled values, without a loop."""
    words = np.stack([unscaled, unscaled >> 63], axis=1).astype(np.int64)
    return pa.Array.from_buffers(pa.decimal128(18, 2), len(unscaled), [None, pa.py_buffer(words.tobytes())])


def narrow(first: int, rows: int) -> pa.Table:
    """Four columns; `id` counts from `first`."""
    ids = np.arange(first, first + rows)
    names = [f"row {i}" for i in ids]
    return pa.table([ids, (ids % 97).astype(np.int32), ids * 0.5, pa.array(names)], schema=NARROW)


def partitioned(rows: int, partitions: int, seed: int) -> pa.Table:
    """`mixed` with a column `dt` of as many values as partitions, at random."""
    values = pa.array([f"p{i:04}" for i in range(partitions)])
    days = values.take(pa.array(np.random.default_rng([8, seed]).integers(0, partitions, rows)))
    return mixed(0, rows, seed).append_column("dt", days)
