"""Appends one row at a time and says so: a line `ack ID` on standard output after each acknowledged commit.

python appender.py WAREHOUSE TABLE FIRST_ID COUNT [overwrite]

WAREHOUSE is a folder, or all options of the catalog as JSON. Where the table has a column `image`, rows have blobs of
`BLOB_BYTES`; other columns stay NULL.
"""

import json
import sys

import pyarrow as pa
import pypaimon

BLOB_BYTES = 100_000


def main(warehouse: str, name: str, first: int, count: int, overwrite: bool) -> None:
    options = json.loads(warehouse) if warehouse.startswith("{") else {"warehouse": warehouse}
    table = pypaimon.CatalogFactory.create(options).get_table(name)
    columns = [field.name for field in table.table_schema.fields]
    print("ready", flush=True)
    sys.stdin.readline()
    for identity in range(first, first + count):
        builder = table.new_batch_write_builder()
        if overwrite:
            builder = builder.overwrite({})
        write, commit = builder.new_write(), builder.new_commit()
        row = {"id": pa.array([identity], pa.int64())}
        if "image" in columns:
            row["image"] = pa.array([b"%d" % identity * (BLOB_BYTES // len(str(identity)))], pa.large_binary())
        if len(row) < len(columns):
            write.with_write_type(list(row))
        write.write_arrow(pa.table(row))
        commit.commit(write.prepare_commit())
        write.close()
        commit.close()
        print("ack", identity, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), len(sys.argv) > 5)
