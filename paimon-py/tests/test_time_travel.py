from __future__ import annotations

import datetime
import pickle
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon import SchemaChange
from pypaimon.exceptions import InvalidInputError, SnapshotExpiredError
from pypaimon.schema.data_types import AtomicType
from pypaimon.table.file_store_table import FileStoreTable


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    """Snapshot 1 has column n; snapshot 2, tagged, has m too."""
    made = tables.create({"n": pa.int32()})
    append(made, {"n": [1]})
    tables.catalog.alter_table("db.t", [SchemaChange.add_column("m", AtomicType("INT"))])
    made = tables.catalog.get_table("db.t")
    append(made, {"n": [2], "m": [20]})
    made.create_tag("two")
    append(made, {"n": [3], "m": [30]})
    return made


def folder(table: FileStoreTable) -> Path:
    return Path(urlparse(table.table_path).path)


def test_a_snapshot_is_read_with_the_schema_it_had(table: FileStoreTable) -> None:
    first = table.copy({"scan.snapshot-id": 1})
    assert first.field_names == ["n"]
    assert read(first).to_pydict() == {"n": [1]}
    assert read(table).num_rows == 3


@pytest.mark.parametrize("option", ["scan.tag-name", "scan.version"])
def test_a_tag_is_read_by_name(table: FileStoreTable, option: str) -> None:
    assert read(table.copy({option: "two"}))["n"].to_pylist() == [1, 2]


def test_a_time_is_read_as_milliseconds_or_local_text(table: FileStoreTable) -> None:
    second = table.snapshot_manager().get_snapshot_by_id(2)
    assert second is not None
    assert read(table.copy({"scan.timestamp-millis": second.time_millis}))["n"].to_pylist() == [1, 2]
    local = datetime.datetime.fromtimestamp(second.time_millis / 1000)
    text = f"{local:%Y-%m-%d %H:%M:%S}.{second.time_millis % 1000:03}"
    assert read(table.copy({"scan.timestamp": text}))["n"].to_pylist() == [1, 2]


def test_removing_the_read_point_brings_the_latest_state_back(table: FileStoreTable) -> None:
    back = table.copy({"scan.snapshot-id": 1}).copy({"scan.snapshot-id": None})
    assert back.field_names == ["n", "m"]
    assert read(back).num_rows == 3


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scan.snapshot-id": 99}, "99"),
        ({"scan.snapshot-id": "one"}, "one"),
        ({"scan.tag-name": "nope"}, "nope"),
        ({"scan.timestamp-millis": 1}, "earlier than or equal to"),
        ({"scan.timestamp": "yesterday"}, "Cannot parse timestamp 'yesterday'"),
        ({"scan.timestamp": "2099-01-01"}, "Cannot parse timestamp"),
        ({"scan.snapshot-id": 1, "scan.tag-name": "two"}, "scan.snapshot-id|scan.tag-name"),
        ({"bucket": 4}, "bucket"),
        ({"path": "/elsewhere"}, "path"),
    ],
)
def test_wrong_read_points_and_fixed_options_are_refused_at_once(
    table: FileStoreTable, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        table.copy(options)


def test_options_of_a_copy_stay_with_it_alone_and_travel_in_a_pickle(table: FileStoreTable) -> None:
    copied = pickle.loads(pickle.dumps(table.copy({"file.compression": "lz4"})))
    assert copied.options.file_compression() == "lz4"
    assert copied.refresh().options.file_compression() == "lz4"
    assert table.options.get("file.compression") is None


def test_refresh_sees_a_new_schema(table: FileStoreTable, tables: Tables) -> None:
    tables.catalog.alter_table("db.t", [SchemaChange.drop_column("m")])
    assert table.field_names == ["n", "m"]
    assert table.refresh().field_names == ["n"]


def test_a_pinned_table_reads_its_state_whatever_is_committed(table: FileStoreTable) -> None:
    pinned = FileStoreTable(table.native.pin(("snapshot", None, 2)), table.identifier)
    append(table, {"n": [4], "m": [40]})
    for reader in (pinned, pickle.loads(pickle.dumps(pinned))):
        assert read(reader)["n"].to_pylist() == [1, 2]
        assert reader.native.count_rows() == 2
    empty = FileStoreTable(table.native.pin(("snapshot", None, None)), table.identifier)
    assert read(empty).num_rows == 0
    assert empty.native.count_rows() == 0


def test_a_pin_that_was_expired_is_named(table: FileStoreTable) -> None:
    pinned = FileStoreTable(table.native.pin(("snapshot", None, 1)), table.identifier)
    assert read(pinned).num_rows == 1
    (folder(table) / "snapshot/snapshot-1").unlink()
    with pytest.raises(SnapshotExpiredError, match="snapshot 1.* was pinned to .* seconds ago.*tag"):
        read(pinned)


def test_a_pin_holds_while_a_tag_keeps_its_snapshot(table: FileStoreTable) -> None:
    pinned = FileStoreTable(table.native.pin(("snapshot", None, 2)), table.identifier)
    (folder(table) / "snapshot/snapshot-2").unlink()
    assert read(pinned)["n"].to_pylist() == [1, 2]


def test_a_snapshot_that_is_expired_under_a_running_read_is_named(table: FileStoreTable) -> None:
    builder = table.new_read_builder()
    splits = builder.new_scan().plan().splits()
    for part in folder(table).glob("bucket-*"):
        shutil.rmtree(part)
    (folder(table) / "snapshot/snapshot-3").unlink()
    with pytest.raises(SnapshotExpiredError, match="snapshot 3 was expired while it was being read"):
        builder.new_read().to_arrow(splits)
    with pytest.raises(SnapshotExpiredError, match="snapshot 3"):
        builder.new_read().to_arrow_batch_reader(splits).read_all()


def test_a_missing_data_file_of_a_retained_snapshot_is_named(table: FileStoreTable) -> None:
    builder = table.new_read_builder()
    splits = builder.new_scan().plan().splits()
    (name,) = {file.file_name for file in splits[0].files[:1]}
    for part in folder(table).rglob(name):
        part.unlink()
    with pytest.raises(Exception, match=name):
        builder.new_read().to_arrow(splits)


def test_branches_are_read_and_written_by_name(table: FileStoreTable, tables: Tables) -> None:
    root = folder(table)
    shutil.copytree(root / "schema", root / "branch/branch-b/schema")
    branch = tables.catalog.get_table("db.t$branch_b")
    append(branch, {"n": [7], "m": [70]})
    assert branch.current_branch() == "b"
    assert read(branch)["n"].to_pylist() == [7]
    assert read(table)["n"].to_pylist() == [1, 2, 3]
    copied = table.copy({"branch": "b"})
    assert copied.identifier.get_full_name() == "db.t$branch_b"
    assert read(pickle.loads(pickle.dumps(copied)))["n"].to_pylist() == [7]


def test_a_table_without_snapshots_has_nothing_to_travel_to(tables: Tables) -> None:
    with pytest.raises((InvalidInputError, ValueError), match="1"):
        tables.create({"n": pa.int32()}).copy({"scan.snapshot-id": 1})
