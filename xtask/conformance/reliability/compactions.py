"""Writers of one primary-key table, and a process beside them that compacts it all the time.

Writers compact what they commit, too, as far as their table asks for it. Each acknowledged commit must be visible at
once to its writer; each state that is read must have every key once, and where readers see level 0, too, be that of
whole commits. At the end the table must hold what was acknowledged, before and after a last full compaction.
"""

import argparse
import pathlib

from pypaimon.daft import read_paimon
from upserter import HOT, STRIDE, own_keys
from upserts import OPTIONS, TABLE, every_stamp, fresh_table, rows_of, torn
from writers import acknowledged, go, start, together

#: By name: options, what its writers do, and whether a reader sees a commit as a whole. Rows that are seen only above
#: level 0 come bucket by bucket.
TABLES = {
    "plain": (OPTIONS, "upsert", True),
    "deletion vectors": (OPTIONS | {"deletion-vectors.enabled": "true"}, "upsert", False),
    "first row": ({"bucket": "2", "merge-engine": "first-row"}, "first", False),
    "dynamic buckets": (OPTIONS | {"bucket": "-1", "dynamic-bucket.target-row-num": "40"}, "upsert", True),
}


def duplicates(rows: list[tuple[int, int]]) -> str | None:
    double = len(rows) - len(dict(rows))
    return f"{double} keys are there twice" if double else None


def wanted(arguments, mode: str, rows: dict[int, int]) -> dict[int, int]:
    """What must be there when all writers have ended."""
    stamps = every_stamp(arguments)
    if mode == "upsert":
        kept, hot = stamps[-arguments.processes :], dict.fromkeys(range(HOT), max(stamps))
    else:
        # The first of the writers' first commits has a hot key; for each bucket it may be another one of those that
        # were made at the same time, because these have the same sequence numbers.
        kept, hot = stamps, {key: rows[key] if rows.get(key, STRIDE) < STRIDE else None for key in range(HOT)}
    return hot | {key: stamp for stamp in kept for key in own_keys(stamp)}


def compacting(name: str, arguments, environment: dict) -> list[str]:
    problems = []
    arguments = argparse.Namespace(**{**vars(arguments), "upserts": arguments.compacted_upserts})
    for table, (options, mode, whole) in TABLES.items():
        problems += _meet(f"{name}, {table}", arguments, environment, options, mode, torn if whole else duplicates)
    return problems


def _meet(name: str, arguments, environment: dict, options: dict, mode: str, judge) -> list[str]:
    problems, reads, compactions = [], 0, 0
    warehouse: pathlib.Path = arguments.work / "concurrency"
    for number in range(arguments.rounds):
        table = fresh_table(warehouse, options)

        def look(where="while they wrote", number=number, table=table):
            nonlocal reads
            reads += 1
            if problem := judge(rows_of(table)):
                problems.append(f"{name}, round {number}, {where}: {problem}")

        compactor = start(arguments.ours, "compactor.py", warehouse, TABLE, environment=environment)
        assert compactor.stdout.readline() == "ready\n"
        writers = [
            start(
                arguments.ours,
                "upserter.py",
                warehouse,
                TABLE,
                mode,
                writer,
                arguments.upserts,
                environment=environment,
            )
            for writer in range(arguments.processes)
        ]
        go(compactor)
        acks = sorted(stamp for ack in together(writers, look) for stamp in ack)
        compactions += len(acknowledged(compactor))
        codes = [process.returncode for process in [*writers, compactor]]
        if any(codes) or acks != every_stamp(arguments):
            problems.append(f"{name}, round {number}: {len(acks)} acknowledged, exit codes {codes}")
            continue
        look("at the end")
        _compare(f"{name}, round {number}", arguments, mode, table, warehouse, problems)
        table.compact(full=True).collect()
        _compare(f"{name}, round {number}, compacted", arguments, mode, table, warehouse, problems)
    writers = f"{arguments.processes} x {arguments.upserts}"
    print(
        f"{name}: {arguments.rounds} rounds of {writers} beside {compactions} compactions: {reads} states read, "
        f"{len(problems)} problems",
        flush=True,
    )
    return problems


def _compare(name: str, arguments, mode: str, table, warehouse, problems: list[str]) -> None:
    rows = rows_of(table)
    counted = read_paimon(TABLE, {"warehouse": str(warehouse)}).count_rows()
    expected = wanted(arguments, mode, dict(rows))
    if sorted(rows) != sorted(expected.items()) or counted != len(expected):
        differ = len(dict(rows).items() ^ expected.items())
        problems.append(f"{name}: {len(rows)} rows read, {counted} counted, {len(expected)} wanted, {differ} differ")
