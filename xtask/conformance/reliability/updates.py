"""Writers that update columns of one table by row id at the same time, while others append.

The table has rows in two files. Updates of the same column of rows of one file are conflicts, which their writers make
again; updates of other columns, of rows of other files, and appends are none. At the end each counter must stand at the
number of its acknowledged commits, so that no update is lost, and none is there twice.
"""

import pathlib
import shutil

import pyarrow as pa
import pypaimon
from writers import start, together

TABLE = "reliability.t"
SCHEMA = pa.schema([("id", pa.int64()), ("a", pa.int64()), ("b", pa.int64()), ("image", pa.large_binary())])
OPTIONS = {"row-tracking.enabled": "true", "data-evolution.enabled": "true"}
#: Rows of each file; there are two.
ROWS = 10

#: What the writers update: (column, first id, end), and whether any of them conflict.
MEETINGS = {
    "the same rows": ([("a", 0, 4)] * 4, True),
    "other rows of one file": ([("a", 0, 2), ("a", 2, 5), ("a", 5, 10)], True),
    "other columns": ([("a", 0, 4), ("b", 0, 4), ("image", 0, 4)], False),
    "other files": ([("a", 0, 4), ("a", ROWS, ROWS + 4)], False),
    "the same blobs": ([("image", 0, 4)] * 2, True),
}


def fresh_table(warehouse: pathlib.Path):
    shutil.rmtree(warehouse, ignore_errors=True)
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("reliability", True)
    catalog.create_table(TABLE, pypaimon.Schema.from_pyarrow_schema(SCHEMA, options=OPTIONS), False)
    table = catalog.get_table(TABLE)
    for first in (0, ROWS):
        builder = table.new_batch_write_builder()
        with builder.new_write() as write, builder.new_commit() as commit:
            zeros = [0] * ROWS
            rows = [list(range(first, first + ROWS)), zeros, zeros, [b"0"] * ROWS]
            write.write_arrow(pa.table(rows, schema=SCHEMA))
            commit.commit(write.prepare_commit())
    return table


def updating(name: str, arguments, environment: dict) -> list[str]:
    problems = []
    for what, (updates, conflict) in MEETINGS.items():
        conflicts = sum(
            meet(f"{name}, {what}", arguments, updates, environment, problems) for _ in range(arguments.rounds)
        )
        if conflicts and not conflict:
            problems.append(f"{name}, {what}: {conflicts} conflicts")
        print(f"{name}, {what}: {len(updates)} x {arguments.upserts // 2} updates and appends: {conflicts} conflicts")
    return problems


def count(blob: bytes) -> int:
    """The number in a blob: as text, or over and over in what was appended."""
    return int(blob) if len(blob) < 1000 else int(blob[:4])


def meet(where: str, arguments, updates: list[tuple], environment: dict, problems: list[str]) -> int:
    """One round; gives the number of conflicts that writers were told of."""
    warehouse = arguments.work / "concurrency"
    table = fresh_table(warehouse)
    running = [
        start(arguments.ours, "updater.py", warehouse, TABLE, *update, arguments.upserts // 2, environment=environment)
        for update in updates
    ]
    appends = arguments.upserts // 2
    appender = start(arguments.ours, "appender.py", warehouse, TABLE, 1000, appends, environment=environment)
    *acks, appended = together([*running, appender])
    codes = [process.returncode for process in (*running, appender)]
    assert not any(codes), f"a writer failed: exit codes {codes}"
    wanted = {id: {"a": 0, "b": 0, "image": 0} for id in range(2 * ROWS)}
    for (column, first, end), ack in zip(updates, acks):
        for id in range(first, end):
            wanted[id][column] += len(ack)
    wanted |= {id: {"a": None, "b": None, "image": id} for id in appended}
    builder = table.new_read_builder()
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits()).to_pylist()
    found = {row["id"]: {"a": row["a"], "b": row["b"], "image": count(row["image"])} for row in rows}
    snapshots = len(list((warehouse / "reliability.db" / "t" / "snapshot").glob("snapshot-*")))
    commits = 2 + len(appended) + sum(map(len, acks))
    if found != wanted or len(rows) != len(wanted) or len(appended) != appends or snapshots != commits:
        different = [(id, found.get(id), row) for id, row in wanted.items() if found.get(id) != row]
        problems.append(
            f"{where}: {commits} acknowledged, {snapshots} snapshots, {len(rows)} rows of {len(wanted)}; "
            f"row, found, wanted: {different[:3]}"
        )
    return sum(map(sum, acks))
