"""Files written to BLOB columns: copied while streaming, or kept as references."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
import pytest
from daft import DataType, col
from daft.functions import file as file_at

import pypaimon
from blob_tables import NESTED, blob_files, create
from conftest import append
from pypaimon.daft import PaimonCatalog, PaimonTable, read_blob, read_paimon, write_paimon
from pypaimon.daft.arrow import FILE_STORAGE
from pypaimon.table.row.blob import BlobDescriptor

VALUES = [b"one", None, b"", b"four" * 5000]


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    return {"warehouse": str(tmp_path / "warehouse")}


def bytes_of(options: dict[str, str], name: str, column: str = "image") -> list[bytes | None]:
    frame = read_paimon(name, options).select("id", read_blob(col(column), options, name).alias("bytes"))
    found: list[bytes | None] = frame.sort("id").to_pydict()["bytes"]
    return found


def on_disk(tmp_path: Path, values: list[bytes]) -> list[str]:
    paths = [tmp_path / f"source-{number}.bin" for number in range(len(values))]
    for path, value in zip(paths, values, strict=True):
        path.write_bytes(value)
    return [str(path) for path in paths]


def test_bytes_and_none_are_written(options: dict[str, str]) -> None:
    create(options)
    write_paimon(daft.from_pydict({"id": [0, 1, 2, 3], "image": VALUES}), "db.t", options)
    assert bytes_of(options, "db.t") == VALUES


def test_a_table_is_copied_whole_and_filtered(options: dict[str, str]) -> None:
    append(create(options), {"id": [0, 1, 2, 3], "image": VALUES})
    create(options, "db.whole")
    create(options, "db.some")
    frame = read_paimon("db.t", options)
    written = write_paimon(frame, "db.whole", options).to_pydict()
    assert len([name for name in written["file_name"] if name.endswith(".blob")]) == 1
    write_paimon(frame.where(col("id") > 1), "db.some", options)
    assert bytes_of(options, "db.whole") == VALUES
    assert bytes_of(options, "db.some") == VALUES[2:]


def test_lists_and_maps_of_files_are_copied(options: dict[str, str]) -> None:
    lists = [[b"a", None, b""], [], None]
    maps = [[("k", b"v"), ("n", None)], None, []]
    append(create(options, columns=NESTED), {"id": [0, 1, 2], "list": lists, "map": maps})
    copy = create(options, "db.copy", NESTED)
    write_paimon(read_paimon("db.t", options), "db.copy", options)
    builder = copy.new_read_builder()
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits()).to_pydict()
    assert rows == {"id": [0, 1, 2], "list": lists, "map": maps}


def test_files_are_taken_in_by_path(options: dict[str, str], tmp_path: Path) -> None:
    values = [b"first", b"", bytes(range(256)) * 1000]
    paths: list[str | None] = [*on_disk(tmp_path, values), None]
    create(options)
    frame = daft.from_pydict({"id": [0, 1, 2, 3], "path": paths})
    write_paimon(frame.select("id", file_at(col("path")).alias("image")), "db.t", options)
    for path in filter(None, paths):
        Path(path).unlink()
    assert bytes_of(options, "db.t") == [*values, None]


def test_columns_of_other_order_and_several_commits(options: dict[str, str], tmp_path: Path) -> None:
    (path,) = on_disk(tmp_path, [b"abc"])
    create(options)
    frame = daft.from_pydict({"path": [path], "id": [0]})
    for _ in range(2):
        write_paimon(frame.select(file_at(col("path")).alias("image"), "id"), "db.t", options)
    assert bytes_of(options, "db.t") == [b"abc", b"abc"]


@pytest.mark.parametrize("kind", ["missing", "beyond"])
def test_a_source_that_cannot_be_read_leaves_nothing_behind(options: dict[str, str], tmp_path: Path, kind: str) -> None:
    table = create(options)
    append(table, {"id": [0], "image": [b"kept"]})
    before = sorted(Path(table.table_path).rglob("*"))
    good, bad = on_disk(tmp_path, [b"good", b"bad"])
    if kind == "missing":
        Path(bad).unlink()
        source = file_at(col("path"))
        frame = daft.from_pydict({"id": [1, 2], "path": [good, bad]}).select("id", source.alias("image"))
    else:
        rows = [{"url": good, "position": 0, "size": 2}, {"url": bad, "position": 1, "size": 100}]
        image = daft.Series.from_arrow(pa.array(rows, FILE_STORAGE), "image").cast(DataType.file())
        frame = daft.from_pydict({"id": [1, 2], "image": image})
    with pytest.raises(Exception, match=r"(?s)source-1\.bin") as raised:
        write_paimon(frame, "db.t", options)
    assert "image" in str(raised.value)
    assert table.snapshot_manager().get_latest_snapshot().id == 1
    assert sorted(Path(table.table_path).rglob("*")) == before
    assert bytes_of(options, "db.t") == [b"kept"]


def test_files_fit_blob_columns_alone(options: dict[str, str], tmp_path: Path) -> None:
    create(options, columns=pa.schema([("id", pa.int64()), ("name", pa.string()), ("image", pa.large_binary())]))
    files = daft.from_pydict({"id": [0], "path": ["/x"]}).with_column("name", file_at(col("path")))
    with pytest.raises(ValueError, match="cannot write column 'name' of files to the table's string"):
        write_paimon(files.with_column("image", col("name")).exclude("path"), "db.t", options)
    with pytest.raises(ValueError, match="cannot write column 'image' of type int64"):
        write_paimon(daft.from_pydict({"id": [0], "name": ["n"], "image": [1]}), "db.t", options)


def test_a_table_may_keep_references(options: dict[str, str], tmp_path: Path) -> None:
    values = [b"abc", b"defg"]
    paths = on_disk(tmp_path, values)
    table = create(options, blob__descriptor__field="image")
    frame = daft.from_pydict({"id": [0, 1, 2], "path": [*paths, None]})
    write_paimon(frame.select("id", file_at(col("path")).alias("image")), "db.t", options)
    assert not blob_files(table)
    with pytest.raises(Exception, match=r"(?s)refused.*allowed-prefixes.*source-0"):
        bytes_of(options, "db.t")
    options = {**options, "blob-descriptor.allowed-prefixes": f"file://{tmp_path}"}
    assert bytes_of(options, "db.t") == [*values, None]
    urls = [file and file.path for file in read_paimon("db.t", options).sort("id").to_pydict()["image"]]
    assert [url and url.removeprefix("file://") for url in urls] == [*paths, None]
    Path(paths[0]).write_bytes(b"new")
    assert bytes_of(options, "db.t")[0] == b"new"


HOSTILE = [
    "file:///etc/passwd",
    "/etc/passwd",
    "http://127.0.0.1:1/secret",
    "https://example.com/x",
    "http://169.254.169.254/latest/meta-data/",
    "http://localhost/x",
    "s3://other-bucket/key",
    "../../../../etc/passwd",
    "file://localhost/etc/passwd",
    "ftp://example.com/x",
]


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_descriptor_among_the_bytes_is_refused(options: dict[str, str], url: str) -> None:
    table = create(options)
    frame = daft.from_pydict({"id": [0, 1], "image": [b"fine", BlobDescriptor(url, 0, -1).serialize()]})
    with pytest.raises(Exception, match=r"(?s)(?=.*image)(?=.*allowed-prefixes)"):
        write_paimon(frame, "db.t", options)
    assert table.snapshot_manager().get_latest_snapshot() is None


def test_overwrites_replace_values(options: dict[str, str]) -> None:
    append(create(options), {"id": [0], "image": [b"old"]})
    write_paimon(daft.from_pydict({"id": [5], "image": [b"new"]}), "db.t", options, mode="overwrite")
    assert bytes_of(options, "db.t") == [b"new"]
    copied = read_paimon("db.t", options)
    write_paimon(copied, "db.t", options, mode="overwrite")
    assert bytes_of(options, "db.t") == [b"new"]


def test_catalog_tables_read_and_write_files(options: dict[str, str]) -> None:
    inner = pypaimon.CatalogFactory.create(options)
    catalog = PaimonCatalog(inner)
    catalog.create_namespace("db")
    files = daft.from_pydict({"id": [0], "path": ["/x"]}).select("id", file_at(col("path")).alias("image"))
    table = catalog.create_table("db.t", files.schema())
    assert table.schema()["image"].dtype == DataType.file()
    assert table.table_options["data-evolution.enabled"] == table.table_options["row-tracking.enabled"] == "true"
    table.append(daft.from_pydict({"id": [0, 1], "image": [b"abc", None]}))
    copy = PaimonTable(inner.get_table("db.t"))
    copy.append(copy.read())
    assert bytes_of(options, "db.t") == [b"abc", b"abc", None, None]
    assert sorted(copy.read(row_tracking=True).to_pydict()["_ROW_ID"]) == [0, 1, 2, 3]


def test_bytes_become_bytes_unless_they_are_named_as_blob(options: dict[str, str]) -> None:
    catalog = PaimonCatalog(pypaimon.CatalogFactory.create(options))
    catalog.create_namespace("db")
    schema = daft.from_pydict({"id": [0], "a": [b"a"], "b": [b"b"], "c": [[b"c"]]}).schema()

    def types(name: str, **properties: Any) -> list[str]:
        catalog.create_table(f"db.{name}", schema, properties=properties)
        return [str(field.type) for field in catalog._inner.get_table(f"db.{name}").fields]

    assert types("plain") == ["BIGINT", "BYTES", "BYTES", "ARRAY<BYTES>"]
    assert "row-tracking.enabled" not in catalog.get_table("db.plain").table_options
    assert types("named", blob_fields=["a", "c"]) == ["BIGINT", "BLOB", "BYTES", "ARRAY<BLOB>"]
    assert types("option", **{"blob-field": "a, b"}) == ["BIGINT", "BLOB", "BLOB", "ARRAY<BYTES>"]
    assert types("both", blob_fields=["a"], **{"blob-descriptor-field": "b"}) == [
        "BIGINT",
        "BLOB",
        "BLOB",
        "ARRAY<BYTES>",
    ]
    for properties, message in [
        ({"blob_fields": "a"}, "blob_fields must be a list of column names, got: 'a'"),
        ({"blob_fields": ["x"]}, "BLOB columns .'x'. are not columns of the schema"),
        ({"blob_fields": ["id"]}, "BLOB column 'id' must hold bytes or files, found int64"),
        ({"blob_fields": ["a"], "data-evolution.enabled": False}, "data-evolution.enabled"),
    ]:
        with pytest.raises(ValueError, match=message):
            catalog.create_table("db.wrong", schema, properties=properties)


INGEST = """
import resource, sys
from pathlib import Path
import daft
from daft import col
from daft.functions import file as file_at
from pypaimon.daft import write_paimon

folder, warehouse, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
frame = daft.from_pydict({"id": list(range(count)), "path": [str(folder / f"{n % 4}.bin") for n in range(count)]})
frame = frame.select("id", file_at(col("path")).alias("image"))
write_paimon(frame.limit(1), "db.t", {"warehouse": warehouse})  # what is loaded once
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
write_paimon(frame, "db.t", {"warehouse": warehouse})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak)
"""


def test_taking_files_in_holds_none_of_them_whole(options: dict[str, str], tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.bin").write_bytes(bytes([number]) * (24 << 20))
    table = create(options)
    command = [sys.executable, "-c", INGEST, str(tmp_path), options["warehouse"], "12"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) < 64 << 10, "KiB more than before, for 288 MiB of files"
    assert sum(path.stat().st_size for path in blob_files(table)) > 12 * (24 << 20)
