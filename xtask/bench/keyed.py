"""Workloads on primary-key tables.

The floor of a read decodes the columns that a merge needs of all runs and merges nothing; that of a point look-up reads
the bucket of the key with a filter; that of a write encodes the rows, unsorted, with their duplicates.
"""

import data
import numpy as np
import pyarrow.parquet as pq
from context import Context, Workload, equal, plain, reading, rows_of

#: A key of `keyed_large` that several runs hold.
KEY = int(data.upserted(5 * data.KEYED_ROWS, 5 * data.KEYED_KEYS, 50)["id"][7].as_py())


def decoded(context: Context, table: str, columns) -> int:
    """All rows of all runs, with the sequence numbers that order them."""
    return plain(context.paths(table)).select(*columns, "_SEQUENCE_NUMBER").to_arrow().num_rows


def merging(name: str, what: str, table: str, target: str) -> Workload:
    """Reads all of `table`."""
    return reading(
        name,
        what,
        lambda read: read(table).to_arrow().num_rows,
        f"select * from {table}",
        lambda context: decoded(context, table, data.KEYED.names),
        target,
    )


def count_rust(context: Context) -> int:
    return context.sql("select count(*) as rows from keyed")["rows"][0].as_py()


def bucket_of_key(context: Context):
    """The files of the bucket that holds `KEY`; found by reading, untimed."""
    if context.implementation != "floor":
        return context, []
    for bucket in range(data.KEYED_BUCKETS):
        paths = context.paths("keyed_large", bucket=bucket)
        if any(KEY in pq.read_table(path, columns=["id"])["id"].to_numpy() for path in paths):
            return context, paths
    raise LookupError(f"no bucket has the key {KEY}")


def upserts(context: Context):
    """Rows of which a third has a key that comes again later."""
    import daft

    ids = np.random.default_rng(11).integers(0, data.UPSERTS, data.UPSERTS)
    table = data.keyed(ids, 9)
    if context.implementation == "floor":
        return context, table, None
    context.create(data.KEYED, primary_keys=["id"], options={"bucket": str(data.KEYED_BUCKETS)})
    return context, table, None if context.implementation == "pypaimon-rust" else daft.from_arrow(table).collect()


def upsert(state) -> int:
    """Through Daft; implementations differ in whether they tell of rows taken or rows kept."""
    context, table, frame = state
    context.write(frame)
    return table.num_rows


def quarters(table) -> list:
    """As many chunks as the table has buckets."""
    step = -(-table.num_rows // data.KEYED_BUCKETS)
    return [table.slice(start, step) for start in range(0, table.num_rows, step)]


KEYED = [
    merging("R4", "merge 6 runs, 1M rows", "keyed", "1.6"),
    merging("R4L", "merge 6 runs, 5M rows", "keyed_large", "1.6"),
    Workload(
        "R4c",
        "count over the merge of 1M rows",
        api=lambda context: context.read("keyed").count_rows(),
        rust=count_rust,
        floor=lambda context: plain(context.paths("keyed")).select("id").to_arrow().num_rows,
        setup=lambda context: context,
        target="2",
    ),
    reading(
        "R4p",
        "one of 1,000 values over the merge of 1M rows",
        lambda read: equal(read("keyed"), "k", 7).select("id", "v").to_arrow().num_rows,
        "select id, v from keyed where k = 7",
        lambda context: decoded(context, "keyed", ["id", "k", "v"]),
    ),
    merging("R5p", "partial-update of 5 runs, 1M rows", "partial_update", "2.5"),
    merging("R5a", "aggregation of 5 runs, 1M rows", "aggregation", "2.5"),
    Workload(
        "R8",
        "look up one key among 5M rows",
        api=lambda state: equal(state[0].read("keyed_large"), "id", KEY).to_arrow().num_rows,
        rust=lambda state: rows_of(state[0].sql(f"select * from keyed_large where id = {KEY}")),
        floor=lambda state: pq.read_table(state[1], columns=data.KEYED.names, filters=[("id", "==", KEY)]).num_rows,
        setup=bucket_of_key,
        target="rust / 2, 5 MB",
    ),
    Workload(
        "W3",
        "upsert 400k rows, a third of them replaced",
        api=upsert,
        rust=lambda state: state[0].write_rust(state[1]),
        floor=lambda state: state[0].write_floor(quarters(state[1])),
        setup=upserts,
        target="1.2",
    ),
]
