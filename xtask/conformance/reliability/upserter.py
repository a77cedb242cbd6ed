"""Changes rows of a table and says so: a line `ack STAMP` on standard output after each acknowledged commit.

python upserter.py WAREHOUSE TABLE {upsert,first,sum,overwrite,append,delete} FIRST_STAMP COUNT

Stamps are `STRIDE` apart. `upsert`: a commit writes its stamp to all `HOT` keys, inserts `OWN` keys of its own, and
deletes those of the commit before it. `first` does the same without deletes. `sum` adds 1 to the stamps of all hot
keys, and inserts keys of its own. `append` inserts `OWN` keys, `overwrite` leaves nothing but its own, and `delete` is
`append` and another commit, which deletes the rows of the one before. All rows of a commit are of one `place`, of which
there are `PLACES`; the next commit has another one.

A commit that gives way to another one's is made again. What is acknowledged must be visible, except where rows wait for
a bucket: after each upsert a row of its own is read back.
"""

import sys

import pyarrow as pa
import pypaimon
from pypaimon.exceptions import CommitConflictError

#: Keys that every upsert writes, and keys that belong to one commit.
HOT, OWN = 10, 5
#: Between the stamps of one writer, so that those of several do not meet.
STRIDE = 100
PLACES = "abc"
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64(), nullable=False),
        ("stamp", pa.int64()),
        ("kind", pa.string()),
        ("place", pa.string()),
    ]
)


def own_keys(stamp: int) -> range:
    return range(HOT + stamp * OWN, HOT + (stamp + 1) * OWN)


def place_of(stamp: int) -> str:
    return PLACES[stamp // STRIDE % len(PLACES)]


def batch_of(mode: str, stamp: int, *, first: bool) -> list[dict]:
    """The rows of a commit; `first`: its writer has made none before."""
    rows = [{"id": identity, "stamp": stamp, "kind": "+I"} for identity in own_keys(stamp)]
    if mode in ("upsert", "first"):
        rows += [{"id": identity, "stamp": stamp, "kind": "+U"} for identity in range(HOT)]
    if mode == "sum":
        rows += [{"id": identity, "stamp": 1, "kind": "+I"} for identity in range(HOT)]
    if mode == "upsert" and not first:
        rows += [{"id": identity, "stamp": stamp, "kind": "-D"} for identity in own_keys(stamp - STRIDE)]
    return [row | {"place": place_of(stamp)} for row in rows]


def main(warehouse: str, name: str, mode: str, first: int, count: int) -> None:
    table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(name)
    waits = table.table_schema.options.get("bucket") == "-2"
    print("ready", flush=True)
    sys.stdin.readline()
    for stamp in range(first, first + STRIDE * count, STRIDE):
        while not commits(table, mode, batch_of(mode, stamp, first=stamp == first)):
            pass
        while mode == "delete" and stamp > first and not deletes(table, stamp - STRIDE):
            pass
        if mode in ("upsert", "first", "sum") and not waits:
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


def deletes(table, stamp: int) -> bool:
    """Deletes the rows of a commit. Returns false where another commit is in the way."""
    builder = table.new_batch_write_builder()
    update = builder.new_update()
    messages = update.delete_by_predicate(update.new_predicate_builder().equal("stamp", stamp))
    with builder.new_commit() as commit:
        try:
            commit.commit(messages)
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
