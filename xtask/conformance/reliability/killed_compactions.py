"""Compactions that are killed at their first file operation, their second, and so on.

After each kill the table must be as it was, or compacted: no row may be lost, doubled or seen half. Then the next
compaction must work, and the next commit.
"""

import pathlib
import shutil

import pyarrow as pa
import pypaimon
from compact_once import compact
from writers import acknowledged, go, start

TABLE = "reliability.t"
SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), ("stamp", pa.int64())])
#: Compacted by whoever wants to, so that commits leave something to be done.
LEFT_ALONE = {"write-only": "true"}
KEY = ["id"]
#: By name: the primary key, and options.
TABLES = {
    "keys": (KEY, {"bucket": "2"}),
    "deletion vectors": (KEY, {"bucket": "1", "deletion-vectors.enabled": "true"}),
    "append": (None, {}),
    "postponed": (
        KEY,
        {"bucket": "-2", "postpone.batch-write-fixed-bucket": "false", "postpone.default-bucket-num": "2"},
    ),
}
#: The keys of each commit, whose stamp is its number; the first one is compacted at once.
COMMITS = [range(6), range(3, 9), range(8, 9), range(2)]


def rows_of(table) -> list[tuple[int, int]]:
    builder = table.new_read_builder()
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits())
    return sorted(zip(rows["id"].to_pylist(), rows["stamp"].to_pylist(), strict=True))


def latest_of(table) -> int:
    return table.snapshot_manager().get_latest_snapshot().id


def write(table, ids, stamp: int) -> None:
    builder = table.new_batch_write_builder()
    with builder.new_write() as writer, builder.new_commit() as commit:
        writer.write_arrow(pa.Table.from_pydict({"id": list(ids), "stamp": [stamp] * len(ids)}, schema=SCHEMA))
        commit.commit(writer.prepare_commit())


def prepare(warehouse: pathlib.Path, key: list[str] | None, options: dict) -> None:
    """A table with commits on top of what is compacted."""
    shutil.rmtree(warehouse, ignore_errors=True)
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("reliability", True)
    schema = pypaimon.Schema.from_pyarrow_schema(SCHEMA, primary_keys=key, options=LEFT_ALONE | options)
    catalog.create_table(TABLE, schema, False)
    table = catalog.get_table(TABLE)
    for stamp, ids in enumerate(COMMITS):
        write(table, ids, stamp)
        if stamp == 0:
            compact(table)


def kills(name: str, arguments, shim: str) -> list[str]:
    key, options = TABLES[name]
    original, warehouse = arguments.work / "compactions", arguments.work / "kills"
    counter = arguments.work / "operations"
    prepare(original, key, options)
    problems = []

    def attempt(kill_at: int):
        """Compacts a copy of the table, and is killed."""
        shutil.rmtree(warehouse, ignore_errors=True)
        shutil.copytree(original, warehouse)
        environment = {
            "LD_PRELOAD": shim,
            "SHIM_ROOT": str(warehouse),
            "SHIM_KILL_AT": str(kill_at),
            "SHIM_COUNT_TO": str(counter),
        }
        process = start(arguments.ours, "compact_once.py", warehouse, TABLE, environment=environment)
        go(process)
        acks = acknowledged(process)
        return acks, pypaimon.CatalogFactory.create({"warehouse": str(warehouse)}).get_table(TABLE)

    table = pypaimon.CatalogFactory.create({"warehouse": str(original)}).get_table(TABLE)
    before, first = rows_of(table), latest_of(table)
    pairs = [(identity, stamp) for stamp, ids in enumerate(COMMITS) for identity in ids]
    after = sorted(dict(pairs).items() if key else pairs)
    acks, table = attempt(0)
    assert acks == [0] and rows_of(table) == after, f"{name}: {acks}, {rows_of(table)}"
    operations = int(counter.read_text())
    whole = nothing = 0
    for kill_at in range(1, operations + 1, arguments.every_nth_kill):
        acks, table = attempt(kill_at)
        rows = rows_of(table)
        if rows not in (before, after) or (acks and rows != after):
            problems.append(f"{name}, killed at operation {kill_at} of {operations}: acknowledged {acks}, rows {rows}")
        compacted = latest_of(table) > first
        whole, nothing = whole + compacted, nothing + (not compacted)
        compact(table)
        write(table, [100], 9)
        compact(table)
        if rows_of(table) != sorted([*after, (100, 9)]):
            problems.append(f"{name}, killed at operation {kill_at}: what came next did not work: {rows_of(table)}")
    print(
        f"compaction, {name}: killed at {whole + nothing} of {operations} file operations: {nothing} times nothing, "
        f"{whole} times all of it",
        flush=True,
    )
    return problems
