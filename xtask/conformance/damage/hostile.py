"""Descriptors in tables that point where nobody allowed them to: each must be refused, on every way to its bytes.

    python hostile.py --ours PYTHON --peers PYTHON --work FOLDER

A table that keeps descriptors in its rows is written by pypaimon, which writes them as they are. Every descriptor is
then read by ours: as bytes from Arrow, with `read_blob` and with `open_blob` under Daft; and it is written by ours, as
bytes into a column of blobs, which would copy what it points to. Whatever happens, no byte of what it points to may
come back, and the server on the loopback device that some point to must not be asked. A descriptor that points to what
the table holds is read, so that the way is open.
"""

import argparse
import http.server
import json
import pathlib
import shutil
import subprocess
import sys
import threading

import pyarrow as pa
import pypaimon
from pypaimon.table.row.blob import BlobDescriptor

SECRET = b"a secret that no table may give"
TABLE, BLOBS = "hostile.t", "hostile.blobs"
EVOLVING = {"row-tracking.enabled": "true", "data-evolution.enabled": "true"}
SCHEMA = pa.schema([("name", pa.string()), ("image", pa.large_binary())])


def hostile(warehouse: pathlib.Path, port: int) -> dict[str, tuple[str, int, int]]:
    """By name: URL, offset and length."""
    secret = warehouse.parent / "secret"
    table = warehouse / "hostile.db" / "t"
    inside = table / "bucket-0" / "inside.bin"
    whole = len(SECRET)
    return {
        "a file": (secret.as_uri(), 0, whole),
        "a path": (str(secret), 0, whole),
        "a file of a host": (f"file://localhost{secret}", 0, whole),
        "a way out of the table": (f"file://{table}/bucket-0/../../../../secret", 0, -1),
        "an escaped way out of the table": (f"file://{table}/bucket-0/%2e%2e/%2e%2e/%2e%2e/%2e%2e/secret", 0, -1),
        "a link in the table": ((table / "bucket-0" / "link.bin").as_uri(), 0, -1),
        "another table": ((warehouse / "hostile.db" / "other" / "secret").as_uri(), 0, whole),
        "loopback": (f"http://127.0.0.1:{port}/secret", 0, whole),
        "loopback by name": (f"http://localhost:{port}/secret", 0, -1),
        "link-local": ("http://169.254.169.254/latest/meta-data/", 0, -1),
        "the web": ("https://example.invalid/secret", 0, -1),
        "another store": ("s3://bucket-of-somebody/secret", 0, whole),
        "after the end": (inside.as_uri(), 100, 50),
        "over the end": (inside.as_uri(), 2, 2**40),
        "before the start": (inside.as_uri(), -5, 3),
        "no such file": ((table / "bucket-0" / "gone.bin").as_uri(), 0, 3),
    }


class Asked(http.server.BaseHTTPRequestHandler):
    """Counts who asks."""

    requests = 0

    def do_GET(self):
        Asked.requests += 1
        self.send_response(200)
        self.send_header("content-length", str(len(SECRET)))
        self.end_headers()
        self.wfile.write(SECRET)

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


def author(warehouse: pathlib.Path, port: int) -> None:
    """Writes the table; runs with pypaimon. Its own options allow everything, which must not count."""
    options = {
        **EVOLVING,
        "blob-descriptor-field": "image",
        "blob-descriptor.allowed-prefixes": "file:///,http://,s3://",
    }
    rows = [(name, BlobDescriptor(*at).serialize()) for name, at in hostile(warehouse, port).items()]
    inside = warehouse / "hostile.db" / "t" / "bucket-0" / "inside.bin"
    rows.append(("harmless", BlobDescriptor(inside.as_uri(), 2, 5).serialize()))
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("hostile", True)
    catalog.create_table(TABLE, pypaimon.Schema.from_pyarrow_schema(SCHEMA, options=options), False)
    catalog.create_table(BLOBS, pypaimon.Schema.from_pyarrow_schema(SCHEMA, options=EVOLVING), False)
    builder = catalog.get_table(TABLE).new_batch_write_builder()
    write = builder.new_write()
    write.write_arrow(pa.table(list(zip(*rows)), schema=SCHEMA))
    builder.new_commit().commit(write.prepare_commit())
    inside.write_bytes(b"0123456789")
    (inside.parent / "link.bin").symlink_to(warehouse.parent / "secret")
    (warehouse / "hostile.db" / "other").mkdir()
    (warehouse / "hostile.db" / "other" / "secret").write_bytes(SECRET)


class Reader:
    """Every way of ours to the bytes of a row."""

    def __init__(self, warehouse: pathlib.Path):
        self.options = {"warehouse": str(warehouse)}
        self.catalog = pypaimon.CatalogFactory.create(self.options)

    def by_arrow(self, name: str) -> bytes:
        table = self.catalog.get_table(TABLE).copy({"blob-as-descriptor": "false"})
        builder = table.new_read_builder()
        builder = builder.with_filter(builder.new_predicate_builder().equal("name", name))
        return builder.new_read().to_arrow(builder.new_scan().plan().splits())["image"][0].as_py()

    def frame(self, name: str):
        from daft import col
        from pypaimon.daft import read_paimon

        return read_paimon(TABLE, self.options).where(col("name") == name)

    def by_read_blob(self, name: str) -> bytes:
        from daft import col
        from pypaimon.daft import read_blob

        image = read_blob(col("image"), self.options, TABLE).alias("image")
        return self.frame(name).select(image).to_pydict()["image"][0]

    def by_open_blob(self, name: str) -> bytes:
        from pypaimon.daft import open_blob

        with open_blob(self.frame(name).to_pydict()["image"][0], self.options, TABLE) as stream:
            return stream.read()

    def by_writing(self, name: str) -> bytes:
        builder = self.catalog.get_table(TABLE).copy({"blob-as-descriptor": "true"}).new_read_builder()
        builder = builder.with_filter(builder.new_predicate_builder().equal("name", name))
        rows = builder.new_read().to_arrow(builder.new_scan().plan().splits())
        target = self.catalog.get_table(BLOBS)
        builder = target.new_batch_write_builder()
        with builder.new_write() as write, builder.new_commit() as commit:
            write.write_arrow(rows.cast(SCHEMA))
            commit.commit(write.prepare_commit())
        builder = target.new_read_builder()
        return builder.new_read().to_arrow(builder.new_scan().plan().splits())["image"][-1].as_py()


def tried(way, name: str) -> str:
    """What came of it: `refused`, or what was read."""
    try:
        found = way(name)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return f"shown in an error: {text}" if SECRET.decode() in text else f"refused: {text.splitlines()[0]}"
    except BaseException as error:
        return f"panic: {error}"
    return f"read: {found!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--author", type=int, help="the port of the server; writes the table and ends")
    arguments = parser.parse_args()
    warehouse = arguments.work.resolve() / "hostile" / "warehouse"
    if arguments.author:
        author(warehouse, arguments.author)
        return 0

    shutil.rmtree(warehouse.parent, ignore_errors=True)
    warehouse.mkdir(parents=True)
    (warehouse.parent / "secret").write_bytes(SECRET)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [arguments.peers, __file__, "--ours", arguments.ours, "--peers", arguments.peers]
    subprocess.run([*command, "--work", arguments.work, "--author", str(server.server_port)], check=True)

    reader = Reader(warehouse)
    ways = [reader.by_arrow, reader.by_read_blob, reader.by_open_blob, reader.by_writing]
    problems, refused = [], 0
    for name in hostile(warehouse, server.server_port):
        for way in ways:
            outcome = tried(way, name)
            refused += outcome.startswith("refused")
            if not outcome.startswith("refused"):
                problems.append(f"{name} {way.__name__}: {outcome}")
            print(json.dumps([name, way.__name__, outcome])[:220])
    for way in ways[:-1]:  # one table's blobs are not another's
        outcome = tried(way, "harmless")
        if outcome != "read: b'23456'":
            problems.append(f"harmless {way.__name__}: {outcome}")
    if Asked.requests:
        problems.append(f"the server was asked {Asked.requests} times")
    print(f"{len(hostile(warehouse, 0))} hostile descriptors in {len(ways)} ways: {refused} refused")
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
