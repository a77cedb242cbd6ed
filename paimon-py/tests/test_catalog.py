from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon import CatalogFactory, Identifier, Schema, SchemaChange
from pypaimon.catalog.catalog_exception import (
    ColumnNotExistException,
    DatabaseAlreadyExistException,
    DatabaseNotExistException,
    TableAlreadyExistException,
    TableNotExistException,
    TagNotExistException,
)
from pypaimon.catalog.filesystem_catalog import FileSystemCatalog
from pypaimon.exceptions import InvalidInputError, PaimonError, UnsupportedFeatureError
from pypaimon.schema.data_types import AtomicType
from pypaimon.schema.schema_change import Move

ONE_COLUMN = Schema.from_pyarrow_schema(pa.schema([("n", pa.int32())]))


def test_databases_are_created_listed_and_dropped(catalog: FileSystemCatalog) -> None:
    catalog.create_database("other")
    assert catalog.list_databases() == ["db", "other"]
    assert catalog.get_database("db").name == "db"
    with pytest.raises(DatabaseAlreadyExistException) as raised:
        catalog.create_database("db")
    assert raised.value.database == "db"
    catalog.create_database("db", ignore_if_exists=True)
    catalog.drop_database("other")
    with pytest.raises(DatabaseNotExistException, match="Database other does not exist"):
        catalog.get_database("other")
    with pytest.raises(DatabaseNotExistException):
        catalog.drop_database("other")
    catalog.drop_database("other", ignore_if_not_exists=True)
    with pytest.raises(DatabaseNotExistException):
        catalog.list_tables("other")


def test_a_database_with_tables_is_dropped_only_with_cascade(catalog: FileSystemCatalog) -> None:
    catalog.create_table("db.t", ONE_COLUMN)
    with pytest.raises(InvalidInputError, match="cascade|not empty"):
        catalog.drop_database("db")
    catalog.drop_database("db", cascade=True)
    assert catalog.list_databases() == []


def test_tables_are_created_listed_renamed_and_dropped(catalog: FileSystemCatalog) -> None:
    catalog.create_table("db.t", ONE_COLUMN)
    catalog.create_table(Identifier("db", "s"), ONE_COLUMN)
    assert catalog.list_tables("db") == ["s", "t"]
    with pytest.raises(TableAlreadyExistException) as raised:
        catalog.create_table("db.t", ONE_COLUMN)
    assert raised.value.identifier == Identifier("db", "t")
    catalog.create_table("db.t", ONE_COLUMN, ignore_if_exists=True)
    with pytest.raises(TableAlreadyExistException):
        catalog.rename_table("db.s", "db.t")
    catalog.rename_table("db.s", "db.u")
    with pytest.raises(TableNotExistException, match=r"Table db\.s does not exist"):
        catalog.get_table("db.s")
    with pytest.raises(TableNotExistException):
        catalog.rename_table("db.s", "db.v")
    catalog.drop_table("`db`.`u`")
    with pytest.raises(TableNotExistException):
        catalog.drop_table("db.u")
    catalog.drop_table("db.u", ignore_if_not_exists=True)
    with pytest.raises(DatabaseNotExistException):
        catalog.create_table("nowhere.t", ONE_COLUMN)


@pytest.mark.parametrize(
    "name", ["plain", "", " ", "db.", "db.a/b", "db...", "db..hidden", "../db.t", "db.t`", "db.a\x00b", "`db`.`t`.`u`"]
)
def test_names_that_lead_elsewhere_are_refused(catalog: FileSystemCatalog, name: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError):
        catalog.create_table(name, ONE_COLUMN)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, InvalidInputError, "Paimon 'warehouse' path must be set"),
        ({"warehouse": "/tmp", "metastore": "hive"}, InvalidInputError, "Unknown catalog identifier: hive"),
        ({"warehouse": "/tmp", "metastore": "rest"}, UnsupportedFeatureError, "rest"),
        ({"warehouse": "gopher://x/y"}, PaimonError, "gopher"),
        ({"warehouse": "/tmp", "x": None}, InvalidInputError, "'x' has no value"),
    ],
)
def test_a_catalog_that_cannot_be_is_refused(options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        CatalogFactory.create(options)


@pytest.mark.parametrize("spell", [str, Path, "file://{}".format])
def test_a_warehouse_is_a_path_or_a_url(tmp_path: Path, spell: Any) -> None:
    catalog = CatalogFactory.create({"warehouse": spell(str(tmp_path / "w"))})
    catalog.create_database("db")
    catalog.create_table("db.t", ONE_COLUMN)
    assert catalog.get_table("db.t").table_path.endswith("/w/db.db/t")
    assert (tmp_path / "w/db.db/t/schema/schema-0").is_file()


def test_columns_are_added_renamed_moved_and_dropped(tables: Tables) -> None:
    table = tables.create({"a": pa.int32(), "b": pa.string()})
    append(table, {"a": [1], "b": ["x"]})
    changes = [
        SchemaChange.add_column("c", AtomicType("DOUBLE"), "a comment", Move.first("c")),
        SchemaChange.rename_column("b", "text"),
        SchemaChange.update_column_type("a", AtomicType("BIGINT")),
        SchemaChange.update_column_comment("a", "the number"),
        SchemaChange.update_comment("about the table"),
        SchemaChange.set_option("snapshot.num-retained.min", "3"),
    ]
    tables.catalog.alter_table("db.t", changes)
    table = tables.catalog.get_table("db.t")
    assert [(field.name, str(field.type)) for field in table.fields] == [
        ("c", "DOUBLE"),
        ("a", "BIGINT"),
        ("text", "STRING"),
    ]
    assert table.comment() == "about the table"
    assert table.field_dict["a"].description == "the number"
    assert table.options.get("snapshot.num-retained.min") == "3"
    assert read(table).to_pydict() == {"c": [None], "a": [1], "text": ["x"]}
    tables.catalog.alter_table("db.t", [SchemaChange.drop_column("c"), SchemaChange.remove_option("no-such")])
    assert tables.catalog.get_table("db.t").field_names == ["a", "text"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (SchemaChange.drop_column("nope"), "nope"),
        (SchemaChange.rename_column("a", "b"), "b"),
        (SchemaChange.update_column_type("b", AtomicType("NO SUCH TYPE")), "NO SUCH TYPE"),
        (SchemaChange.set_option("bucket-key", "b"), "bucket-key"),
        (SchemaChange.update_column_position(Move.after("a", "nope")), "nope"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(tables: Tables, change: SchemaChange, text: str) -> None:
    table = tables.create({"a": pa.int32(), "b": pa.string()})
    append(table, {"a": [1], "b": ["x"]})
    with pytest.raises((InvalidInputError, ColumnNotExistException, PaimonError), match=text):
        tables.catalog.alter_table("db.t", [change])
    assert tables.catalog.get_table("db.t").table_schema.id == 0


def test_altering_a_missing_table_is_an_error_unless_it_may_be_missing(catalog: FileSystemCatalog) -> None:
    change = [SchemaChange.set_option("k", "v")]
    with pytest.raises(TableNotExistException):
        catalog.alter_table("db.t", change)
    catalog.alter_table("db.t", change, ignore_if_not_exists=True)


def test_misspelt_options_are_warned_of_when_they_are_set(tables: Tables) -> None:
    with pytest.warns(UserWarning, match=r"did you mean 'file\.format'"):
        table = tables.create({"n": pa.int32()}, options={"file.fromat": "avro"})
    with pytest.warns(UserWarning, match=r"did you mean 'scan\.snapshot-id'"):
        table.copy({"scan.snapshot_id": "1"})
    with pytest.warns(UserWarning, match="did you mean"):
        tables.catalog.alter_table("db.t", [SchemaChange.set_option("file.compresion", "lz4")])
    # Nobody can mend them by loading the table.
    tables.catalog.get_table("db.t")


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"partition_keys": ["nope"]}, "nope"),
        ({"primary_keys": ["nope"]}, "nope"),
        ({"options": {"bucket": "many"}}, "bucket"),
        ({"partition_keys": ["n", "n"]}, "n"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(tables: Tables, schema: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        tables.create({"n": pa.int32(), "m": pa.int32()}, **schema)
    assert tables.catalog.list_tables("db") == []


def test_text_where_a_list_of_columns_belongs_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="primary_keys"):
        Schema.from_pyarrow_schema(pa.schema([("id", pa.int32())]), primary_keys="id")


def test_tags_are_created_listed_read_and_deleted(tables: Tables) -> None:
    table = tables.create({"n": pa.int32()})
    with pytest.raises(ValueError, match="latest snapshot doesn't exist"):
        table.create_tag("early")
    append(table, {"n": [1]})
    append(table, {"n": [2]})
    table.create_tag("latest", time_retained="7 d")
    table.create_tag("first", snapshot_id=1)
    assert table.list_tags() == ["first", "latest"]
    with pytest.raises(ValueError, match="already exists"):
        table.create_tag("first")
    table.create_tag("first", snapshot_id=2, ignore_if_exists=True)
    first, latest = table.get_tag("first"), table.get_tag("latest")
    assert first is not None and first.id == 1 and first.tag_time_retained is None
    assert latest is not None and latest.tag_time_retained == 7 * 86_400_000
    with pytest.raises(ValueError, match="99"):
        table.create_tag("x", snapshot_id=99)
    with pytest.raises(ValueError, match="tag"):
        table.create_tag("../x")
    assert table.delete_tag("first")
    assert not table.delete_tag("first")
    with pytest.raises(TagNotExistException):
        tables.catalog.get_tag("db.t", "first")


def test_snapshots_are_found_by_id_and_time(tables: Tables) -> None:
    table = tables.create({"n": pa.int32()})
    manager = table.snapshot_manager()
    assert manager.get_latest_snapshot() is None
    assert manager.list_snapshots() == []
    append(table, {"n": [1]})
    append(table, {"n": [2, 3]})
    latest = manager.get_latest_snapshot()
    assert latest is not None
    assert (latest.id, latest.total_record_count, latest.delta_record_count, latest.commit_kind) == (2, 3, 2, "APPEND")
    assert [snapshot.id for snapshot in manager.list_snapshots()] == [1, 2]
    assert manager.get_snapshot_by_id(3) is None
    assert manager.earlier_or_equal_time_mills(latest.time_millis) == latest
    assert manager.earlier_or_equal_time_mills(0) is None


def test_partitions_are_dropped_through_the_catalog(tables: Tables) -> None:
    table = tables.create({"p": pa.string(), "n": pa.int32()}, partition_keys=["p"])
    append(table, {"p": ["a", "b"], "n": [1, 2]})
    tables.catalog.drop_partitions("db.t", [{"p": "a"}])
    assert read(table)["p"].to_pylist() == ["b"]
    with pytest.raises(InvalidInputError, match="cannot be empty"):
        tables.catalog.drop_partitions("db.t", [])


def test_catalogs_and_tables_pickle_without_secrets(tmp_path: Path) -> None:
    secrets = {
        "s3.secret-key": "hush-1",
        "token": "hush-2",
        "fs.oss.securityToken": "hush-3",
        "s3.access-key": "hush-4",
    }
    catalog = CatalogFactory.create(
        {"warehouse": str(tmp_path), "some.region": "here", **dict.fromkeys(secrets, "hush")}
    )
    catalog.create_database("db")
    catalog.create_table("db.t", ONE_COLUMN)
    table = catalog.get_table("db.t")
    append(table, {"n": [1]})
    pickled = pickle.dumps((catalog, table, table.new_read_builder(), table.new_batch_write_builder()))
    assert b"hush" not in pickled
    assert "hush" not in repr((catalog, table, table.file_io, table.options))
    catalog, table, _, _ = pickle.loads(pickled)
    assert read(table)["n"].to_pylist() == [1]
    assert catalog.get_table("db.t").file_io.properties["some.region"] == "here"


def test_a_table_is_opened_by_its_folder(tables: Tables) -> None:
    from pypaimon.table.file_store_table import FileStoreTable

    path = tables.create({"n": pa.int32()}).table_path
    table = FileStoreTable.from_path(path)
    assert table.identifier.get_full_name() == "db.t"
    assert table.field_names == ["n"]
    with pytest.raises(PaimonError):
        FileStoreTable.from_path(path + "-not")
