"""Writers that meet, and writers that are killed, as processes on local files.

    python run.py --ours PYTHON --work FOLDER [--peers PYTHON] [--rounds 20] [--processes 6] [--appends 25]
        [--upserts 15] [--compacted-upserts 15] [--every-nth-kill 1]

Concurrency: each round lets several processes append to one table; afterwards the acknowledged commits, the snapshots
and the rows must be the same in number and in content. It is run undelayed, with the publishing step delayed, and (with
`--peers`) with one pypaimon writer in the mix, where only our own acknowledged commits must have left a snapshot that
we or the foreign writer published. `upserts.py` has the same for a primary-key table, and `compactions.py` for tables
of every kind of buckets, with processes beside the writers that compact the table.

Kills (`kills.py`): commits of rows and compactions, each killed at its first file operation, its second, and so on.
After each kill the table must show all of it or nothing, and what comes next must work.
"""

import argparse
import json
import pathlib
import shutil
import sys

import compactions
import killed_commits
import killed_compactions
import pyarrow as pa
import pypaimon
import updates
import upserts
import writers
from killed_commits import rows_of
from kills import TABLE, build_shim, kills, table_at
from writers import together


def fresh_table(warehouse: pathlib.Path) -> None:
    shutil.rmtree(warehouse, ignore_errors=True)
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("reliability", True)
    schema = pypaimon.Schema.from_pyarrow_schema(pa.schema([pa.field("id", pa.int64())]))
    catalog.create_table(TABLE, schema, False)


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
        rows, snapshots = rows_of(table_at(warehouse)), snapshots_of(warehouse)
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
        rows = set(rows_of(table_at(warehouse)))
        total += sum(map(len, acks))
        lost_ours += len({identity for ack in acks[:2] for identity in ack} - rows)
        lost_theirs += len(set(acks[2]) - rows)
    print(f"with a pypaimon writer: {total} acknowledged; it lost {lost_ours} of ours and {lost_theirs} of its own")
    return []


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
    parser.add_argument("--every-nth-kill", type=int, default=1, help="of the operations of a compaction, for one")
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
        nth = arguments.every_nth_kill
        for victim in [*killed_commits.victims(nth), *killed_compactions.victims(nth)]:
            problems += kills(victim, arguments, shim)
    if arguments.peers:
        problems += with_foreign_writer(arguments)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
