"""Memory of writing, and of reading back, one bucket of ten times the write buffer.

    python memory.py --work FOLDER --report FOLDER [--budget 32] [--times 10]

Rows arrive in small batches with keys in no order, many of them twice. Once the write buffer spills to disk and leaves
one sorted run; once it may not, and leaves a run for each time it was full, so that the read merges them. Each write
and each read is a process of its own; what counts is its peak above what it had before (`VmHWM`, Linux only). It must
stay under the budget, two row groups (its pages, and its bytes on their way out), and `CONSTANT_MB`. A row group is
as large as the budget, up to 128 MiB. The report is a table (memory.md).
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
from cost import peak_bytes

#: What a write or a read may take besides: a batch of each run on disk, pages of open files, batches on their way.
CONSTANT_MB = 160
ROW_GROUP_MB = 128
BATCH_ROWS, PAYLOAD_BYTES = 8192, 200
ROW_BYTES = 8 + 4 + PAYLOAD_BYTES
#: Rows for each key.
VERSIONS = 1.2
SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), ("payload", pa.string())])


def batches(rows: int):
    """Rows of `ROW_BYTES` each, made as they are taken."""
    source = np.random.default_rng(1)
    digits = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    offsets = pa.py_buffer(np.arange(0, (BATCH_ROWS + 1) * PAYLOAD_BYTES, PAYLOAD_BYTES, dtype=np.int32))
    for _ in range(rows // BATCH_ROWS):
        ids = source.integers(0, int(rows / VERSIONS), BATCH_ROWS)
        text = digits[source.integers(0, 16, BATCH_ROWS * PAYLOAD_BYTES, dtype=np.uint8)]
        payload = pa.StringArray.from_buffers(BATCH_ROWS, offsets, pa.py_buffer(text))
        yield pa.record_batch([pa.array(ids), payload], schema=SCHEMA)


def opened(warehouse: str, name: str):
    import pypaimon

    return pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(f"bench.{name}")


def write(table, rows: int) -> int:
    """Gives the number of distinct keys."""
    builder = table.new_batch_write_builder()
    seen = np.zeros(rows, dtype=bool)
    with builder.new_write() as writer, builder.new_commit() as commit:
        for batch in batches(rows):
            seen[batch["id"].to_numpy()] = True
            writer.write_arrow_batch(batch)
        commit.commit(writer.prepare_commit())
    return int(seen.sum())


def read(table) -> int:
    """Gives the number of rows, which are counted a batch at a time."""
    builder = table.new_read_builder()
    splits = builder.new_scan().plan().splits()
    return sum(batch.num_rows for batch in builder.new_read().to_arrow_batch_reader(splits))


def run(step: str, warehouse: str, name: str, rows: int) -> None:
    """One step in this process."""
    write(opened(warehouse, "small"), BATCH_ROWS)
    read(opened(warehouse, "small"))
    table = opened(warehouse, name)
    base = peak_bytes(reset=True)
    counted = write(table, rows) if step == "write" else read(table)
    print(json.dumps({"rows": counted, "extra_mb": (peak_bytes() - base) / (1 << 20)}))


def create(warehouse: pathlib.Path, budget: int) -> dict[str, dict]:
    """The tables with their options."""
    import pypaimon

    shutil.rmtree(warehouse, ignore_errors=True)
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("bench", True)
    tables = {
        name: {"bucket": "1", "write-buffer-size": f"{budget} mb", "write-buffer-spillable": spillable}
        for name, spillable in (("small", "true"), ("spilled", "true"), ("flushed", "false"))
    }
    for name, options in tables.items():
        schema = pypaimon.Schema.from_pyarrow_schema(SCHEMA, primary_keys=["id"], options=options)
        catalog.create_table(f"bench.{name}", schema, False)
    return tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--report", type=pathlib.Path, required=True)
    parser.add_argument("--budget", type=int, default=32, help="the write buffer in MiB")
    parser.add_argument("--times", type=int, default=10, help="size of the bucket as a multiple of it")
    arguments = parser.parse_args()

    rows = arguments.times * (arguments.budget << 20) // ROW_BYTES
    warehouse = arguments.work / "warehouse"
    create(warehouse, arguments.budget)
    most = arguments.budget + 2 * min(arguments.budget, ROW_GROUP_MB) + CONSTANT_MB
    table = ["| write buffer | step | rows | files | MB above the base | at most |", "|---" * 6 + "|"]
    missed = []
    for name in ("spilled", "flushed"):
        counted = {}
        for step in ("write", "read"):
            command = [sys.executable, __file__, step, str(warehouse), name, str(rows)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            measured = json.loads(output.strip().splitlines()[-1])
            counted[step] = measured["rows"]
            files = len(list((warehouse / "bench.db" / name / "bucket-0").iterdir()))
            cells = [f"{arguments.budget} MiB, {name}", step, f"{measured['rows']:,}", str(files)]
            table.append("| " + " | ".join([*cells, f"{measured['extra_mb']:.0f}", str(most)]) + " |")
            print(table[-1], flush=True)
            if measured["extra_mb"] > most:
                missed.append(f"missed: {name}, {step}")
        if counted["read"] != counted["write"]:
            missed.append(f"wrong: {counted['read']} rows of {name} are read, {counted['write']} keys were written")
    arguments.report.mkdir(parents=True, exist_ok=True)
    heading = f"A bucket of {arguments.times} times the write buffer, {rows:,} rows of {ROW_BYTES} bytes."
    (arguments.report / "memory.md").write_text("\n".join(["# Memory", "", heading, "", *table, ""]))
    print("\n".join([*missed, f"report: {arguments.report / 'memory.md'}"]))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    if sys.argv[1:2] in (["write"], ["read"]):
        run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
