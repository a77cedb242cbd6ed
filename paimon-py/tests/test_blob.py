"""`pypaimon.table.row.blob`: values and references in pypaimon's own API, and tables that hold them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blob_tables import COLUMNS, blob_files, create
from conftest import append, read
from pypaimon import UnsupportedFeatureError
from pypaimon.common.file_io import FileIO
from pypaimon.common.uri_reader import FileUriReader, UriReader
from pypaimon.exceptions import CorruptTableError
from pypaimon.table.row.blob import Blob, BlobData, BlobDescriptor, BlobRef, BlobViewStruct

HEAD = "02" + b"CSEDBOLB".hex()
# Apache's pypaimon 2.1.0 wrote these.
WRITTEN = {
    ("file:///a", 4, 5): HEAD + "09000000" + b"file:///a".hex() + "0400000000000000" + "0500000000000000",
    ("é", 0, -1): HEAD + "02000000" + "é".encode().hex() + "00" * 8 + "ff" * 8,
}


@pytest.mark.parametrize(("parts", "data"), WRITTEN.items())
def test_descriptors_are_the_bytes_that_others_write(parts: tuple[str, int, int], data: str) -> None:
    descriptor = BlobDescriptor(*parts)
    assert descriptor.serialize().hex() == data
    again = BlobDescriptor.deserialize(bytes.fromhex(data))
    assert again == descriptor and hash(again) == hash(descriptor)
    assert (again.uri, again.offset, again.length, again.version) == (*parts, 2)
    assert pickle.loads(pickle.dumps(again)) == descriptor
    assert BlobDescriptor.is_blob_descriptor(bytes.fromhex(data))
    first = bytes.fromhex("01" + data[18:])
    assert BlobDescriptor.deserialize(first).version == 1
    assert BlobDescriptor.deserialize(first) != descriptor
    assert not BlobDescriptor.is_blob_descriptor(first), "version 1 cannot be told from other bytes"


@pytest.mark.parametrize("data", [b"", b"\x02", b"hello, this is no descriptor", b"\x03" + b"CSEDBOLB" + b"\0" * 20])
def test_other_bytes_are_no_descriptors(data: bytes) -> None:
    assert not BlobDescriptor.is_blob_descriptor(data)
    with pytest.raises(ValueError, match="descriptor"):
        BlobDescriptor.deserialize(data)


@pytest.mark.parametrize("value", [None, "text", 1])
def test_values_of_other_types_are_no_descriptors(value: Any) -> None:
    assert not BlobDescriptor.is_blob_descriptor(value)


def test_views_are_the_bytes_that_others_write() -> None:
    view = BlobViewStruct("db.t", 7, 42)
    # Apache's pypaimon 2.1.0 wrote this.
    data = b"\x01WEIVBOLB\4\0\0\0db.t\7\0\0\0" + b"\x2a" + bytes(7)
    assert view.serialize() == data
    assert BlobViewStruct.deserialize(data) == view
    with pytest.raises(ValueError):
        BlobViewStruct.deserialize(data[:-1])


def test_a_value_in_memory() -> None:
    blob = Blob.from_data(b"abc")
    assert isinstance(blob, BlobData)
    assert blob.to_data() == blob.new_input_stream().read() == b"abc"
    assert blob == BlobData(bytearray(b"abc")) != BlobData()
    with pytest.raises(RuntimeError, match="can not convert to descriptor"):
        blob.to_descriptor()
    with pytest.raises(TypeError, match="expects bytes"):
        BlobData("abc")  # type: ignore[arg-type]


def test_values_in_files(tmp_path: Path) -> None:
    path = tmp_path / "a b#c.bin"
    path.write_bytes(b"0123456789")
    for name in (str(path), f"file://{path}"):
        blob = Blob.from_local(name)
        assert isinstance(blob, BlobRef)
        assert blob.to_data() == b"0123456789"
        assert blob.to_descriptor() == BlobDescriptor(name, 0, -1)
    part = Blob.from_file(FileIO(), str(path), 2, 3)
    assert part.to_data() == b"234"
    with part.new_input_stream() as stream:
        assert stream.seek(-1, io.SEEK_END) == 2
        assert stream.read(5) == b"4"
    assert part == Blob.from_descriptor(UriReader.from_file(FileIO()), BlobDescriptor(str(path), 2, 3))
    assert isinstance(part.uri_reader, FileUriReader)
    with pytest.raises(FileNotFoundError, match=r"none\.bin"):
        Blob.from_local(str(tmp_path / "none.bin")).to_data()
    for call in (Blob.from_http, UriReader.from_http):
        with pytest.raises(UnsupportedFeatureError):
            call("https://example.com/x")


def test_a_table_gives_bytes_or_descriptors(tmp_path: Path) -> None:
    table = create({"warehouse": str(tmp_path)})
    values = [b"hello", None, b""]
    append(table, {"id": [0, 1, 2], "image": values})
    assert read(table).to_pydict() == {"id": [0, 1, 2], "image": values}
    assert read(table).schema.field("image").type == pa.large_binary()

    described = read(table.copy({"blob-as-descriptor": "true"})).column("image").to_pylist()
    assert [data and BlobDescriptor.is_blob_descriptor(data) for data in described] == [True, None, True]
    descriptor = BlobDescriptor.deserialize(described[0])
    (file,) = blob_files(table)
    assert (descriptor.uri.removeprefix("file://"), descriptor.offset, descriptor.length) == (str(file), 4, 5)
    reader = UriReader.from_file(table.file_io)
    for data, value in zip(described, values, strict=True):
        assert data is None or Blob.from_descriptor(reader, BlobDescriptor.deserialize(data)).to_data() == value


def test_descriptors_are_copied_into_the_table(tmp_path: Path) -> None:
    options = {"warehouse": str(tmp_path / "warehouse")}
    path = tmp_path / "source.bin"
    path.write_bytes(b"0123456789")
    allowed = {"blob-descriptor.allowed-prefixes": str(tmp_path)}
    source = create(options, "db.source")
    append(source, {"id": [0], "image": [b"from a table"]})
    of_table = read(source.copy({"blob-as-descriptor": "true"})).column("image")[0].as_py()
    of_file = BlobDescriptor(str(path), 3, 4).serialize()

    table = create({**options, **allowed}, "db.t")
    append(table, {"id": [0, 1, 2, 3], "image": [of_table, of_file, b"plain", None]})
    path.unlink()
    assert read(table).column("image").to_pylist() == [b"from a table", b"3456", b"plain", None]


def test_columns_that_are_not_projected_cost_nothing_even_when_their_files_are_gone(tmp_path: Path) -> None:
    table = create({"warehouse": str(tmp_path)})
    append(table, {"id": [0, 1], "image": [b"a", b"b"]})
    for file in blob_files(table):
        file.unlink()
    assert read(table, projection=["id"]).to_pydict() == {"id": [0, 1]}
    with pytest.raises(FileNotFoundError):
        read(table)


def test_tables_of_blobs_need_their_options(tmp_path: Path) -> None:
    from pypaimon import CatalogFactory, Schema

    catalog = CatalogFactory.create({"warehouse": str(tmp_path)})
    catalog.create_database("db")
    for options in ({}, {"row-tracking.enabled": "true"}):
        with pytest.raises(ValueError, match=r"data-evolution\.enabled|row-tracking\.enabled"):
            catalog.create_table("db.t", Schema.from_pyarrow_schema(COLUMNS, options=options))


def test_views_stand_for_the_values_of_another_table(tmp_path: Path) -> None:
    options = {"warehouse": str(tmp_path)}
    source = create(options, "db.source")
    append(source, {"id": [0, 1, 2], "image": [b"zero", None, b"two"]})
    (image,) = [field.id for field in source.fields if field.name == "image"]
    views = [BlobViewStruct("db.source", image, row_id).serialize() for row_id in (2, 0, 1)]
    table = create(options, "db.views", blob__view__field="image")
    append(table, {"id": [0, 1, 2, 3], "image": [*views, None]})
    assert not blob_files(table)
    assert read(table).column("image").to_pylist() == [b"two", b"zero", None, None]
    unresolved = read(table.copy({"blob-view.resolve.enabled": "false"})).column("image").to_pylist()
    assert unresolved == [*views, None]


@pytest.mark.parametrize(("name", "field", "row_id"), [("db.absent", 1, 0), ("db.source", 7, 0), ("db.source", 1, 9)])
def test_a_view_that_stands_for_nothing_is_told(tmp_path: Path, name: str, field: int, row_id: int) -> None:
    options = {"warehouse": str(tmp_path)}
    append(create(options, "db.source"), {"id": [0], "image": [b"zero"]})
    table = create(options, "db.views", blob__view__field="image")
    append(table, {"id": [0], "image": [BlobViewStruct(name, field, row_id).serialize()]})
    with pytest.raises(CorruptTableError, match=f"a value of table {name}"):
        read(table)
