"""Upserts into a primary-key table and says so: a line `ack STAMP` on standard output after each acknowledged commit.

python upserter.py WAREHOUSE TABLE {upsert,first,overwrite,append} FIRST_STAMP COUNT

Stamps are `STRIDE` apart. `upsert`: a commit writes its stamp to all `HOT` keys, inserts `OWN` keys of its own, and
deletes those of the commit before it. `first` does the same without deletes. `append` inserts `OWN` keys, and
`overwrite` leaves nothing but its own.

A commit that gives way to another one's is made again. What is acknowledged must be visible: after each upsert a row of
its own is read back.
"""

import sys

import pyarrow as pa
import pypaimon
from pypaimon.exceptions import CommitConflictError

#: Keys that every upsert writes, and keys that belong to one commit.
HOT, OWN = 10, 5
#: Between the stamps of one writer, so that those of several do not meet.
STRIDE = 100
SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), ("stamp", pa.int64()), ("kind", pa.string())])


def own_keys(stamp: int) -> range:
    return range(HOT + stamp * OWN, HOT + (stamp + 1) * OWN)


def rows(ids, stamp: int, kind: str) -> list[dict]:
    return [{"id": identity, "stamp": stamp, "kind": kind} for identity in ids]


def main(warehouse: str, name: str, mode: str, first: int, count: int) -> None:
    table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(name)
    print("ready", flush=True)
    sys.stdin.readline()
    for stamp in range(first, first + STRIDE * count, STRIDE):
        batch = rows(own_keys(stamp), stamp, "+I")
        if mode in ("upsert", "first"):
            batch += rows(range(HOT), stamp, "+U")
        if mode == "upsert" and stamp > first:
            batch += rows(own_keys(stamp - STRIDE), stamp, "-D")
        while not commits(table, mode, batch):
            pass
        if mode in ("upsert", "first"):
            check_visible(table, stamp)
        print("ack", stamp, flush=True)


def commits(table, mode: str, batch: list[dict]) -> bool:
    """Commits rows. Returns false where another commit is in the way."""
    builder = table.new_batch_write_builder()
    if mode == "overwrite":
        builder = builder.overwrite({})
    with builder.new_write() as write, builder.new_commit() as commit:
        write.write_arrow(pa.Table.from_pylist(batch, schema=SCHEMA))
        try:
            commit.commit(write.prepare_commit())
        except CommitConflictError:
            return False
    return True


def check_visible(table, stamp: int) -> None:
    builder = table.new_read_builder().with_projection(["id", "stamp"])
    builder = builder.with_filter(builder.new_predicate_builder().equal("id", own_keys(stamp)[0]))
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits()).to_pylist()
    if rows != [{"id": own_keys(stamp)[0], "stamp": stamp}]:
        raise AssertionError(f"commit {stamp} is acknowledged, and its row reads as {rows}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
