"""The samples of README.md, run from top to bottom; only addresses are replaced."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pypaimon import CatalogFactory, Schema

daft = pytest.importorskip("daft")

HERE = Path(__file__).parent
README = (HERE.parent / "README.md").read_text()
COLUMNS = pa.schema([("region", pa.string()), ("id", pa.int64()), ("amount", pa.decimal128(12, 2))])
IMAGES = pa.schema([("id", pa.int64()), ("image", pa.large_binary())])
EVOLVING = {"row-tracking.enabled": "true", "data-evolution.enabled": "true"}


def samples(section: str, readme: str = README) -> list[str]:
    """The Python blocks under a heading."""
    text = re.split(r"^## ", readme, flags=re.MULTILINE)
    (found,) = [part for part in text if part.startswith(section + "\n")]
    return re.findall(r"^```python\n(.*?)^```$", found, flags=re.MULTILINE | re.DOTALL)


def run(blocks: list[str], names: dict[str, Any], replaced: dict[str, str]) -> None:
    for block in blocks:
        for sample, real in replaced.items():
            block = block.replace(sample, real)
        exec(compile(block, "README.md", "exec"), names)


def orders(*regions: str) -> pa.Table:
    amounts = [Decimal(f"{100 * number}.50") for number, _ in enumerate(regions)]
    return pa.table([list(regions), list(range(len(regions))), amounts], schema=COLUMNS)


def pictures(folder: Path) -> list[str]:
    paths = [folder / name for name in ("a.png", "b.png")]
    for path in paths:
        path.write_bytes(path.name.encode() * 10)
    return [str(path) for path in paths]


@pytest.fixture
def names() -> dict[str, Any]:
    return {
        "rows": orders("EU", "US", "EU"),
        "new_orders": daft.from_arrow(orders("EU", "ASIA")),
        "corrected": daft.from_arrow(orders("EU")),
    }


def test_the_samples_run_one_after_another(
    names: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replaced = {"/path/to/warehouse": str(tmp_path)}
    run(samples("The tables themselves"), names, replaced)
    names["catalog"].create_table("sales.copy", Schema.from_pyarrow_schema(COLUMNS))
    names["options"] = {"warehouse": str(tmp_path)}
    run(samples("Daft"), names, replaced)
    assert names["frame"].count_rows() == daft.read_paimon(names["catalog"].get_table("sales.copy")).count_rows() == 3
    run(samples("Primary-key tables"), names, replaced)
    left = names["read_paimon"]("sales.stock", names["options"]).sort("id").to_pydict()
    assert left == {"id": [3, 4], "name": ["cocoa", "juice"], "left": [5, 7]}
    run(samples("Keeping tables small"), names, replaced)
    counted = names["summary"].where(daft.col("work") != "manifests").to_pydict()
    assert set(counted["files_after"]) <= {0, 1}
    assert sum(counted["rows_after"]) == 2 < sum(counted["rows_before"])
    names["paths"] = pictures(tmp_path)
    names["catalog"].create_table("sales.copies", Schema.from_pyarrow_schema(IMAGES, options=EVOLVING))
    run(samples("Images, audio, weights: BLOB columns"), names, replaced)
    assert names["stream"].closed
    assert names["read_paimon"]("sales.copies", names["options"]).count_rows() == 2
    told = samples("Tags, increments, branches")
    run(told, names, replaced)
    assert len(told) == 5
    # The rollback undid the corrections; the last sample appended again.
    assert names["read_paimon"]("sales.orders", names["options"]).count_rows() == 6
    assert re.search(r"^snapshot \d+ \['data-.*\.parquet'", capsys.readouterr().out, re.MULTILINE)
    run(samples("Options of tables"), names, replaced)
    assert names["catalog"].get_table("sales.events").options.get("file-index.bitmap.columns") == "kind"


def test_the_sample_of_a_primary_key_table_on_the_front_page_runs(tmp_path: Path) -> None:
    names: dict[str, Any] = {}
    front_page = (HERE.parents[1] / "README.md").read_text()
    run(samples("Primary-key tables", front_page), names, {"/tmp/warehouse": str(tmp_path)})
    left = names["read_paimon"]("shop.stock", names["options"]).sort("id").to_pydict()
    assert left == {"id": [1, 2], "name": ["tea", "coffee"], "left": [9, 18]}


def test_the_sample_of_a_compaction_on_the_front_page_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    front_page = (HERE.parents[1] / "README.md").read_text()
    run(samples("Keeping tables small", front_page), names, {"/tmp/warehouse": str(tmp_path)})
    shown = capsys.readouterr().out
    assert "compacted 1 of 1 tasks" in shown
    assert "day=tue" in shown
    read = names["read_paimon"]("shop.visits", names["options"]).to_pydict()
    assert read == {"day": ["mon", "tue"], "user": [1, 1], "pages": [4, 4]}


def test_the_sample_of_a_table_with_files_on_the_front_page_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    front_page = (HERE.parents[1] / "README.md").read_text()
    blocks = samples("Images, audio, weights: BLOB columns", front_page)
    run(blocks, names, {"/tmp/warehouse": str(tmp_path / "warehouse"), "/tmp/": f"{tmp_path}/"})
    shown = capsys.readouterr().out
    assert shown.count("teateateateateat") == 2
    assert "_ROW_ID" in shown


def test_the_samples_for_object_storage_run(names: dict[str, Any], s3: dict[str, str]) -> None:
    from pypaimon.daft import read_paimon, write_paimon

    catalog = CatalogFactory.create({"warehouse": "s3://lake/warehouse", **s3})
    catalog.create_database("sales")
    catalog.create_table("sales.orders", Schema.from_pyarrow_schema(COLUMNS, partition_keys=["region"]))
    names |= {"daft": daft, "read_paimon": read_paimon, "write_paimon": write_paimon, "frame": names["new_orders"]}
    run(samples("Object storage"), names, {"http://127.0.0.1:9000": s3["s3.endpoint"]})
    assert read_paimon("sales.orders", names["options"]).count_rows() == 2
