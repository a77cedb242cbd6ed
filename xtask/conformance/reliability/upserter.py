"""Upserts into a primary-key table and says so: a line `ack STAMP` on standard output after each acknowledged commit.

python upserter.py WAREHOUSE TABLE {upsert,overwrite,append} FIRST_STAMP COUNT

Stamps are `STRIDE` apart. `upsert`: a commit writes its stamp to all `HOT` keys, inserts `OWN` keys of its own, and
deletes those of the commit before it. `append` inserts `OWN` keys, and `overwrite` leaves nothing but its own.
"""

import sys

import pyarrow as pa
import pypaimon

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
        if mode == "upsert":
            batch += rows(range(HOT), stamp, "+U")
            batch += rows(own_keys(stamp - STRIDE), stamp, "-D") if stamp > first else []
        builder = table.new_batch_write_builder()
        if mode == "overwrite":
            builder = builder.overwrite({})
        with builder.new_write() as write, builder.new_commit() as commit:
            write.write_arrow(pa.Table.from_pylist(batch, schema=SCHEMA))
            commit.commit(write.prepare_commit())
        print("ack", stamp, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
