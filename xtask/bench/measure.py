"""Runs one workload with one implementation in this process and prints what it cost, as one JSON line.

    python measure.py {ours,pypaimon,pypaimon-native,pypaimon-rust,floor} WORKLOAD WAREHOUSE OUTPUT

CPU seconds are the process's and its children's, bytes are those that went through read calls, memory is the peak
above what the input took. Imports, inputs and (but for R0) a first small read are not counted.
"""

import json
import logging
import pathlib
import sys
import time

import daft
import data
from context import Context, plain
from cost import bytes_read, cpu_seconds, peak_bytes
from workloads import WORKLOADS


def main(implementation: str, name: str, warehouse: str, output: str) -> None:
    logging.disable(logging.WARNING)
    daft.set_runner_native()
    context = Context(implementation, pathlib.Path(warehouse), pathlib.Path(output))
    if implementation in ("ours", "pypaimon", "pypaimon-native"):
        import pypaimon.daft  # noqa: F401
    workload = WORKLOADS[name]
    run = {"floor": workload.floor, "pypaimon-rust": workload.rust}.get(implementation, workload.api)
    if run is None:
        print(json.dumps({"skipped": True}))
        return
    if name != "R0":
        warm_up(context)
    state = workload.setup(context)
    base = peak_bytes(reset=True)
    started, cpu, read = time.perf_counter(), cpu_seconds(), bytes_read()
    rows = run(state)
    measured = {
        "rows": rows,
        "seconds": time.perf_counter() - started,
        "cpu": cpu_seconds() - cpu,
        "read_mb": (bytes_read() - read) / 1e6,
        "extra_mb": (peak_bytes() - base) / 1e6,
    }
    print(json.dumps(measured))


def warm_up(context: Context) -> None:
    """Reads of 10 rows, plain, merged and with blobs, so that lazy imports and thread pools are there."""
    for table in ("tiny", "tiny", "keyed_tiny"):
        if context.implementation == "floor":
            plain(context.paths(table)).to_arrow()
        elif context.implementation == "pypaimon-rust":
            context.sql(f"select * from {table}")
        else:
            context.read(table).to_arrow()
    if context.implementation in ("ours", "pypaimon", "pypaimon-native"):
        from pypaimon.daft import read_blob

        small = context.read("blobs_tiny")
        options, name = {"warehouse": str(context.warehouse)}, f"{data.DATABASE}.blobs_tiny"
        small.select(read_blob(small["image"], options, name)).to_arrow()


if __name__ == "__main__":
    main(*sys.argv[1:])
