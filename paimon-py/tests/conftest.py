from __future__ import annotations

import http.client
import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pypaimon import CatalogFactory, Schema
from pypaimon.catalog.filesystem_catalog import FileSystemCatalog
from pypaimon.table.file_store_table import FileStoreTable


@pytest.fixture
def catalog(tmp_path: Path) -> FileSystemCatalog:
    made = CatalogFactory.create({"warehouse": tmp_path / "warehouse"})
    made.create_database("db")
    return made


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    """Options for the warehouse of `catalog`."""
    return {"warehouse": str(tmp_path / "warehouse")}


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A store of moto's, on a free port of this machine; it has a bucket ``lake``."""
    with moto() as endpoint:
        request(endpoint, "PUT", "/lake")
        yield endpoint


@contextmanager
def moto(**environment: str) -> Iterator[str]:
    """A store of moto's in a process of its own; gives its endpoint."""
    pytest.importorskip("moto.server", reason="moto is not installed: pip install 'moto[server]'")
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}) as server:
        assert server.stderr is not None
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in server.stderr)))
        drain = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=server.stderr)
        try:
            yield found[0]
        finally:
            server.terminate()
            drain.wait()


@contextmanager
def passing_on(endpoint: str) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Another address of a store; what is read there, with the number of bytes, and nothing can be written."""
    asked: list[tuple[str, int]] = []

    class PassingOn(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=20)
            connection.request(self.command, self.path, headers=dict(self.headers))
            answer = connection.getresponse()
            body = answer.read()
            asked.append((self.path, len(body)))
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("connection", "transfer-encoding"):
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), PassingOn) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def request(endpoint: str, method: str, path: str) -> bytes:
    """Asks a server something, and gives what it answers."""
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, (answer.status, body)
    connection.close()
    return body


@pytest.fixture
def s3(s3_endpoint: str) -> dict[str, str]:
    """Options for the bucket ``lake``."""
    return {"s3.endpoint": s3_endpoint, "s3.access-key": "KEY", "s3.secret-key": "SECRET"}


class Tables:
    """Makes tables and fills them."""

    def __init__(self, catalog: FileSystemCatalog) -> None:
        self.catalog = catalog

    def create(self, columns: dict[str, pa.DataType] | pa.Schema, name: str = "t", **more: Any) -> FileStoreTable:
        schema = columns if isinstance(columns, pa.Schema) else pa.schema(list(columns.items()))
        self.catalog.create_table(f"db.{name}", Schema.from_pyarrow_schema(schema, **more))
        return self.catalog.get_table(f"db.{name}")


@pytest.fixture
def tables(catalog: FileSystemCatalog) -> Tables:
    return Tables(catalog)


def append(table: FileStoreTable, rows: dict[str, list[Any]] | pa.Table) -> int | None:
    """Commits rows; columns take the table's types."""
    if isinstance(rows, dict):
        target = pa.schema(table._native.arrow_schema())
        rows = pa.table({name: pa.array(values, target.field(name).type) for name, values in rows.items()})
    builder = table.new_batch_write_builder()
    with builder.new_write() as write, builder.new_commit() as commit:
        write.write_arrow(rows)
        return commit.commit(write.prepare_commit())


def read(table: FileStoreTable, **builder_calls: Any) -> pa.Table:
    builder = table.new_read_builder()
    for name, value in builder_calls.items():
        getattr(builder, f"with_{name}")(value)
    return builder.new_read().to_arrow(builder.new_scan().plan().splits())
