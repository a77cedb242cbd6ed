"""Writers that meet on one primary-key table.

Upserts: every commit writes the same hot keys, keys of its own, and deletes those of its writer's commit before. While
they write, and when they have ended, each state that is read must be that of whole commits: every key once, the hot
keys with one stamp, and of each writer the keys of its last commit only.

Overwrites against upserts: each snapshot must be the one before it with one whole commit added, or one whole commit
alone, and each acknowledged commit must be one of them. Writers compact after their commits: those snapshots change
nothing.
"""

import collections
import json
import pathlib
import shutil
from collections.abc import Sequence

import pypaimon
from pypaimon.daft import read_paimon
from upserter import HOT, OWN, SCHEMA, STRIDE, own_keys
from writers import start, together

TABLE = "reliability.t"
OPTIONS = {"bucket": "2", "sequence.field": "stamp", "rowkind.field": "kind"}


def fresh_table(
    warehouse: pathlib.Path,
    options: dict = OPTIONS,
    *,
    key: Sequence[str] = ("id",),
    partition: Sequence[str] = (),
):
    shutil.rmtree(warehouse, ignore_errors=True)
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("reliability", True)
    schema = pypaimon.Schema.from_pyarrow_schema(
        SCHEMA, primary_keys=[*key], partition_keys=[*partition], options=options
    )
    catalog.create_table(TABLE, schema, False)
    return catalog.get_table(TABLE)


def rows_of(table) -> list[tuple[int, int]]:
    """Each row's key and stamp."""
    builder = table.new_read_builder().with_projection(["id", "stamp"])
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits())
    return list(zip(rows["id"].to_pylist(), rows["stamp"].to_pylist(), strict=True))


def is_compaction(warehouse: pathlib.Path) -> list[bool]:
    """Of each snapshot, from the first on, whether a compaction made it."""
    folder = warehouse / "reliability.db" / "t" / "snapshot"
    snapshots = [json.loads(path.read_text()) for path in folder.glob("snapshot-*")]
    return [snapshot["commitKind"] == "COMPACT" for snapshot in sorted(snapshots, key=lambda each: each["id"])]


def torn(rows: list[tuple[int, int]], *, by_stamp: bool = True) -> str | None:
    """Why rows are not those of whole upserts; `by_stamp`: of which the one with the largest stamp is the newest."""
    stamps = dict(rows)
    if len(stamps) != len(rows):
        return f"{len(rows) - len(stamps)} keys are there twice"
    hot = {stamps.pop(key, None) for key in range(HOT)}
    if not stamps and hot == {None}:
        return None  # before the first commit
    last = {}
    for stamp in set(stamps.values()):
        keys = {key for key, found in stamps.items() if found == stamp}
        if keys != set(own_keys(stamp)):
            return f"of commit {stamp} only the keys {sorted(keys)} are there"
        writer = stamp % STRIDE
        if last.setdefault(writer, stamp) != stamp:
            return f"the keys of commits {last[writer]} and {stamp} of one writer are there"
    newest = {max(last.values())} if by_stamp else set(last.values())
    if len(hot) != 1 or not hot <= newest:
        return f"the hot keys have the stamps {hot}, and the newest commit is one of {newest}"
    return None


def write(arguments, warehouse: pathlib.Path, modes: list[str], environment: dict, meanwhile=None) -> list[int]:
    """Lets as many writers as modes meet; gives the stamps of all acknowledged commits."""
    writers = [
        start(arguments.ours, "upserter.py", warehouse, TABLE, mode, number, arguments.upserts, environment=environment)
        for number, mode in enumerate(modes)
    ]
    acks = together(writers, meanwhile)
    codes = [writer.returncode for writer in writers]
    assert not any(codes), f"a writer failed: exit codes {codes}"
    return sorted(stamp for ack in acks for stamp in ack)


def every_stamp(arguments) -> list[int]:
    return [STRIDE * commit + number for commit in range(arguments.upserts) for number in range(arguments.processes)]


def upserting(name: str, arguments, environment: dict) -> list[str]:
    problems, reads = [], 0
    warehouse = arguments.work / "concurrency"
    for number in range(arguments.rounds):
        table = fresh_table(warehouse)

        def look(where="while they wrote", number=number, table=table):
            nonlocal reads
            reads += 1
            if problem := torn(rows_of(table)):
                problems.append(f"{name}, round {number}, {where}: {problem}")

        acks = write(arguments, warehouse, ["upsert"] * arguments.processes, environment, look)
        look("at the end")
        rows = dict(rows_of(table))
        wanted = dict.fromkeys(range(HOT), max(acks))
        for stamp in every_stamp(arguments)[-arguments.processes :]:
            wanted |= dict.fromkeys(own_keys(stamp), stamp)
        counted = read_paimon(TABLE, {"warehouse": str(warehouse)}).count_rows()
        commits = is_compaction(warehouse).count(False)
        if acks != every_stamp(arguments) or commits != len(acks) or rows != wanted or counted != len(wanted):
            problems.append(
                f"{name}, round {number}: {len(acks)} acknowledged, {commits} committed, {counted} rows counted, "
                f"{len(rows)} read, {len(wanted)} wanted, {len(rows.items() ^ wanted.items())} differ"
            )
    writers = f"{arguments.processes} x {arguments.upserts}"
    print(f"{name}: {arguments.rounds} rounds of {writers}: {reads} states read, {len(problems)} problems")
    return problems


def overwriting(name: str, arguments, environment: dict) -> list[str]:
    problems, states = [], 0
    warehouse = arguments.work / "concurrency"
    modes = ["overwrite" if number % 2 else "append" for number in range(arguments.processes)]
    for number in range(arguments.rounds):
        table = fresh_table(warehouse)
        acks = write(arguments, warehouse, modes, environment)
        published, before = [], set()
        for snapshot, compacts in enumerate(is_compaction(warehouse), 1):
            rows = rows_of(table.copy({"scan.snapshot-id": str(snapshot)}))
            states += 1
            sizes = collections.Counter(stamp for _, stamp in rows)
            if len(dict(rows)) != len(rows) or any(size != OWN for size in sizes.values()):
                problems.append(f"{name}, round {number}, snapshot {snapshot}: duplicate or torn: {sizes}")
            now = set(sizes)
            new = now - before
            if compacts and now == before:
                continue
            if len(new) != 1 or now not in (new, before | new):
                problems.append(f"{name}, round {number}, snapshot {snapshot}: {before} became {now}")
            published += new
            before = now
        if acks != every_stamp(arguments) or sorted(published) != acks:
            problems.append(f"{name}, round {number}: {len(acks)} acknowledged, {len(published)} published")
    writers = f"{arguments.processes} x {arguments.upserts}"
    print(f"{name}: {arguments.rounds} rounds of {writers}: {states} snapshots read, {len(problems)} problems")
    return problems
