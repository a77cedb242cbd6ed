"""What `test_primary_key_ray.py` lets a process with Daft's Ray runner do; prints its findings as JSON."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
import ray
from daft import col, runners

import pypaimon
from pypaimon.daft import PaimonCatalog, PaimonTable, read_paimon, write_paimon
from pypaimon.daft.compaction import CompactionProgress
from pypaimon.daft.sink import PaimonDataSink
from test_readme import run, samples

COLUMNS = pa.schema([("id", pa.int64()), ("name", pa.string()), ("n", pa.int64())])


#: Buckets of a table, and its joins with another one.
JOINS: dict[int, list[Any]] = {1: ["inner"], 7: ["inner", "left", "anti"]}


class Warehouse:
    """Makes, writes and reads tables of one warehouse."""

    def __init__(self, path: str) -> None:
        self.options = {"warehouse": path}
        self.inner = pypaimon.CatalogFactory.create(self.options)
        self.catalog = PaimonCatalog(self.inner)
        self.inner.create_database("db", ignore_if_exists=True)

    def create(self, name: str, schema: pa.Schema = COLUMNS, **more: Any) -> None:
        self.inner.create_table(name, pypaimon.Schema.from_pyarrow_schema(schema, **more))

    def keyed(self, name: str, buckets: int = 2, **options: str) -> None:
        self.create(name, primary_keys=["id"], options={"bucket": str(buckets), **options})

    def write(self, name: str, rows: pa.Table | daft.DataFrame, **more: Any) -> dict[str, list[Any]]:
        frame = daft.from_arrow(rows) if isinstance(rows, pa.Table) else rows
        return write_paimon(frame, name, self.options, **more).to_pydict()

    def read(self, name: str, **more: Any) -> daft.DataFrame:
        return read_paimon(name, self.options, **more)

    def rows(self, frame: daft.DataFrame) -> list[list[Any]]:
        return sorted((list(row) for row in zip(*frame.to_pydict().values(), strict=True)), key=repr)


def rows(*found: tuple[Any, ...], **more: list[Any]) -> pa.Table:
    arrays = [pa.array(values, kind) for values, kind in zip(zip(*found, strict=True), COLUMNS.types, strict=True)]
    table = pa.table(arrays, schema=COLUMNS)
    for name, values in more.items():
        table = table.append_column(name, pa.array(values))
    return table


def readme(warehouse: Warehouse) -> Any:
    """The sample of the front page, as `test_readme.py` runs it on the native runner."""
    front_page = (Path(__file__).parents[2] / "README.md").read_text()
    names: dict[str, Any] = {}
    run(samples("Primary-key tables", front_page), names, {"/tmp/warehouse": warehouse.options["warehouse"]})
    return warehouse.rows(names["read_paimon"]("shop.stock", names["options"]))


def upserts(warehouse: Warehouse) -> Any:
    warehouse.keyed("db.upserts", buckets=3)
    warehouse.write("db.upserts", rows((1, "a", 1), (2, "b", 2), (1, "c", 3)))
    warehouse.write("db.upserts", rows((2, "d", None), (3, "e", 5)))
    kinds = rows((3, None, None), (4, "f", 4), kind=["-D", "+I"])
    warehouse.write("db.upserts", kinds, row_kind_column="kind")
    current = warehouse.read("db.upserts")
    return {
        "rows": warehouse.rows(current),
        "ours": warehouse.rows(warehouse.read("db.upserts", reader="paimon")),
        "count": current.count_rows(),
        "filtered": warehouse.rows(current.where(col("n") == 3).select("id")),
        "older": warehouse.read("db.upserts", snapshot_id=1).count_rows(),
    }


def order(warehouse: Warehouse) -> Any:
    """400,000 rows in four partitions of the frame, which have each key twice or more."""
    warehouse.keyed("db.ordered", buckets=5)
    count, keys = 400_000, 90_000
    ids = [number * 7919 % keys for number in range(count)]
    table = pa.table([ids, pa.nulls(count, pa.string()), range(count)], schema=COLUMNS)
    result = warehouse.write("db.ordered", daft.from_arrow(table).into_partitions(4))
    found = warehouse.read("db.ordered").to_pydict()
    last = dict(zip(ids, range(count), strict=True))
    return {
        "files": len(result["rows"]),
        "rows": sum(result["rows"]),
        "wrong": sum(last[id] != n for id, n in zip(found["id"], found["n"], strict=True)),
        "keys": len(last),
    }


def joins(warehouse: Warehouse) -> Any:
    small = {"source.split.target-size": "1 b", "source.split.open-file-cost": "1 b"}
    for buckets in JOINS:
        warehouse.keyed(f"db.a{buckets}", buckets=buckets, **small)
        warehouse.write(f"db.a{buckets}", rows(*((id, "a", id % 3) for id in range(20))))
        warehouse.write(f"db.a{buckets}", rows(*((id, "A", id % 5) for id in range(0, 20, 4))))
        warehouse.write(f"db.a{buckets}", rows(*((id, "b", id % 7) for id in range(20, 40))))
    warehouse.keyed("db.b", buckets=50)  # many of them empty
    warehouse.write("db.b", rows(*((id, "b", id) for id in range(30, 60))))
    found = {}
    b = warehouse.read("db.b")
    for buckets, joined in JOINS.items():
        a = warehouse.read(f"db.a{buckets}")
        for how in joined:
            found[f"{how} {buckets}"] = warehouse.rows(a.join(b, on="id", how=how))
        found[f"groups {buckets}"] = warehouse.rows(a.groupby("id").agg(col("n").sum()))
        found[f"distinct {buckets}"] = warehouse.rows(a.select("id").distinct())
    return found


def partitions(warehouse: Warehouse) -> Any:
    schema = COLUMNS.insert(0, pa.field("p", pa.string()))
    warehouse.create("db.parts", schema, primary_keys=["p", "id"], partition_keys=["p"], options={"bucket": "2"})
    everything = [("x", 1, "a", 1), ("x", 2, "b", 2), ("y", 1, "c", 3), (None, 1, "d", 4)]
    columns = [list(values) for values in zip(*everything[:3], strict=True)]
    warehouse.write("db.parts", pa.table(columns, schema=schema))
    new = pa.table([["x", "x"], [3, 3], ["y", "z"], [8, 9]], schema=schema)
    result = warehouse.write("db.parts", new, mode="overwrite")
    left = warehouse.rows(warehouse.read("db.parts"))
    empty = warehouse.write("db.parts", new.slice(0, 0))
    return {"result": [result["operation"], result["rows"]], "rows": left, "empty": empty["rows"]}


def dynamic(warehouse: Warehouse) -> Any:
    """20 commits, each of four partitions of the frame."""
    warehouse.create("db.dynamic", primary_keys=["id"], options={"dynamic-bucket.target-row-num": "7"})
    table = warehouse.inner.get_table("db.dynamic")
    seen: dict[int, int] = {}
    wanted: dict[int, list[Any]] = {}
    moved = 0
    for commit in range(20):
        new = [(id * 7 % 90, str(commit), id) for id in range(commit * 9, commit * 9 + 40)]
        warehouse.write("db.dynamic", daft.from_arrow(rows(*new)).into_partitions(4))
        wanted.update({row[0]: list(row) for row in new})
        builder = table.new_read_builder()
        for split in builder.new_scan().plan().splits():
            for id in builder.new_read().to_arrow([split])["id"].to_pylist():
                moved += seen.setdefault(id, split.bucket) != split.bucket
    found = warehouse.rows(warehouse.read("db.dynamic"))
    warehouse.write("db.dynamic", daft.from_arrow(rows(*new)).into_partitions(3), mode="overwrite")
    kinds = rows((new[0][0], None, None), (95, "f", 4), kind=["-D", "+I"])
    warehouse.write("db.dynamic", kinds, row_kind_column="kind")
    last = {row[0]: list(row) for row in (*new[1:], (95, "f", 4)) if row[0] != new[0][0]}
    return {
        "moved": moved,
        "right": found == sorted(wanted.values(), key=repr),
        "buckets": len(set(seen.values())),
        "replaced": warehouse.rows(warehouse.read("db.dynamic")) == sorted(last.values(), key=repr),
    }


def moving(warehouse: Warehouse) -> Any:
    """Keys that are in one partition after another."""
    schema = COLUMNS.insert(0, pa.field("p", pa.string()))
    warehouse.create("db.moving", schema, primary_keys=["id"], partition_keys=["p"])
    wanted: dict[int, list[Any]] = {}
    for commit in range(4):
        new = [["xyz"[(id + commit) % 3], id % 30, str(commit), id] for id in range(commit * 7, commit * 7 + 50)]
        columns = [list(values) for values in zip(*new, strict=True)]
        warehouse.write("db.moving", daft.from_arrow(pa.table(columns, schema=schema)).into_partitions(3))
        wanted.update({row[1]: row for row in new})
    return warehouse.rows(warehouse.read("db.moving")) == sorted(wanted.values(), key=repr)


def compaction(warehouse: Warehouse) -> Any:
    """Rows that are seen at once; then compactions: one of everything, one that fails, one that gives way."""
    vectors = {"deletion-vectors.enabled": "true"}
    warehouse.keyed("db.seen", **vectors)
    for n in range(3):
        warehouse.write("db.seen", rows(*((id, "a", n) for id in range(n, 6))))
    seen = warehouse.rows(warehouse.read("db.seen"))

    warehouse.keyed("db.small", buckets=3, **{"write-only": "true"})
    for n in range(3):
        warehouse.write("db.small", rows(*((id, "a", n) for id in range(30))))
    table = PaimonTable(warehouse.inner.get_table("db.small"))
    steps: list[str] = []
    dry = table.compact(full=True, dry_run=True).to_pydict()
    done = table.compact(full=True, progress=lambda step: steps.append(str(step))).to_pydict()

    warehouse.write("db.small", rows(*((id, "b", 9) for id in range(30))))
    files = [file.path for split in table._inner.native.plan().splits for file in split.files if file.level == 5]
    Path(files[0].removeprefix("file://")).unlink()
    before = sorted(str(path) for path in Path(warehouse.options["warehouse"]).rglob("*.parquet"))
    failed = told(lambda: table.compact(full=True))
    after = sorted(str(path) for path in Path(warehouse.options["warehouse"]).rglob("*.parquet"))
    return {
        "seen": seen,
        "dry": [dry["files_before"], dry["files_after"]],
        "done": [done["files_before"][:3], done["files_after"][:3], done["rows_after"][:3], done["gave_way"][:3]],
        "steps": [step.split(",")[0] for step in steps],
        "failed": [*failed, Path(files[0]).name, before == after],
    }


def interrupted(warehouse: Warehouse) -> Any:
    """Ctrl-C in a compaction."""
    warehouse.keyed("db.stopped", buckets=3, **{"write-only": "true"})
    for n in range(3):
        warehouse.write("db.stopped", rows(*((id, "a", n) for id in range(30))))
    table = PaimonTable(warehouse.inner.get_table("db.stopped"))

    def stop(step: CompactionProgress) -> None:
        if step.tasks_done == 1:
            signal.raise_signal(signal.SIGINT)

    try:
        table.compact(full=True, progress=stop)
        ending = "none"
    except KeyboardInterrupt:
        ending = "KeyboardInterrupt"
    latest = table._inner.snapshot_manager().get_latest_snapshot()
    again = table.compact(full=True).to_pydict()
    return {"ending": ending, "snapshot": latest.id, "files": again["files_after"][:3]}


def refusals(warehouse: Warehouse) -> Any:
    warehouse.keyed("db.refusing", buckets=1)
    good = rows((1, "a", 1))
    direct = PaimonDataSink(warehouse.inner.get_table("db.refusing"))
    two = daft.from_arrow(rows((1, "a", 1), (2, "b", 2))).into_partitions(2)
    return {
        "missing column": told(lambda: warehouse.write("db.refusing", good.drop_columns(["n"]))),
        "row kind": told(
            lambda: warehouse.write("db.refusing", rows((1, "a", 1), kind=["huh"]), row_kind_column="kind")
        ),
        "two writers": told(lambda: two.write_sink(direct)),
        "committed": warehouse.inner.get_table("db.refusing").snapshot_manager().get_latest_snapshot() is not None,
    }


def told(write: Callable[[], Any]) -> list[str]:
    try:
        write()
    except Exception as error:
        return [type(error).__name__, str(error)]
    return ["nothing", ""]


def main(path: str) -> None:
    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    runners.set_runner_ray()
    warehouse = Warehouse(path)
    found = {
        step.__name__: step(warehouse)
        for step in (readme, upserts, order, joins, partitions, dynamic, moving, compaction, interrupted, refusals)
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
