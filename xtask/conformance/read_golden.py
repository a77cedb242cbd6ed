"""Reads a golden table with the installed wheel: the smoke test of a fresh environment."""

import pathlib
import shutil
import tempfile

import pypaimon
from rows import render_table

CASE = pathlib.Path(__file__).parent / "cases" / "read" / "pypaimon-2.1.0-types"


def main():
    assert pypaimon.__implementation__ == "rust", pypaimon.__implementation__
    with tempfile.TemporaryDirectory() as warehouse:
        shutil.copytree(CASE / "table", pathlib.Path(warehouse) / "golden.db" / "types")
        table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table("golden.types")
        builder = table.new_read_builder()
        rows = render_table(builder.new_read().to_arrow(builder.new_scan().plan().splits()))
    expected = (CASE / "expected.rows").read_text(encoding="utf-8").splitlines()
    assert rows == expected, f"wanted {expected}, found {rows}"
    print(f"pypaimon {pypaimon.__version__} ({pypaimon.__implementation__}): {len(rows)} rows, as expected")


if __name__ == "__main__":
    main()
