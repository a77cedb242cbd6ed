"""The bytes behind files: `read_blob` for columns, `open_blob` for one as a stream."""

from __future__ import annotations

import io
import logging
import pickle
from pathlib import Path
from typing import Any

import daft
import pytest
from daft import DataType, col
from daft.functions import file as file_at

from blob_tables import NESTED, create, spoilt
from conftest import append
from pypaimon import CatalogFactory
from pypaimon.catalog.catalog_exception import TableNotExistException
from pypaimon.daft import blob, open_blob, read_blob, read_paimon
from pypaimon.exceptions import PaimonError

VALUES = [b"one", None, b"", b"four" * 1000, b"\x00\xff"]


@pytest.fixture
def options(tmp_path: Path) -> dict[str, str]:
    options = {"warehouse": str(tmp_path / "warehouse")}
    append(create(options), {"id": list(range(5)), "image": VALUES})
    return options


def bytes_of(frame: Any, options: dict[str, str], column: str = "image", **more: Any) -> list[bytes | None]:
    read = frame.select("id", read_blob(col(column), options, "db.t", **more).alias("bytes"))
    found: list[bytes | None] = read.sort("id").to_pydict()["bytes"]
    return found


@pytest.mark.parametrize("max_concurrency", [64, 1, 0, 1000])
def test_null_empty_and_bytes_differ_with_any_concurrency(options: dict[str, str], max_concurrency: int) -> None:
    assert bytes_of(read_paimon("db.t", options), options, max_concurrency=max_concurrency) == VALUES


def test_the_result_is_a_binary_column_of_the_files_name(options: dict[str, str]) -> None:
    frame = read_paimon("db.t", options).select(read_blob(col("image"), options, "db.t"))
    assert frame.schema()["image"].dtype == DataType.binary()


def test_elements_of_lists_and_values_of_maps_are_read_after_explode(tmp_path: Path) -> None:
    options = {"warehouse": str(tmp_path)}
    lists = [[b"a", None, b""], [], None, [b"dd"]]
    maps = [[("k", b"v"), ("n", None)], [], None, [("e", b"")]]
    append(create(options, columns=NESTED), {"id": [0, 1, 2, 3], "list": lists, "map": maps})
    frame = read_paimon("db.t", options)
    exploded = frame.explode("list")
    found = exploded.select("id", read_blob(col("list"), options, "db.t").alias("bytes")).to_pydict()
    assert sorted(zip(*found.values(), strict=True), key=repr) == sorted(
        [(0, b"a"), (0, None), (0, b""), (1, None), (2, None), (3, b"dd")], key=repr
    )
    files = frame.sort("id").to_pydict()["map"]
    keys = [None if pairs is None else [(key, value is None) for key, value in pairs] for pairs in files]
    assert keys == [[("k", False), ("n", True)], [], None, [("e", False)]]
    (_, file), _ = files[0]
    assert open_blob(file, options, "db.t").read() == b"v"


def test_files_of_other_places_are_read_whole_or_by_their_range(options: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "plain.bin"
    path.write_bytes(b"0123456789")
    frame = daft.from_pydict({"id": [0, 1], "path": [str(path), None]}).with_column("file", file_at(col("path")))
    assert bytes_of(frame, options, "file") == [b"0123456789", None]

    file = daft.File(f"file://{path}", position=2, size=3)
    assert open_blob(file, options, "db.t").read() == b"234"
    assert open_blob(daft.File(str(path)), options, "db.t").read() == b"0123456789"


def test_many_values_of_frames_from_memory_are_read_in_pieces(options: dict[str, str]) -> None:
    frame = read_paimon("db.t", options).collect()
    frame = daft.from_pydict({"n": list(range(1200)), "id": [n % 5 for n in range(1200)]}).join(frame, on="id")
    found = frame.select("n", read_blob(col("image"), options, "db.t").alias("bytes")).sort("n").to_pydict()["bytes"]
    assert found == VALUES * 240


@pytest.mark.parametrize(
    ("column", "message"),
    [("image", "takes an expression such as col.'image'., got: 'image'"), (None, "takes an expression")],
)
def test_what_is_no_expression_is_refused_at_once(options: dict[str, str], column: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        read_blob(column, options, "db.t")


@pytest.mark.parametrize(
    ("concurrency", "error"), [(-1, ValueError), (True, TypeError), ("64", TypeError), (None, TypeError)]
)
def test_concurrency_that_is_no_number_of_requests_is_refused_at_once(
    options: dict[str, str], concurrency: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="max_concurrency must"):
        read_blob(col("image"), options, "db.t", max_concurrency=concurrency)


def test_a_column_that_holds_no_files_is_named(options: dict[str, str]) -> None:
    with pytest.raises(Exception, match="takes a column of files, but 'id' holds Int64"):
        bytes_of(read_paimon("db.t", options), options, "id")


def test_a_missing_table_is_named(options: dict[str, str]) -> None:
    frame = read_paimon("db.t", options).select(read_blob(col("image"), options, "db.missing"))
    with pytest.raises(Exception, match="Table db.missing does not exist"):
        frame.collect()
    (file,) = read_paimon("db.t", options).where(col("id") == 0).to_pydict()["image"]
    with pytest.raises(TableNotExistException):
        open_blob(file, options, "db.missing")
    with pytest.raises(ValueError, match="nodot"):
        read_blob(col("image"), options, "nodot")


def test_a_damaged_value_is_an_error_that_names_the_column_and_the_file(options: dict[str, str]) -> None:
    frame = read_paimon("db.t", options).where(col("id") == 3)
    with spoilt(CatalogFactory.create(options).get_table("db.t")):
        with pytest.raises(Exception, match=r"(?s)image.*\.blob|\.blob.*image"):
            bytes_of(frame, options)
        (file,) = frame.to_pydict()["image"]
        with pytest.raises(PaimonError, match=r"\.blob"):
            open_blob(file, options, "db.t").read()
    assert bytes_of(frame, options) == [VALUES[3]]


def test_a_range_beyond_its_file_is_an_error(options: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "short.bin"
    path.write_bytes(b"123")
    with pytest.raises(PaimonError, match="short.bin"):
        open_blob(daft.File(str(path), position=1, size=100), options, "db.t").read()
    with pytest.raises(FileNotFoundError, match=r"missing.bin"):
        open_blob(daft.File(str(tmp_path / "missing.bin")), options, "db.t").read()


def first_file(options: dict[str, str], number: int = 3) -> daft.File:
    (file,) = read_paimon("db.t", options).where(col("id") == number).to_pydict()["image"]
    return file


def test_a_stream_reads_seeks_and_closes_like_a_file(options: dict[str, str]) -> None:
    model = io.BytesIO(VALUES[3])
    with open_blob(first_file(options), options, "db.t") as stream:
        assert stream.readable() and stream.seekable() and not stream.writable()
        for call, arguments in [
            ("read", (10,)),
            ("tell", ()),
            ("seek", (5,)),
            ("read", (3,)),
            ("seek", (-4, io.SEEK_CUR)),
            ("read", (6,)),
            ("seek", (-7, io.SEEK_END)),
            ("read", ()),
            ("read", (1,)),
            ("seek", (10_000,)),
            ("read", (5,)),
            ("seek", (0,)),
            ("readline", ()),
            ("seek", (3999,)),
            ("read", (None,)),
            ("seek", (0,)),
            ("readall" if hasattr(model, "readall") else "read", ()),
        ]:
            assert getattr(stream, call)(*arguments) == getattr(model, call)(*arguments), (call, arguments)
        stream.seek(1)
        buffer = bytearray(7)
        assert stream.readinto(buffer) == 7
        assert bytes(buffer) == VALUES[3][1:8]
        assert stream.size() == 4000
        with pytest.raises(ValueError):
            stream.seek(-1)
    assert stream.closed
    with pytest.raises(ValueError, match="closed"):
        stream.read(1)
    stream.close()


def test_an_empty_value_is_an_empty_stream(options: dict[str, str]) -> None:
    with open_blob(first_file(options, 2), options, "db.t") as stream:
        assert stream.read() == b""
        assert stream.seek(0, io.SEEK_END) == 0


def test_a_null_is_not_opened(options: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="got: None: a NULL has no bytes"):
        open_blob(None, options, "db.t")
    with pytest.raises(TypeError, match="takes a daft.File, got: 'image'"):
        open_blob("image", options, "db.t")


def test_daft_s_own_open_reads_the_same_bytes(options: dict[str, str]) -> None:
    with first_file(options).open() as stream:
        assert stream.read() == VALUES[3]


def test_credentials_show_in_no_plan_and_no_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    options = {"warehouse": str(tmp_path), "s3.access-key": "AKIA-SEEN", "s3.secret-key": "HUSH", "s3.region": "eu-x-1"}
    append(create(options), {"id": [0], "image": [b"x"]})
    caplog.set_level(logging.DEBUG)
    frame = read_paimon("db.t", options)
    read = frame.select("id", read_blob(col("image"), options, "db.t").alias("bytes"))
    shown = io.StringIO()
    read.explain(True, file=shown)
    (file,) = frame.to_pydict()["image"]
    told = [shown.getvalue(), repr(read_blob(col("image"), options, "db.t")), str(frame), repr(file), str(file)]
    told += [repr(blob._Fetch(blob._Place.of(options, "db.t"), 1)), repr(open_blob(file, options, "db.t")), caplog.text]
    told += [repr(list(blob._tables._opened))]
    assert not [text for text in told if "HUSH" in text or "AKIA" in text]
    assert read.to_pydict()["bytes"] == [b"x"]


def test_tables_are_opened_anew_after_a_time_and_for_other_options(
    options: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = blob._Tables()
    place = blob._Place.of(options, "db.t")
    first = tables.get(place)
    assert tables.get(blob._Place.of(dict(options), "db.t")) is first
    assert tables.get(blob._Place.of({**options, "s3.session.token": "new"}, "db.t")) is not first
    monkeypatch.setattr(blob, "_TABLE_SECONDS", 0.0)
    assert tables.get(place) is not first
    monkeypatch.setattr(blob, "_TABLES_KEPT", 1)
    tables.get(place)
    assert len(tables._opened) == 1


def test_the_function_travels_to_other_processes(options: dict[str, str]) -> None:
    fetch = pickle.loads(pickle.dumps(blob._Fetch(blob._Place.of(options, "db.t"), 3)))
    files = read_paimon("db.t", options).sort("id").to_arrow().column("image")
    series = daft.Series.from_arrow(files.combine_chunks(), "image")
    assert fetch(series).to_pylist() == VALUES
