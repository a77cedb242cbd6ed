"""Appends one row at a time and says so: a line `ack ID` on standard output after each acknowledged commit.

python appender.py WAREHOUSE TABLE FIRST_ID COUNT [overwrite]

WAREHOUSE is a folder, or all options of the catalog as JSON. Where the table has a column `image`, rows have blobs of
`BLOB_BYTES`; other columns stay NULL.
"""

import json
import sys
from contextlib import closing

import pyarrow as pa
import pypaimon

BLOB_BYTES = 100_000


def append(table, ids: list[int], *, overwrite: bool = False) -> None:
    """Commits rows; `overwrite`: in place of all that are there."""
    columns = [field.name for field in table.table_schema.fields]
    builder = table.new_batch_write_builder()
    if overwrite:
        builder = builder.overwrite({})
    rows = {"id": pa.array(ids, pa.int64())}
    if "image" in columns:
        rows["image"] = pa.array([b"%d" % id * (BLOB_BYTES // len(str(id))) for id in ids], pa.large_binary())
    with closing(builder.new_write()) as write, closing(builder.new_commit()) as commit:
        if len(rows) < len(columns):
            write.with_write_type(list(rows))
        write.write_arrow(pa.table(rows))
        commit.commit(write.prepare_commit())


def main(warehouse: str, name: str, first: int, count: int, overwrite: bool) -> None:
    options = json.loads(warehouse) if warehouse.startswith("{") else {"warehouse": warehouse}
    table = pypaimon.CatalogFactory.create(options).get_table(name)
    print("ready", flush=True)
    sys.stdin.readline()
    for identity in range(first, first + count):
        append(table, [identity], overwrite=overwrite)
        print("ack", identity, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), len(sys.argv) > 5)
