"""Counts in columns of rows, by row id, and says so: a line `ack CONFLICTS` after each acknowledged commit, with the
conflicts that it met before.

python updater.py WAREHOUSE TABLE COLUMN FIRST END COUNT

A commit adds 1 to COLUMN of the rows whose `id` is from FIRST to END; one that meets a conflict is made again from the
rows as they are then. The column `image` holds its number as text, in a blob.
"""

import sys

import pyarrow as pa
import pyarrow.compute as pc
import pypaimon
from pypaimon.exceptions import CommitConflictError


def plus_one(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_large_binary(column.type):
        return pa.chunked_array([[b"%d" % (int(value) + 1) for value in column.to_pylist()]], column.type)
    return pc.add(column, 1)


def main(warehouse: str, name: str, column: str, first: int, end: int, count: int) -> None:
    table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(name)
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count):
        conflicts = 0
        while not updated(table, column, first, end):
            conflicts += 1
        print("ack", conflicts, flush=True)


def updated(table, column: str, first: int, end: int) -> bool:
    builder = table.new_batch_write_builder()
    update = builder.new_update()
    rows = update.new_predicate_builder().between("id", first, end - 1)
    messages = update.update_by_predicate(rows, {column: lambda found: plus_one(found[column])}, read_columns=[column])
    try:
        with builder.new_commit() as commit:
            commit.commit(messages)
    except CommitConflictError:
        return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:4], *map(int, sys.argv[4:]))
