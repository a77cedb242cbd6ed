"""Compactions, to be killed: see `kills.py`."""

import pathlib

import pyarrow as pa
import pypaimon
from compact_once import compact
from kills import TABLE, Victim

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


def write(table, ids, stamp: int) -> None:
    builder = table.new_batch_write_builder()
    with builder.new_write() as writer, builder.new_commit() as commit:
        writer.write_arrow(pa.Table.from_pydict({"id": list(ids), "stamp": [stamp] * len(ids)}, schema=SCHEMA))
        commit.commit(writer.prepare_commit())


def make(warehouse: pathlib.Path, key: list[str] | None, options: dict) -> None:
    """A table with commits on top of what is compacted."""
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("reliability", True)
    schema = pypaimon.Schema.from_pyarrow_schema(SCHEMA, primary_keys=key, options=LEFT_ALONE | options)
    catalog.create_table(TABLE, schema, False)
    table = catalog.get_table(TABLE)
    for stamp, ids in enumerate(COMMITS):
        write(table, ids, stamp)
        if stamp == 0:
            compact(table)


def go_on(table, _published: bool) -> list[tuple[int, int]]:
    """Compacts, commits a row, and compacts again."""
    compact(table)
    write(table, [100], 9)
    compact(table)
    return sorted([*after(bool(table.primary_keys)), (100, 9)])


def after(keyed: bool) -> list[tuple[int, int]]:
    pairs = [(identity, stamp) for stamp, ids in enumerate(COMMITS) for identity in ids]
    return sorted(dict(pairs).items() if keyed else pairs)


def victims(every: int) -> list[Victim]:
    return [
        Victim(
            f"compaction, {name}",
            lambda warehouse, table=table: make(warehouse, *table),
            ("compact_once.py",),
            rows_of,
            after(keyed=table[0] is not None),
            go_on,
            every,
        )
        for name, table in TABLES.items()
    ]
