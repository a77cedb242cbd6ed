from __future__ import annotations

import inspect
import pickle
from pathlib import Path
from urllib.parse import urlparse

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon import Identifier, exceptions
from pypaimon.catalog import catalog_exception
from pypaimon.exceptions import CorruptTableError, PaimonError, UnsupportedFeatureError
from pypaimon.native_errors import from_native
from pypaimon.table.file_store_table import FileStoreTable

CLASSES = sorted(
    {
        found
        for module in (exceptions, catalog_exception)
        for _, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, PaimonError) and not found.__name__.startswith("_")
    },
    key=lambda found: found.__name__,
)


def make(cls: type[PaimonError]) -> PaimonError:
    of_table = "Table" in cls.__name__ and cls.__module__.endswith("catalog_exception")
    return cls(Identifier("db", "t") if of_table else "something")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_exception_survives_pickling(cls: type[PaimonError]) -> None:
    error = make(cls)
    error.context, error.retryable = {"file": "x"}, True
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == str(error)
    assert again.__dict__ == error.__dict__


@pytest.mark.parametrize(
    ("kind", "context", "cls", "base"),
    [
        ("not_found", {"table": "db.t"}, "TableNotExistException", PaimonError),
        ("already_exists", {"table": "db.t"}, "TableAlreadyExistException", PaimonError),
        ("not_found", {"database": "db"}, "DatabaseNotExistException", PaimonError),
        ("not_found", {"table": "file:///w/db.db/t"}, "NotFoundError", LookupError),
        ("not_found", {"file": "a/b"}, "PaimonFileNotFoundError", FileNotFoundError),
        ("not_found", {"tag": "x"}, "TagNotExistException", ValueError),
        ("not_found", {"snapshot": "7"}, "SnapshotNotExistException", ValueError),
        ("not_found", {"expired snapshot": "7"}, "SnapshotExpiredError", FileNotFoundError),
        ("not_found", {"column": "c"}, "ColumnNotExistException", ValueError),
        ("invalid_input", {}, "InvalidInputError", ValueError),
        ("unsupported", {}, "UnsupportedError", NotImplementedError),
        ("permission_denied", {}, "PaimonPermissionError", PermissionError),
        ("storage", {"file": "a"}, "PaimonStorageError", OSError),
        ("commit_conflict", {}, "CommitConflictError", PaimonError),
        ("corrupt_data", {"file": "a"}, "CorruptTableError", PaimonError),
        ("internal", {}, "PaimonError", PaimonError),
    ],
)
def test_each_kind_of_error_has_its_class(kind: str, context: dict[str, str], cls: str, base: type[Exception]) -> None:
    error = from_native(kind, "the message", "the message\n  where: here", context, True)
    assert type(error).__name__ == cls
    assert isinstance(error, base)
    assert error.retryable and error.context == context


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    made = tables.create({"n": pa.int64(), "s": pa.string()})
    append(made, {"n": list(range(1000)), "s": [f"row {n}" for n in range(1000)]})
    return made


def files(table: FileStoreTable, pattern: str) -> list[Path]:
    return sorted(Path(urlparse(table.table_path).path).glob(pattern))


@pytest.mark.parametrize("pattern", ["manifest/manifest-list-*", "manifest/manifest-[!l]*", "snapshot/snapshot-1"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing"])
def test_broken_metadata_is_named(table: FileStoreTable, tables: Tables, pattern: str, damage: str) -> None:
    from pypaimon import CatalogFactory

    broken = [path for path in files(table, pattern) if path.stat().st_size > 0]
    assert broken
    for path in broken:
        data = path.read_bytes()
        path.unlink()
        if damage != "missing":
            path.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"")
    # Without what the process remembers of the files.
    catalog = CatalogFactory.create({**tables.catalog.catalog_options, "cache-enabled": "false"})
    with pytest.raises(PaimonError) as raised:
        read(catalog.get_table("db.t"))
    assert any(path.name in str(raised.value) for path in broken) or "snapshot 1" in str(raised.value)


def test_a_truncated_data_file_is_named(table: FileStoreTable) -> None:
    (path,) = files(table, "bucket-0/*.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptTableError, match=path.name):
        read(table)
    builder = table.new_read_builder()
    reader = builder.new_read().to_arrow_batch_reader(builder.new_scan().plan().splits())
    with pytest.raises(CorruptTableError, match=path.name):
        reader.read_all()


def test_errors_of_the_c_interface_carry_the_text(table: FileStoreTable) -> None:
    (path,) = files(table, "bucket-0/*.parquet")
    path.write_bytes(b"")
    native = table.native
    stream = native.read(native.plan().splits)
    with pytest.raises(pa.ArrowException, match=path.name):
        pa.RecordBatchReader.from_stream(stream).read_all()


@pytest.mark.parametrize(
    "module",
    [
        "pypaimon.ray",
        "pypaimon.api.rest_api",
        "pypaimon.catalog.rest.rest_catalog",
        "pypaimon.multimodal",
        "pypaimon.sql",
    ],
)
def test_modules_that_only_apaches_wheel_has_are_named(module: str) -> None:
    import importlib

    with pytest.raises(UnsupportedFeatureError) as raised:
        importlib.import_module(module)
    # The first package on the way that is missing is named.
    assert module.startswith(raised.value.feature) and raised.value.feature in str(raised.value)
    assert not isinstance(raised.value, ImportError)


def test_a_module_that_nobody_has_is_missing_as_usual() -> None:
    with pytest.raises(ModuleNotFoundError):
        import pypaimon.no_such_module  # noqa: F401


def test_names_and_methods_that_only_apaches_wheel_has_are_named(table: FileStoreTable) -> None:
    import pypaimon
    from pypaimon import CoreOptions

    for call in (
        lambda: pypaimon.SQLContext,
        lambda: CoreOptions.MERGE_ENGINE,
        lambda: table.options.merge_engine(),
        lambda: table.changelog_manager(),
        lambda: table.new_stream_read_builder(),
        lambda: table.new_read_builder().new_scan().with_chunk_shuffle(1),
        lambda: table.new_read_builder().new_read().to_ray([]),
    ):
        with pytest.raises(UnsupportedFeatureError):
            call()
    with pytest.raises(AttributeError):
        pypaimon.no_such_name  # noqa: B018


def test_a_missing_pandas_or_duckdb_says_what_to_install(
    table: FileStoreTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    reading = table.new_read_builder().new_read()
    for name, call in (("pandas", lambda: reading.to_pandas([])), ("duckdb", lambda: reading.to_duckdb([], "t"))):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=f"pip install {name}"):
            call()


def test_the_package_says_what_it_is() -> None:
    import pypaimon

    assert pypaimon.__implementation__ == "rust"
    assert pypaimon.__version__.startswith("2.1.0+rs.")
    assert set(pypaimon.__all__) <= set(dir(pypaimon))
