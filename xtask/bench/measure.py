"""Runs one workload with one implementation in this process and prints what it cost, as one JSON line.

    python measure.py {ours,pypaimon,pypaimon-rust,floor} WORKLOAD WAREHOUSE OUTPUT

CPU seconds are the process's and its children's, bytes are those that went through read calls, memory is the peak
above what the input took. Imports, inputs and (but for R0) a first small read are not counted.
"""

import contextlib
import json
import logging
import pathlib
import resource
import sys
import time

import daft
from workloads import WORKLOADS, Context, plain


def cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def bytes_read() -> int:
    """Bytes through read calls so far; 0 where the system does not say."""
    try:
        lines = pathlib.Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


def peak_bytes(reset: bool = False) -> int:
    if reset:
        with contextlib.suppress(OSError):
            pathlib.Path("/proc/self/clear_refs").write_text("5")
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(implementation: str, name: str, warehouse: str, output: str) -> None:
    logging.disable(logging.WARNING)
    daft.set_runner_native()
    context = Context(implementation, pathlib.Path(warehouse), pathlib.Path(output))
    if implementation in ("ours", "pypaimon"):
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
    """A 10-row read twice, so that lazy imports and thread pools are there."""
    for _ in range(2):
        if context.implementation == "floor":
            plain(context.paths("tiny")).to_arrow()
        elif context.implementation == "pypaimon-rust":
            context.sql("select * from tiny")
        else:
            context.read("tiny").to_arrow()


if __name__ == "__main__":
    main(*sys.argv[1:])
