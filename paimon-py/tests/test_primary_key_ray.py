"""Primary-key tables through Daft on a local Ray: one process does the work, the tests look at what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

daft = pytest.importorskip("daft")
pytestmark = pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install 'pypaimon[ray]'")

from daft import col  # noqa: E402

from pypaimon.daft import explain_paimon_scan, read_paimon  # noqa: E402


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("ray"))


@pytest.fixture(scope="module")
def found(warehouse: str) -> Any:
    script = Path(__file__).with_name("primary_key_on_ray.py")
    done = subprocess.run(
        [sys.executable, str(script), warehouse], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(frame: Any) -> list[list[Any]]:
    return sorted((list(row) for row in zip(*frame.to_pydict().values(), strict=True)), key=repr)


def test_the_sample_of_the_front_page_runs(found: Any) -> None:
    assert found["readme"] == [[1, "tea", 9], [2, "coffee", 18]]


def test_upserts_and_deletes_are_read_back(found: Any, warehouse: str) -> None:
    wanted = [[1, "c", 3], [2, "d", None], [4, "f", 4]]
    assert found["upserts"] == {"rows": wanted, "ours": wanted, "count": 3, "filtered": [[1]], "older": 2}
    assert rows_of(read_paimon("db.upserts", {"warehouse": warehouse})) == wanted


def test_the_last_of_duplicates_wins_and_each_bucket_gets_one_file(found: Any) -> None:
    assert found["order"] == {"files": 5, "rows": 90_000, "wrong": 0, "keys": 90_000}


def test_joins_groups_and_distinct_give_what_the_native_runner_gives(found: Any, warehouse: str) -> None:
    options = {"warehouse": warehouse}
    b = read_paimon("db.b", options)
    assert explain_paimon_scan("db.a7", options).total_split_count > 7
    assert explain_paimon_scan("db.b", options).total_split_count < 50
    sizes = {}
    for step, rows in found["joins"].items():
        what, buckets = step.split()
        a = read_paimon(f"db.a{buckets}", options)
        if what == "groups":
            wanted = a.groupby("id").agg(col("n").sum())
        elif what == "distinct":
            wanted = a.select("id").distinct()
        else:
            wanted = a.join(b, on="id", how=what)
        assert rows == rows_of(wanted), step
        sizes[step] = len(rows)
    one = {"inner 1": 10, "groups 1": 40, "distinct 1": 40}
    assert sizes == {**one, "inner 7": 10, "left 7": 40, "anti 7": 30, "groups 7": 40, "distinct 7": 40}


def test_partitions_are_written_and_overwritten(found: Any) -> None:
    assert found["partitions"] == {
        "result": [["OVERWRITE"], [1]],
        "rows": [["x", 3, "z", 9], ["y", 1, "c", 3]],
        "empty": [],
    }


def test_keys_stay_in_their_dynamic_bucket_over_commits_and_tasks(found: Any) -> None:
    assert found["dynamic"]["buckets"] > 10
    assert found["dynamic"] == {"moved": 0, "right": True, "buckets": found["dynamic"]["buckets"], "replaced": True}


def test_keys_move_between_partitions(found: Any) -> None:
    assert found["moving"]


def test_ctrl_c_ends_a_compaction_and_the_next_one_works(found: Any) -> None:
    assert found["interrupted"] == {"ending": "KeyboardInterrupt", "snapshot": 3, "files": [1, 1, 1]}


def test_compactions_are_spread_and_told_of(found: Any) -> None:
    did = found["compaction"]
    assert did["seen"] == [[id, "a", min(id, 2)] for id in range(6)]
    *before, manifests = did["dry"][0]
    assert (before, manifests >= 3, did["dry"][1]) == ([3, 3, 3], True, [None] * 4)
    assert did["done"][:2] == [[3, 3, 3], [1, 1, 1]]
    assert (sum(did["done"][2]), did["done"][3]) == (30, [False] * 3)
    assert did["steps"] == [f"compacted {done} of 3 tasks" for done in range(4)]


def test_a_failed_task_takes_the_files_of_all_with_it(found: Any) -> None:
    kind, message, lost, same_files = found["compaction"]["failed"]
    assert (kind, same_files) == ("PaimonFileNotFoundError", True)
    assert lost in message


@pytest.mark.parametrize(
    ("what", "kind", "text"),
    [
        ("missing column", "ValueError", "missing fields: ['n']"),
        ("row kind", "", "huh"),
        ("two writers", "InvalidInputError", "bucket"),
    ],
)
def test_errors_name_their_cause_and_nothing_is_committed(found: Any, what: str, kind: str, text: str) -> None:
    (told, message) = found["refusals"][what]
    assert kind in ("", told)
    assert text in message
    assert not found["refusals"]["committed"]
