"""Tables with a primary key that other implementations wrote, read through Daft as their writers read them."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from daft import col
from daft.exceptions import DaftCoreException

from pypaimon.daft import read_paimon

CONFORMANCE = Path(__file__).parents[3] / "xtask" / "conformance"
sys.path.insert(0, str(CONFORMANCE))

from rows import render_table  # noqa: E402


def golden(case: Path) -> dict[str, Any]:
    schema = max((case / "table" / "schema").iterdir(), key=lambda path: int(path.name.removeprefix("schema-")))
    stored: dict[str, Any] = json.loads(schema.read_text(encoding="utf-8"))
    return stored


def setting(case: Path, name: str) -> Any:
    """What `case.toml` says under a name; its texts and lists of texts are JSON as well."""
    found = re.search(rf"^{name} = (.*)$", (case / "case.toml").read_text(encoding="utf-8"), re.MULTILINE)
    return found and json.loads(found[1])


CASES = [case for case in sorted((CONFORMANCE / "cases" / "read").iterdir()) if golden(case)["primaryKeys"]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_golden_table_with_a_key_gives_daft_the_rows_that_its_writer_read(case: Path, tmp_path: Path) -> None:
    options = {"warehouse": str(tmp_path)}
    shutil.copytree(case / "table", tmp_path / "golden.db" / "t")
    if unsupported := setting(case, "unsupported"):
        with pytest.raises(DaftCoreException, match=unsupported):
            read_paimon("golden.t", options).collect()
        return
    expected = json_lines(case / "expected.rows")
    fields = golden(case)["fields"]
    unordered = {i for i, field in enumerate(fields) if field["name"] in (setting(case, "unordered") or [])}

    frame = read_paimon("golden.t", options)
    found = [in_order(json.loads(row), unordered) for row in render_table(frame.to_arrow())]
    assert sorted(found, key=spell) == sorted(expected, key=spell)
    assert frame.count_rows() == len(expected)
    texts = [i for i, field in enumerate(fields) if field["type"] == "STRING"]
    for position in texts[-1:]:
        name, other = fields[position]["name"], fields[position - 1]["name"]
        for value in a_value_of_now_and_one_of_before(case, position):
            kept = sum(row[position] == value for row in expected)
            rows = frame.where(col(name) == value).select(other).to_arrow()
            assert rows.num_rows == kept, f"{name} = {value!r}"


def in_order(row: list[Any], unordered: set[int]) -> list[Any]:
    """A row with those arrays sorted whose order its writer leaves to a hash map."""
    return [sorted(value, key=spell) if i in unordered and value else value for i, value in enumerate(row)]


def spell(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_lines(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def a_value_of_now_and_one_of_before(case: Path, position: int) -> list[str]:
    """Texts of a column: one that the table has, and one that only an older version of a row had."""
    now = {row[position] for row in json_lines(case / "expected.rows")}
    states = [row for read in json_lines(case / "reads.jsonl") for row in read.get("rows", [])]
    before = {row[position] for row in states if len(row) > position} - now
    return [text for texts in (now, before) for text in sorted(filter(is_text, texts))[:1]]


def is_text(value: Any) -> bool:
    return isinstance(value, str)
