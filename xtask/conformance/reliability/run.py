"""Writers that meet, and writers that are killed, as processes on local files.

    python run.py --ours PYTHON --work FOLDER [--peers PYTHON] [--rounds 20] [--processes 6] [--appends 25]
        [--upserts 15] [--compacted-upserts 15] [--every-nth-kill 1]

Concurrency: each round lets several processes append to one table; afterwards the acknowledged commits, the snapshots
and the rows must be the same in number and in content. It is run undelayed, with the publishing step delayed, and (with
`--peers`) with one pypaimon writer in the mix, where only our own acknowledged commits must have left a snapshot that
we or the foreign writer published. `upserts.py` has the same for a primary-key table, and `compactions.py` for several
of them, with a process beside the writers that compacts the table.

Kills: a commit is repeated, killed at its first file operation, its second, and so on (`shim.c`). After each kill the
table must show the whole commit or nothing of it, and the next commit must work. `killed_compactions.py` has the same
for compactions.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

import compactions
import killed_compactions
import pyarrow as pa
import pypaimon
import updates
import upserts
import writers
from appender import BLOB_BYTES
from writers import acknowledged, go, together

HERE = pathlib.Path(__file__).parent
TABLE = "reliability.t"


def fresh_table(warehouse: pathlib.Path, keyed: bool = False, blobs: bool = False) -> None:
    shutil.rmtree(warehouse, ignore_errors=True)
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("reliability", True)
    columns = pa.schema([pa.field("id", pa.int64(), nullable=not keyed)])
    key, options = (["id"], {"bucket": "2"}) if keyed else (None, None)
    if blobs:
        columns, options = columns.append(pa.field("image", pa.large_binary())), updates.OPTIONS
    catalog.create_table(TABLE, pypaimon.Schema.from_pyarrow_schema(columns, primary_keys=key, options=options), False)


def rows_of(warehouse: pathlib.Path) -> list[int]:
    builder = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)}).get_table(TABLE).new_read_builder()
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits())
    if "image" in rows.column_names and any(len(blob) < BLOB_BYTES - 9 for blob in rows["image"].to_pylist()):
        raise AssertionError("a blob is not whole")
    return sorted(rows["id"].to_pylist())


def snapshots_of(warehouse: pathlib.Path) -> list[dict]:
    folder = warehouse / "reliability.db" / "t" / "snapshot"
    return [json.loads(path.read_text()) for path in folder.glob("snapshot-*")]


def start(python: str, warehouse: pathlib.Path | str, first: int, count: int, *more: str, environment=None):
    return writers.start(python, "appender.py", warehouse, TABLE, first, count, *more, environment=environment)


def meet(pythons: list[str], warehouse: pathlib.Path, appends: int, environment: dict) -> list[list[int]]:
    """Lets one process for each interpreter append at the same time; gives what each was told is committed."""
    fresh_table(warehouse)
    processes = [
        start(python, warehouse, number * appends, appends, environment=environment)
        for number, python in enumerate(pythons)
    ]
    acks = together(processes)
    codes = [process.returncode for process in processes]
    assert not any(codes) or len(set(pythons)) > 1, f"a writer of ours failed: exit codes {codes}"
    return acks


def concurrency(name: str, arguments, processes: int, environment: dict) -> list[str]:
    problems = []
    warehouse = arguments.work / "concurrency"
    total = 0
    for number in range(arguments.rounds):
        acks = meet([arguments.ours] * processes, warehouse, arguments.appends, environment)
        wanted = sorted(identity for ack in acks for identity in ack)
        rows, snapshots = rows_of(warehouse), snapshots_of(warehouse)
        total += len(wanted)
        if len(wanted) != processes * arguments.appends:
            problems.append(f"{name}, round {number}: only {len(wanted)} commits were acknowledged")
        if rows != wanted or len(snapshots) != len(wanted):
            problems.append(
                f"{name}, round {number}: {len(wanted)} acknowledged, {len(snapshots)} snapshots, {len(rows)} rows"
            )
    print(f"{name}: {arguments.rounds} rounds of {processes} x {arguments.appends}: {total} commits acknowledged")
    return problems


def with_foreign_writer(arguments) -> list[str]:
    """Ours never overwrites a snapshot; what the foreign writer overwrites is counted and told, not blamed on us."""
    warehouse = arguments.work / "foreign"
    lost_ours = lost_theirs = total = 0
    for _ in range(arguments.rounds):
        acks = meet([arguments.ours, arguments.ours, arguments.peers], warehouse, arguments.appends, {})
        rows = set(rows_of(warehouse))
        total += sum(map(len, acks))
        lost_ours += len({identity for ack in acks[:2] for identity in ack} - rows)
        lost_theirs += len(set(acks[2]) - rows)
    print(f"with a pypaimon writer: {total} acknowledged; it lost {lost_ours} of ours and {lost_theirs} of its own")
    return []


def build_shim(work: pathlib.Path) -> str:
    library = work / "shim.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "shim.c"), "-ldl"], check=True)
    return str(library)


def kills(name: str, arguments, shim: str, *more: str, **table: bool) -> list[str]:
    problems = []
    warehouse = arguments.work / "kills"
    counter = arguments.work / "operations"
    base = {"LD_PRELOAD": shim, "SHIM_ROOT": str(warehouse)}

    def attempt(kill_at: int) -> list[int]:
        process = start(
            arguments.ours,
            warehouse,
            1000,
            1,
            *more,
            environment={**base, "SHIM_KILL_AT": str(kill_at), "SHIM_COUNT_TO": str(counter)},
        )
        go(process)
        return acknowledged(process)

    def prepared() -> None:
        fresh_table(warehouse, **table)
        process = start(arguments.ours, warehouse, 0, 3)
        go(process)
        assert acknowledged(process) == [0, 1, 2]

    before, after = [0, 1, 2], [1000] if more else [0, 1, 2, 1000]
    prepared()
    assert attempt(0) == [1000] and rows_of(warehouse) == after
    operations = int(counter.read_text())
    whole = nothing = 0
    for kill_at in range(1, operations + 1):
        prepared()
        acks = attempt(kill_at)
        rows = rows_of(warehouse)
        if rows not in (before, after) or (acks and rows != after):
            problems.append(f"{name}, killed at operation {kill_at} of {operations}: acknowledged {acks}, rows {rows}")
        whole, nothing = whole + (rows == after), nothing + (rows == before)
        process = start(arguments.ours, warehouse, 2000, 1)
        go(process)
        if acknowledged(process) != [2000] or rows_of(warehouse) != sorted([*rows, 2000]):
            problems.append(f"{name}, killed at operation {kill_at}: the next commit did not work")
    print(f"{name}: killed at each of {operations} file operations: {nothing} times nothing, {whole} times all of it")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--processes", type=int, default=6)
    parser.add_argument("--appends", type=int, default=25)
    parser.add_argument("--upserts", type=int, default=15)
    parser.add_argument("--compacted-upserts", type=int, default=15, help="of each writer beside a compaction")
    parser.add_argument("--every-nth-kill", type=int, default=1, help="of the file operations of a compaction")
    arguments = parser.parse_args()
    arguments.work = arguments.work.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)

    problems = concurrency("undelayed", arguments, arguments.processes, {})
    problems += upserts.upserting("upserts", arguments, {})
    problems += upserts.overwriting("overwrites against upserts", arguments, {})
    problems += updates.updating("updates", arguments, {})
    problems += compactions.compacting("compactions", arguments, {})
    if sys.platform == "linux":
        shim = build_shim(arguments.work)
        delayed = {
            "LD_PRELOAD": shim,
            "SHIM_ROOT": str(arguments.work / "concurrency" / "reliability.db" / "t" / "snapshot"),
            "SHIM_DELAY_MS": "20",
        }
        problems += concurrency("publishing delayed by 20 ms", arguments, min(4, arguments.processes), delayed)
        problems += upserts.upserting("upserts, delayed by 20 ms", arguments, delayed)
        problems += upserts.overwriting("overwrites against upserts, delayed by 20 ms", arguments, delayed)
        problems += updates.updating("updates, delayed by 20 ms", arguments, delayed)
        problems += compactions.compacting("compactions, delayed by 20 ms", arguments, delayed)
        problems += kills("append", arguments, shim)
        problems += kills("overwrite", arguments, shim, "overwrite")
        problems += kills("upsert", arguments, shim, keyed=True)
        problems += kills("blob", arguments, shim, blobs=True)
        for table in killed_compactions.TABLES:
            problems += killed_compactions.kills(table, arguments, shim)
    if arguments.peers:
        problems += with_foreign_writer(arguments)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
