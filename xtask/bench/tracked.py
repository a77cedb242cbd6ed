"""Workloads on tables with row tracking: blobs, and deletion vectors.

The floors know where each blob lies: positions follow from the sizes, which are all the same. They read the same bytes
with `preadv` on two threads, write them into one file, and read the scalar columns as plain Parquet.
"""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import data
import pyarrow as pa
from context import Context, Workload, equal, plain, reading, rows_of

HEAD_BYTES = 4096  # what B2 reads of each blob
BEFORE, AROUND = 4, 16  # what a record has before its blob, and in all


def wanted_blobs(context: Context) -> int:
    """The blobs of one label, as bytes."""
    from daft import col
    from pypaimon.daft import read_blob

    frame = equal(context.read("blobs"), "label", data.LABEL)
    image = read_blob(col("image"), {"warehouse": str(context.warehouse)}, f"{data.DATABASE}.blobs")
    rows = frame.select("id", image.alias("image")).to_arrow()
    return checked(rows.num_rows, rows["image"], data.BLOB_BYTES)


def wanted_rust(context: Context) -> int:
    rows = context.sql(f"select id, image from blobs where label = '{data.LABEL}'")
    return checked(rows.num_rows, rows["image"], data.BLOB_BYTES)


def checked(rows: int, blobs: pa.ChunkedArray, size: int) -> int:
    found = sum(chunk.nbytes for chunk in blobs.chunks)
    if not rows * size <= found < rows * (size + 100):
        raise AssertionError(f"{found} bytes of {rows} blobs")
    return rows


def heads(context: Context) -> int:
    """The first bytes of each large blob."""
    from pypaimon.daft import open_blob

    options, table = {"warehouse": str(context.warehouse)}, f"{data.DATABASE}.blobs_large"
    read = 0
    files = context.read("blobs_large").select("image").to_pydict()["image"]
    for file in files:
        with open_blob(file, options, table) as stream:
            read += len(stream.read(HEAD_BYTES))
    if read != len(files) * HEAD_BYTES:
        raise AssertionError(f"{read} bytes read")
    return len(files)


def lengths(context: Context) -> int:
    """How many blobs of one label there are, and how long they are: without their bytes."""
    files = equal(context.read("blobs"), "label", data.LABEL).select("image").to_arrow()["image"].combine_chunks()
    sizes = getattr(files, "storage", files).field("size").to_pylist()
    if set(sizes) != {data.BLOB_BYTES}:
        raise AssertionError(f"sizes {set(sizes)}")
    return len(sizes)


def places(context: Context, table: str, size: int, each: int, rest: int) -> list[tuple[str, int]]:
    """Path and position of the blobs of the rows whose number leaves `rest` when divided by `each`."""
    if context.implementation != "floor":
        return []
    return [
        (file["path"], BEFORE + (row - file["first_row_id"]) * (size + AROUND))
        for file in context.files[table]
        if file["path"].endswith(".blob")
        for row in range(file["first_row_id"], file["first_row_id"] + file["rows"])
        if row % each == rest
    ]


def preadv(places: list[tuple[str, int]], size: int) -> int:
    descriptors = {path: os.open(path, os.O_RDONLY) for path, _ in places}
    buffer = memoryview(bytearray(len(places) * size))
    jobs = [
        (descriptors[path], buffer[number * size :][:size], position) for number, (path, position) in enumerate(places)
    ]

    def read(jobs):
        for descriptor, part, position in jobs:
            os.preadv(descriptor, [part], position)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(read, (jobs[::2], jobs[1::2])))
    return len(places)


def images(context: Context):
    """A gigabyte of blobs to write."""
    import daft

    rows = data.blobs(0, data.BLOBS, data.BLOB_BYTES, 3)
    rows = pa.concat_tables([rows.slice(first, 1000) for first in range(0, rows.num_rows, 1000)])
    if context.implementation == "floor":
        return context, rows, None
    context.create(data.BLOB, options=data.EVOLVING)
    return context, rows, None if context.implementation == "pypaimon-rust" else daft.from_arrow(rows).collect()


def write_images(state) -> int:
    """Through Daft; each file counts its rows, those of blobs too."""
    context, rows, frame = state
    context.write(frame)
    return rows.num_rows


def write_bytes(state) -> int:
    context, rows, _ = state
    shutil.rmtree(context.output, ignore_errors=True)
    context.output.mkdir(parents=True)
    with open(context.output / "blobs", "wb", buffering=0) as file:
        for batch in rows.to_batches():
            for value in batch["image"]:
                file.write(value.as_buffer())
    return rows.num_rows


TRACKED = [
    Workload(
        "B1",
        "10% of 20,000 blobs of 50 kB",
        api=lambda state: wanted_blobs(state[0]),
        rust=lambda state: wanted_rust(state[0]),
        floor=lambda state: preadv(state[1], data.BLOB_BYTES),
        setup=lambda context: (context, places(context, "blobs", data.BLOB_BYTES, data.LABELS, data.WANTED)),
        target="1.5, 115 MB",
    ),
    Workload(
        "B2",
        "the first 4 KiB of 200 blobs of 8 MiB",
        api=lambda state: heads(state[0]),
        floor=lambda state: preadv(state[1], HEAD_BYTES),
        setup=lambda context: (context, places(context, "blobs_large", data.LARGE_BLOB_BYTES, 1, 0)),
        target="0.015 s",
    ),
    Workload(
        "B3",
        "write 1 GB in 20,000 blobs",
        api=write_images,
        rust=lambda state: state[0].write_rust(state[1]),
        floor=write_bytes,
        setup=images,
        target="1.8",
    ),
    Workload(
        "B4",
        "the lengths of 10% of 20,000 blobs",
        api=lengths,
        floor=lambda context: rows_of(equal(plain(scalars(context)), "label", data.LABEL).select("id").to_arrow()),
        setup=lambda context: context,
        target="3, no blob byte",
    ),
    reading(
        "R6",
        "2M rows, 5% of them deleted",
        lambda read: read("deleted").to_arrow().num_rows,
        f"select {', '.join(data.MIXED.names)} from deleted",
        lambda context: plain(context.paths("deleted")).to_arrow().num_rows,
        "1.5",
    ),
]


def scalars(context: Context) -> list[str]:
    return [path for path in context.paths("blobs") if not path.endswith(".blob")]
