"""Increments and branches as keywords of the Daft connector."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
import pytest

from daft_connector.tables import append, rows_of
from pypaimon.catalog.catalog_exception import BranchNotExistException, TableNotExistException
from pypaimon.daft import PaimonCatalog, PaimonTable, explain_paimon_scan, read_paimon, write_paimon
from pypaimon.exceptions import SnapshotExpiredError

Options = dict[str, str]
MakeTable = Callable[..., Any]
READERS = ["auto", "paimon"]


def rows(*values: int) -> pa.Table:
    parts = ["even" if value % 2 == 0 else "odd" for value in values]
    return pa.table({"p": parts, "n": pa.array(values, pa.int64())})


@pytest.fixture
def table(make_table: MakeTable) -> Any:
    """Snapshots 1 to 4 append 1, 2, 3 and (4, 5); tags one and three."""
    made = make_table("t", [rows(1), rows(2), rows(3), rows(4, 5)], ["p"])
    made.create_tag("one", 1)
    made.create_tag("three", 3)
    return made


def numbers(frame: Any) -> list[int]:
    return sorted(frame.to_pydict()["n"])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("ends", "wanted"),
    [((0, 4), [1, 2, 3, 4, 5]), ((1, 3), [2, 3]), (("one", "three"), [2, 3]), (["1", "3"], [2, 3]), ((2, 2), [])],
)
def test_an_increment_is_a_frame_like_any_other(
    options: Options, table: Any, reader: str, ends: Any, wanted: list[int]
) -> None:
    frame = read_paimon("db.t", options, incremental=ends, reader=reader)
    assert numbers(frame) == wanted
    assert frame.count_rows() == len(wanted)
    assert numbers(frame.where(daft.col("n") > 2)) == [n for n in wanted if n > 2]
    assert numbers(frame.where(daft.col("p") == "odd")) == [n for n in wanted if n % 2]
    assert frame.where(daft.col("p") == "odd").count_rows() == sum(n % 2 for n in wanted)
    assert frame.limit(1).count_rows() == min(1, len(wanted))
    assert frame.select("p").column_names == ["p"]
    assert len(frame.select("p").to_pydict()["p"]) == len(wanted)


@pytest.mark.parametrize("reader", READERS)
def test_the_union_of_increments_is_the_table(options: Options, table: Any, reader: str) -> None:
    parts = [read_paimon("db.t", options, incremental=(n, n + 1), reader=reader) for n in range(4)]
    union = parts[0].concat(parts[1]).concat(parts[2]).concat(parts[3])
    assert rows_of(union) == rows_of(read_paimon("db.t", options))


@pytest.mark.parametrize("reader", READERS)
def test_an_increment_is_fixed_when_the_frame_is_built(options: Options, table: Any, reader: str) -> None:
    frame = read_paimon("db.t", options, incremental=("one", "three"), reader=reader)
    table.replace_tag("three", 4)
    append(table, rows(6))
    assert numbers(frame) == [2, 3]
    assert numbers(read_paimon("db.t", options, incremental=("one", "three"), reader=reader)) == [2, 3, 4, 5]


def test_a_frame_of_an_increment_travels(options: Options, table: Any) -> None:
    from pypaimon.daft.daft_paimon import _source_for_table

    source = _source_for_table(table.copy({"incremental-between": "1,3"}))
    assert numbers(pickle.loads(pickle.dumps(source)).read()) == [2, 3]


def test_an_expired_increment_is_named(options: Options, table: Any) -> None:
    frame = read_paimon("db.t", options, incremental=(1, 3))
    (Path(table.table_path) / "snapshot/snapshot-2").unlink()
    with pytest.raises(SnapshotExpiredError, match=r"the increment from 1 to 3 of table db\.t, pinned at"):
        frame.to_pydict()


def test_explain_tells_about_increments_and_branches(options: Options, table: Any) -> None:
    told = explain_paimon_scan("db.t", options, incremental=(1, 3), filters=daft.col("n") > 2)
    assert (told.total_file_count, told.paimon_scan.snapshot_id) == (1, 3)
    table.branch_manager().create_branch("b", "one")
    assert explain_paimon_scan("db.t", options, branch="b").paimon_scan.table_identifier == "db.t$branch_b"


@pytest.mark.parametrize("reader", READERS)
def test_a_branch_is_read_and_written_by_keyword(options: Options, table: Any, reader: str) -> None:
    table.branch_manager().create_branch("b", "one")
    write_paimon(daft.from_arrow(rows(10, 11)), "db.t", options, branch="b")
    assert numbers(read_paimon("db.t", options, branch="b", reader=reader)) == [1, 10, 11]
    assert numbers(read_paimon("db.t$branch_b", options, branch="b", reader=reader)) == [1, 10, 11]
    assert numbers(read_paimon("db.t", options, branch="b", incremental=(1, 2), reader=reader)) == [10, 11]
    assert numbers(read_paimon("db.t", options, branch="b", tag_name="one", reader=reader)) == [1]
    assert numbers(read_paimon("db.t", options, branch="main", reader=reader)) == [1, 2, 3, 4, 5]


def test_tables_and_catalogs_of_daft_take_both(options: Options, catalog: Any, table: Any) -> None:
    of_daft = PaimonTable(table)
    assert numbers(of_daft.read(incremental=(1, 3))) == [2, 3]
    table.branch_manager().create_branch("b", "one")
    of_daft.append(daft.from_arrow(rows(10)), branch="b")
    assert numbers(of_daft.read(branch="b")) == [1, 10]
    assert numbers(of_daft.read()) == [1, 2, 3, 4, 5]
    assert of_daft.explain_scan(branch="b", incremental=(0, 2)).total_file_count == 2
    by_name = PaimonCatalog(catalog).get_table("db.t$branch_b")
    assert numbers(by_name.read()) == numbers(by_name.read(branch="b")) == [1, 10]
    assert (by_name.name, PaimonCatalog(catalog).has_table("db.t$branch_nope")) == ("t$branch_b", False)


@pytest.mark.parametrize(
    ("selectors", "error", "text"),
    [
        (
            {"incremental": (1, 3), "snapshot_id": 1},
            ValueError,
            r"Only one of .*, incremental can be set, got: \['snap",
        ),
        ({"incremental": (1, 3), "tag_name": "one"}, ValueError, "Only one of"),
        ({"incremental": (1, 3), "timestamp": 5}, ValueError, "Only one of"),
        ({"incremental": (1, 3), "follow_latest": True}, ValueError, "follow_latest"),
        ({"incremental": 3}, TypeError, r"incremental must be a pair \(a, b\).*got: 3"),
        ({"incremental": "1,3"}, TypeError, "must be a pair"),
        ({"incremental": (1, 2, 3)}, TypeError, "must be a pair"),
        ({"incremental": (1, 2.5)}, TypeError, r"ids \(int\) or tag names \(str\), got: 2.5"),
        ({"incremental": (True, 2)}, TypeError, "got: True"),
        ({"incremental": ("", "one")}, ValueError, "no name of a tag"),
        ({"incremental": ("a,b", "one")}, ValueError, "'a,b' .*no name of a tag"),
        ({"incremental": (3, 1)}, ValueError, "1 should >= starting snapshotId 3"),
        ({"incremental": (1, 99)}, ValueError, r"\[1, 99\] is out of available snapshotId range \[1, 4\]"),
        ({"incremental": ("one", "nope")}, ValueError, "start 'one' and end 'nope'"),
        ({"branch": "nope"}, BranchNotExistException, "Branch nope does not exist"),
        ({"branch": ""}, ValueError, "Branch name is blank"),
        ({"branch": 3}, TypeError, "branch must be the name of a branch, got: 3"),
    ],
)
def test_what_cannot_be_read_is_refused_when_the_frame_is_built(
    options: Options, table: Any, selectors: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        read_paimon("db.t", options, **selectors)


def test_a_branch_that_contradicts_the_identifier_or_has_no_table_is_refused(options: Options, table: Any) -> None:
    table.branch_manager().create_branch("b", "one")
    with pytest.raises(ValueError, match=r"branch='c' contradicts 't\$branch_b', which names branch 'b'"):
        read_paimon("db.t$branch_b", options, branch="c")
    with pytest.raises(TableNotExistException, match=r"db\.nope does not exist"):
        read_paimon("db.nope", options, branch="b")
    with pytest.raises(BranchNotExistException, match="nope"):
        write_paimon(daft.from_arrow(rows(1)), "db.t", options, branch="nope")
