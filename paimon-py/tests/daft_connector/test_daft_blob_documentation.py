"""The samples of the connector's documentation on BLOB columns; only the warehouse is replaced."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import daft
import pytest
from daft import col

from blob_tables import create, reads
from conftest import append, passing_on
from pypaimon.daft import open_blob, read_blob, read_paimon

#: 40 rows, of which those below 100 are 20; each value is larger than what metadata takes.
IDS = [*range(20), *range(100, 120)]
IMAGES = {number: bytes([number]) * (500_000 + number) for number in IDS} | {7: None, 8: b""}


class Place:
    """A warehouse with the documented table."""

    def __init__(self, catalog_options: dict[str, str], asked: list[tuple[str, int]] | None) -> None:
        self.catalog_options = catalog_options
        self.bytes_of_metadata = 1_000_000 if asked is None else 0
        self._asked = asked

    @contextmanager
    def blob_bytes(self) -> Iterator[list[int]]:
        """The number of bytes that are read meanwhile, there at the end; from afar those of BLOB files alone."""
        if self._asked is None:
            with reads() as count:
                yield count
            return
        del self._asked[:]
        count = []
        yield count
        count.append(sum(size for path, size in self._asked if path.endswith(".blob")))


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    if request.param == "local":
        catalog_options = {"warehouse": str(tmp_path)}
        fill(catalog_options)
        yield Place(catalog_options, None)
        return
    warehouse = f"s3://lake/blobs-{time.monotonic_ns()}"
    catalog_options = {"warehouse": warehouse, **request.getfixturevalue("s3")}
    fill(catalog_options)
    with passing_on(catalog_options["s3.endpoint"]) as (endpoint, asked):
        yield Place({**catalog_options, "s3.endpoint": endpoint}, asked)


def fill(catalog_options: dict[str, str]) -> None:
    table = create(catalog_options, "my_db.image_table")
    append(table, {"id": IDS, "image": [IMAGES[number] for number in IDS]})


def test_lazy_loading(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    read_paimon("my_db.image_table", place.catalog_options).to_pydict()  # indexes are kept
    with place.blob_bytes() as count:
        df = read_paimon(
            "my_db.image_table",
            catalog_options=place.catalog_options,
        )

        # Filter runs BEFORE any blob bytes are read.
        df = df.where(col("id") < 100)

        # file.length returns the blob size from the descriptor (zero I/O).
        @daft.func(return_dtype=daft.DataType.int64())
        def file_length(f: daft.File) -> int | None:
            return None if f is None else f.length

        result = df.with_column("size", file_length(col("image")))
        result.show()

        sizes = dict(zip(*result.select("id", "size").to_pydict().values(), strict=True))
    assert sizes == {number: None if IMAGES[number] is None else len(IMAGES[number]) for number in range(20)}
    assert count[0] <= place.bytes_of_metadata, "of 20 MB of values none"
    assert "size" in capsys.readouterr().out


def test_reading_blob_content(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    catalog_options = place.catalog_options
    table = "my_db.image_table"

    with place.blob_bytes() as count:
        df = read_paimon(table, catalog_options)
        df = df.where(col("id") < 100)  # filter before reading bytes

        result = df.select(
            col("id"),
            read_blob(col("image"), catalog_options, table).alias("image_bytes"),
        )
        found = dict(zip(*result.to_pydict().values(), strict=True))
    assert found == {number: IMAGES[number] for number in range(20)}
    assert count[0] < 18 * 500_100 * 1.15, "only what is wanted"
    result.show()
    assert "image_bytes" in capsys.readouterr().out


def test_streaming_with_open_blob(place: Place) -> None:
    catalog_options = place.catalog_options
    table = "my_db.image_table"

    df = read_paimon(table, catalog_options)

    @daft.func(return_dtype=daft.DataType.binary())
    def first_4k(file: daft.File) -> bytes | None:
        if file is None:
            return None
        with open_blob(file, catalog_options, table) as f:
            return f.read(4096)

    with place.blob_bytes() as count:
        result = df.with_column("header", first_4k(col("image")))
        found: dict[int, Any] = dict(zip(*result.select("id", "header").to_pydict().values(), strict=True))
    assert found == {number: None if IMAGES[number] is None else IMAGES[number][:4096] for number in IDS}
    assert count[0] < 6_000_000, "a little of each, of 20 MB"
