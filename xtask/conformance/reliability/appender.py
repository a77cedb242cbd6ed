"""Appends one row at a time and says so: a line `ack ID` on standard output after each acknowledged commit.

python appender.py WAREHOUSE TABLE FIRST_ID COUNT [overwrite]

WAREHOUSE is a folder, or all options of the catalog as JSON.
"""

import json
import sys

import pyarrow as pa
import pypaimon


def main(warehouse: str, name: str, first: int, count: int, overwrite: bool) -> None:
    options = json.loads(warehouse) if warehouse.startswith("{") else {"warehouse": warehouse}
    table = pypaimon.CatalogFactory.create(options).get_table(name)
    print("ready", flush=True)
    sys.stdin.readline()
    for identity in range(first, first + count):
        builder = table.new_batch_write_builder()
        if overwrite:
            builder = builder.overwrite({})
        write, commit = builder.new_write(), builder.new_commit()
        write.write_arrow(pa.table({"id": pa.array([identity], pa.int64())}))
        commit.commit(write.prepare_commit())
        write.close()
        commit.close()
        print("ack", identity, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), len(sys.argv) > 5)
