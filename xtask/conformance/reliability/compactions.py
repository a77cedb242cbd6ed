"""Writers of one table, and processes beside them that compact it all the time.

Writers compact what they commit, too, as far as their table asks for it. Each acknowledged commit must be visible at
once to its writer; each state that is read must have every key once, and where readers see level 0, too, be that of
whole commits. At the end the table must hold what was acknowledged, before and after a last full compaction; and when
each of its rows is written once more, each must find its key where it is.
"""

import argparse
import collections
import dataclasses
import pathlib
from collections.abc import Callable

from pypaimon.daft import read_paimon
from upserter import HOT, OWN, PLACES, STRIDE, commits, own_keys
from upserts import OPTIONS, TABLE, every_stamp, fresh_table, rows_of, torn
from writers import acknowledged, go, start, together

Rows = list[tuple[int, int]]


def duplicates(rows: Rows) -> str | None:
    double = len(rows) - len(dict(rows))
    return f"{double} keys are there twice" if double else None


def torn_moves(rows: Rows) -> str | None:
    return torn(rows, by_stamp=False)


def torn_sums(rows: Rows) -> str | None:
    """Why sums are not those of whole commits: each has counted once in the hot keys."""
    stamps = dict(rows)
    hot = {stamps.pop(key, 0) for key in range(HOT)}
    wrong = [key for key, stamp in stamps.items() if key not in own_keys(stamp)]
    commits = len(stamps) / OWN
    return duplicates(rows) or (
        f"{commits} commits, {hot} counted, {wrong} differ" if wrong or hot != {commits} else None
    )


def torn_appends(rows: Rows) -> str | None:
    sizes = collections.Counter(stamp for _, stamp in rows)
    wrong = {stamp: size for stamp, size in sizes.items() if size != OWN}
    return duplicates(rows) or (f"rows of commits: {wrong}" if wrong else None)


@dataclasses.dataclass(frozen=True)
class Meeting:
    """What meets: the options of a table, what its writers do, and what is to hold of every state that is read."""

    options: dict[str, str]
    mode: str = "upsert"
    judge: Callable[[Rows], str | None] = torn
    key: tuple[str, ...] = ("id",)
    partition: tuple[str, ...] = ()
    compactors: int = 1

    @property
    def waits(self) -> bool:
        """Whether rows are seen only when a compaction has found a bucket for them."""
        return self.options.get("bucket") == "-2"

    def wanted(self, arguments: argparse.Namespace, rows: dict[int, int]) -> dict[int, int]:
        """What must be there when all writers have ended."""
        stamps = every_stamp(arguments)
        own = {key: stamp for stamp in stamps for key in own_keys(stamp)}
        if self.mode == "append":
            return own
        if self.mode == "sum":
            return own | dict.fromkeys(range(HOT), len(stamps))
        if self.mode == "first":
            # The first of the writers' first commits has a hot key; for each bucket it may be another one of those
            # that were made at the same time, because these have the same sequence numbers.
            return own | {key: rows[key] if rows.get(key, STRIDE) < STRIDE else None for key in range(HOT)}
        last = stamps[-arguments.processes :]
        kept = {key: stamp for key, stamp in own.items() if stamp in last}
        if self.mode == "delete":
            return kept
        newest = max(stamps)
        if "sequence.field" not in self.options and rows.get(0) in last:
            newest = rows[0]  # whoever came last
        return kept | dict.fromkeys(range(HOT), newest)

    def written_again(self, table, rows: dict[int, int]) -> dict[int, int]:
        """Writes each row once more; gives what must be there then."""
        stamp = 0 if self.mode == "sum" else STRIDE * STRIDE
        batch = [{"id": key, "stamp": stamp, "kind": "+U", "place": PLACES[-1]} for key in rows]
        assert commits(table, self.mode, batch)
        return dict.fromkeys(rows, stamp) if self.mode == "upsert" else rows


#: Rows that are seen only above level 0 come bucket by bucket.
VECTORS = {"deletion-vectors.enabled": "true"}
HASHED = {"bucket": "-1", "dynamic-bucket.target-row-num": "40"}
WAITING = {"bucket": "-2", "postpone.batch-write-fixed-bucket": "false", "postpone.default-bucket-num": "2"}
SUMS = {"merge-engine": "aggregation", "fields.stamp.aggregate-function": "sum"}
EVOLVING = {"row-tracking.enabled": "true", "data-evolution.enabled": "true"}
UNORDERED = {"rowkind.field": "kind"}
TABLES = {
    "plain": Meeting(OPTIONS),
    "deletion vectors": Meeting(OPTIONS | VECTORS, judge=duplicates),
    "first row": Meeting({"bucket": "2", "merge-engine": "first-row"}, "first", duplicates),
    "sums": Meeting({"bucket": "2"} | SUMS, "sum", torn_sums, compactors=2),
    "dynamic buckets": Meeting(OPTIONS | HASHED),
    "dynamic buckets and deletion vectors": Meeting(OPTIONS | HASHED | VECTORS, judge=duplicates, compactors=2),
    "keys that move": Meeting(UNORDERED | HASHED, judge=torn_moves, partition=("place",)),
    "postponed": Meeting(OPTIONS | WAITING, compactors=2),
    "postponed sums": Meeting(WAITING | SUMS, "sum", torn_sums, compactors=2),
    "append": Meeting({}, "append", torn_appends, key=(), compactors=2),
    "deletes by row id": Meeting(EVOLVING | VECTORS, "delete", torn_appends, key=(), compactors=2),
}


def compacting(name: str, arguments, environment: dict) -> list[str]:
    problems = []
    arguments = argparse.Namespace(**{**vars(arguments), "upserts": arguments.compacted_upserts})
    for table, meeting in TABLES.items():
        problems += _meet(f"{name}, {table}", arguments, environment, meeting)
    return problems


def _meet(name: str, arguments, environment: dict, meeting: Meeting) -> list[str]:
    problems, reads, compactions = [], 0, 0
    warehouse: pathlib.Path = arguments.work / "concurrency"

    def begin(script: str, *more: object):
        return start(arguments.ours, script, warehouse, TABLE, *more, environment=environment)

    for number in range(arguments.rounds):
        table = fresh_table(warehouse, meeting.options, key=meeting.key, partition=meeting.partition)

        def look(where="while they wrote", number=number, table=table):
            nonlocal reads
            reads += 1
            if problem := meeting.judge(rows_of(table)):
                problems.append(f"{name}, round {number}, {where}: {problem}")

        compactors = [begin("compactor.py") for _ in range(meeting.compactors)]
        assert all(compactor.stdout.readline() == "ready\n" for compactor in compactors)
        writers = [
            begin("upserter.py", meeting.mode, writer, arguments.upserts) for writer in range(arguments.processes)
        ]
        for compactor in compactors:
            go(compactor)
        acks = sorted(stamp for ack in together(writers, look) for stamp in ack)
        compactions += sum(len(acknowledged(compactor)) for compactor in compactors)
        codes = [process.returncode for process in [*writers, *compactors]]
        if any(codes) or acks != every_stamp(arguments):
            problems.append(f"{name}, round {number}: {len(acks)} acknowledged, exit codes {codes}")
            continue
        look("at the end")
        problems.extend(_ended(f"{name}, round {number}", arguments, meeting, table, warehouse))
    writers = f"{arguments.processes} x {arguments.upserts}"
    print(
        f"{name}: {arguments.rounds} rounds of {writers} beside {compactions} compactions: {reads} states read, "
        f"{len(problems)} problems",
        flush=True,
    )
    return problems


def _ended(name: str, arguments, meeting: Meeting, table, warehouse: pathlib.Path) -> list[str]:
    """What is wrong when all have ended."""
    problems = []

    def compare(where: str, expected: dict[int, int] | None = None) -> dict[int, int]:
        rows = rows_of(table)
        counted = read_paimon(TABLE, {"warehouse": str(warehouse)}).count_rows()
        expected = expected or meeting.wanted(arguments, dict(rows))
        if sorted(rows) != sorted(expected.items()) or counted != len(expected):
            differ = sorted(dict(rows).items() ^ expected.items(), key=str)
            problems.append(
                f"{name}{where}: {len(rows)} rows read, {counted} counted, {len(expected)} wanted, {len(differ)} "
                f"differ: {differ[:6]}"
            )
        return expected

    if not meeting.waits:
        compare("")
    table.compact(full=True).collect()
    rows = compare(", compacted")
    if meeting.key:
        rows = meeting.written_again(table, rows)
        table.compact(full=True).collect()
        compare(", written again", rows)
    return problems
