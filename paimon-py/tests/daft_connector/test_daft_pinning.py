"""A frame reads the snapshot and the schema of the moment it was built."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
import pytest

import pypaimon
from daft_connector.tables import append
from pypaimon.daft import PaimonCatalog, PaimonTable, explain_paimon_scan, read_paimon
from pypaimon.exceptions import SnapshotExpiredError

Options = dict[str, str]
MakeTable = Callable[..., Any]
READERS = ["auto", "paimon"]


def ids(*values: int) -> pa.Table:
    return pa.table(
        {"id": pa.array(values, pa.int64()), "name": pa.array([f"n{value}" for value in values], pa.string())}
    )


def expire(table: Any, snapshot_id: int, *, and_its_files: bool = True) -> None:
    """Does what an expiry does: the snapshot file goes, and the files that only it used."""
    root = Path(table.native.location.removeprefix("file://"))
    (root / "snapshot" / f"snapshot-{snapshot_id}").unlink()
    if and_its_files:
        for path in root.rglob("data-*"):
            path.unlink()


@pytest.mark.parametrize("reader", READERS)
def test_a_frame_keeps_its_snapshot_when_others_commit(options: Options, make_table: MakeTable, reader: str) -> None:
    table = make_table("t", [ids(1)])
    frame = read_paimon("db.t", options, reader=reader)
    append(table, ids(2))
    assert frame.to_pydict()["id"] == [1]
    assert frame.count_rows() == 1
    assert read_paimon("db.t", options, reader=reader).count_rows() == 2


def test_a_frame_over_an_empty_table_stays_empty(options: Options, make_table: MakeTable) -> None:
    table = make_table("t", [ids()])
    frame = read_paimon("db.t", options)
    append(table, ids(1))
    assert frame.to_pydict()["id"] == []
    assert frame.count_rows() == 0


def test_following_the_latest_snapshot_is_a_choice(options: Options, make_table: MakeTable) -> None:
    table = make_table("t", [ids(1)])
    frame = read_paimon("db.t", options, follow_latest=True)
    append(table, ids(2))
    assert sorted(frame.to_pydict()["id"]) == [1, 2]
    assert frame.count_rows() == 2
    with pytest.raises(ValueError, match="follow_latest"):
        read_paimon("db.t", options, follow_latest=True, snapshot_id=1)


@pytest.mark.parametrize("reader", READERS)
def test_a_frame_keeps_its_schema_when_the_table_changes(
    options: Options, make_table: MakeTable, catalog: Any, reader: str
) -> None:
    make_table("t", [ids(1)])
    frame = read_paimon("db.t", options, reader=reader)
    catalog.alter_table("db.t", [pypaimon.SchemaChange.rename_column("name", "label")], False)
    assert frame.to_pydict() == {"id": [1], "name": ["n1"]}
    assert read_paimon("db.t", options, reader=reader).to_pydict() == {"id": [1], "label": ["n1"]}
    # A snapshot is read with the schema it was written with.
    assert read_paimon("db.t", options, snapshot_id=1).schema().column_names() == ["id", "name"]


def test_a_table_object_pins_anew_for_each_read(make_table: MakeTable, catalog: Any) -> None:
    table = PaimonTable(make_table("t", [ids(1)]))
    first = table.read()
    append(catalog.get_table("db.t"), ids(2))
    catalog.alter_table("db.t", [pypaimon.SchemaChange.rename_column("name", "label")], False)
    assert first.to_pydict() == {"id": [1], "name": ["n1"]}
    assert sorted(table.read().to_pydict()["label"]) == ["n1", "n2"]
    assert table.schema().column_names() == ["id", "label"]
    assert table.read(snapshot_id=1).count_rows() == 1


def test_each_sql_query_pins_anew(make_table: MakeTable, catalog: Any) -> None:
    table = make_table("t", [ids(1)])
    daft.attach_catalog(PaimonCatalog(catalog, name="pinned_sql"))
    try:
        first = daft.sql("SELECT * FROM pinned_sql.db.t")
        append(table, ids(2))
        assert first.to_pydict()["id"] == [1]
        assert sorted(daft.sql("SELECT id FROM pinned_sql.db.t").to_pydict()["id"]) == [1, 2]
    finally:
        daft.detach_catalog("pinned_sql")


@pytest.mark.parametrize("reader", READERS)
def test_an_expired_snapshot_is_named_under_a_lazy_frame(options: Options, make_table: MakeTable, reader: str) -> None:
    table = make_table("t", [ids(1), ids(2)])
    frame = read_paimon("db.t", options, reader=reader, snapshot_id=1)
    assert frame.count_rows() == 1
    expire(table, 1)
    year = f"pinned at {dt.datetime.now(dt.timezone.utc):%Y}"
    for execute in (frame.to_pydict, lambda: frame.limit(1).to_pydict()):
        with pytest.raises(SnapshotExpiredError, match=rf"snapshot 1 of table db\.t, {year}.*read the table again"):
            execute()


@pytest.mark.parametrize("reader", READERS)
def test_a_frame_whose_files_are_still_there_is_read_although_its_snapshot_is_expired(
    options: Options, make_table: MakeTable, reader: str
) -> None:
    table = make_table("t", [ids(1), ids(2)])
    frame = read_paimon("db.t", options, reader=reader, snapshot_id=1)
    expire(table, 1, and_its_files=False)
    assert (frame.to_pydict()["id"], frame.count_rows()) == ([1], 1)


@pytest.mark.parametrize("reader", READERS)
def test_an_expired_snapshot_is_named_under_a_running_frame(
    options: Options, make_table: MakeTable, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pypaimon.daft.source import PaimonDataSource

    table = make_table("t", [ids(1), ids(2)])
    frame = read_paimon("db.t", options, reader=reader)
    planned = PaimonDataSource._read_tasks

    def expire_after_planning(self: PaimonDataSource, pushdowns: Any) -> Any:
        tasks = list(planned(self, pushdowns))
        expire(table, 2)
        return iter(tasks)

    monkeypatch.setattr(PaimonDataSource, "_read_tasks", expire_after_planning)
    with pytest.raises(SnapshotExpiredError, match=r"snapshot 2 of table db\.t, pinned at"):
        frame.to_pydict()


@pytest.mark.parametrize("reader", READERS)
def test_a_tag_keeps_its_snapshot_readable_after_expiry(options: Options, make_table: MakeTable, reader: str) -> None:
    table = make_table("t", [ids(1)])
    table.create_tag("kept")
    by_snapshot = read_paimon("db.t", options, reader=reader)
    append(table, ids(2))
    expire(table, 1, and_its_files=False)
    assert read_paimon("db.t", options, reader=reader, tag_name="kept").to_pydict()["id"] == [1]
    assert by_snapshot.to_pydict()["id"] == [1]
    assert by_snapshot.count_rows() == 1


def test_a_missing_file_of_a_living_snapshot_is_not_called_expired(options: Options, make_table: MakeTable) -> None:
    table = make_table("t", [ids(1)])
    root = Path(table.native.location.removeprefix("file://"))
    for path in root.rglob("data-*"):
        path.unlink()
    for reader in READERS:
        with pytest.raises(Exception, match="data-") as raised:
            read_paimon("db.t", options, reader=reader).to_pydict()
        assert not isinstance(raised.value, SnapshotExpiredError)


def test_explain_sees_the_pinned_snapshot(options: Options, make_table: MakeTable) -> None:
    make_table("t", [ids(1), ids(2)])
    assert explain_paimon_scan("db.t", options, snapshot_id=1).paimon_scan.snapshot_id == 1
    assert explain_paimon_scan("db.t", options).paimon_scan.snapshot_id == 2


def test_metadata_that_is_missing_below_a_snapshot_that_is_there_is_no_expiry(
    options: Options, make_table: MakeTable
) -> None:
    table = make_table("t", [ids(1)])
    frame = read_paimon("db.t", options)
    root = Path(table.native.location.removeprefix("file://"))
    for path in root.glob("manifest/manifest-list-*"):
        path.unlink()
    with pytest.raises(Exception, match="manifest-list-") as raised:
        frame.to_pydict()
    assert not isinstance(raised.value, SnapshotExpiredError)
    assert "expired" not in str(raised.value)
