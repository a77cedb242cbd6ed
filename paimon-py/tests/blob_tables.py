"""Tables with BLOB columns, and how their tests look at what is read of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import daft
import pyarrow as pa

from pypaimon import CatalogFactory, Schema
from pypaimon.table.file_store_table import FileStoreTable

EVOLVING = {"row-tracking.enabled": "true", "data-evolution.enabled": "true"}
COLUMNS = pa.schema([("id", pa.int64()), ("image", pa.large_binary())])
NESTED = pa.schema(
    [
        ("id", pa.int64()),
        ("list", pa.list_(pa.large_binary())),
        ("map", pa.map_(pa.string(), pa.large_binary())),
    ]
)


def create(
    catalog_options: dict[str, str], name: str = "db.t", columns: pa.Schema = COLUMNS, **options: str
) -> FileStoreTable:
    """Makes an evolving table, and its database; ``_`` and ``__`` in names of options stand for ``.`` and ``-``."""
    catalog = CatalogFactory.create(catalog_options)
    catalog.create_database(name.partition(".")[0], ignore_if_exists=True)
    named = {key.replace("__", "-").replace("_", "."): value for key, value in options.items()}
    catalog.create_table(name, Schema.from_pyarrow_schema(columns, options={**EVOLVING, **named}))
    return catalog.get_table(name)


def blob_files(table: FileStoreTable) -> list[Path]:
    """The files of BLOB values of a local table."""
    return sorted(Path(table.table_path).rglob("*.blob"))


@contextmanager
def spoilt(table: FileStoreTable) -> Iterator[None]:
    """Meanwhile no byte of a BLOB value is what it was: whoever reads one gets an error."""
    whole = {path: path.read_bytes() for path in blob_files(table)}
    assert whole
    for path, data in whole.items():
        # The index at the end stays: its length is in the four bytes before the last one.
        index = len(data) - 5 - int.from_bytes(data[-5:-1], "little")
        path.write_bytes(bytes(byte ^ 0xFF for byte in data[:index]) + data[index:])
    try:
        yield
    finally:
        for path, data in whole.items():
            path.write_bytes(data)


@contextmanager
def reads() -> Iterator[list[int]]:
    """The number of bytes that this process reads meanwhile from files and sockets, there at the end."""
    count: list[int] = []
    before = _bytes_read()
    yield count
    count.append(_bytes_read() - before)


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().partition("\n")[0].removeprefix("rchar: "))


@daft.func(return_dtype=daft.DataType.int64())
def file_length(file: daft.File) -> int | None:
    """The size that a file states, without asking the storage."""
    return None if file is None else file.length
