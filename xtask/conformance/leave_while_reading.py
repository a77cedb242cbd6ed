"""Ends the interpreter while a thread waits for storage in the native module; the process must end well.

Before Python 3.14 such a thread may be unwound by force. A wheel that is linked with an unwinder of its own, as those
for users are, does not survive that.

python leave_while_reading.py
"""

import contextlib
import os
import tempfile
import threading
import time
from pathlib import Path

import pyarrow as pa
from pypaimon import CatalogFactory, Schema

COLUMNS = pa.schema([("n", pa.int64())])


def main(warehouse: str) -> None:
    catalog = CatalogFactory.create({"warehouse": warehouse})
    catalog.create_database("db", ignore_if_exists=False)
    catalog.create_table("db.t", Schema.from_pyarrow_schema(COLUMNS), ignore_if_exists=False)
    table = catalog.get_table("db.t")
    builder = table.new_batch_write_builder()
    with builder.new_write() as write, builder.new_commit() as commit:
        write.write_arrow(pa.table({"n": [1]}, schema=COLUMNS))
        commit.commit(write.prepare_commit())

    (file,) = Path(warehouse).rglob("data-*")
    file.unlink()
    os.mkfifo(file)  # nobody ever writes to it
    reader = table.new_read_builder()
    splits = reader.new_scan().plan().splits()

    def read() -> None:
        with contextlib.suppress(RuntimeError):
            reader.new_read().to_arrow(splits)

    threading.Thread(target=read, daemon=True).start()
    time.sleep(0.5)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(folder)
    print("a thread waits for storage: the interpreter ends")
