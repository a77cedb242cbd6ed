"""Sources, tasks and sinks travel to workers; Ray runs them."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import pytest
from daft import col
from daft.io import IOConfig, S3Config
from daft.io.pushdowns import Pushdowns
from daft.io.source import DataSourceTask
from daft.recordbatch import RecordBatch

from daft_connector.tables import append
from pypaimon.daft import compat
from pypaimon.daft.io_config import daft_reads, infer_io_config
from pypaimon.daft.reader import source_for_table
from pypaimon.daft.source import PaimonDataSource
from pypaimon.daft.tasks import PaimonCountTask

MakeTable = Callable[..., Any]


def rows(*values: int) -> pa.Table:
    return pa.table({"id": pa.array(values, pa.int64()), "v": [float(value) for value in values]})


async def tasks_of(source: PaimonDataSource, pushdowns: Pushdowns) -> list[DataSourceTask]:
    return [task async for task in source.get_tasks(pushdowns)]


async def batches_of(task: DataSourceTask) -> list[RecordBatch]:
    return [batch async for batch in task.read()]


async def read_all(tasks: list[DataSourceTask]) -> list[int]:
    return [value for task in tasks async for batch in task.read() for value in batch.to_pydict()["id"]]


def test_a_source_keeps_its_snapshot_and_dynamic_options_through_a_pickle(make_table: MakeTable) -> None:
    table = make_table("t", [rows(1)])
    source = source_for_table(
        table.copy({"source.split.target-size": "1b"}), io_config=IOConfig(s3=S3Config(key_id="k"))
    )
    append(table, rows(2))
    copy = pickle.loads(pickle.dumps(source))
    assert copy.snapshot_id == source.snapshot_id == 1
    assert copy.schema == source.schema
    assert copy.read().to_pydict()["id"] == [1]
    assert copy._io_config.s3.key_id == "k"
    assert "source.split.target-size" in copy._table.schema_json


def test_a_task_reads_the_same_rows_after_a_pickle(make_table: MakeTable) -> None:
    table = make_table("t", [rows(1, 2, 3), rows(4, 5)])
    source = source_for_table(table, reader="paimon")
    pushdowns = Pushdowns(filters=col("v") > 1.0, columns=["id"])
    tasks = asyncio.run(tasks_of(source, pushdowns))
    copies = pickle.loads(pickle.dumps(tasks))
    assert [task.schema.column_names() for task in copies] == [["id", "v"]] * len(tasks)
    assert sorted(asyncio.run(read_all(copies))) == sorted(asyncio.run(read_all(tasks))) == [2, 3, 4, 5]


def test_a_count_task_answers_under_the_name_daft_gives(make_table: MakeTable) -> None:
    source = source_for_table(make_table("t", [rows(1, 2, 3)]))
    pushdowns = Pushdowns(columns=["id"], aggregation=col("id").count("all"))
    (task,) = asyncio.run(tasks_of(source, pushdowns))
    assert asyncio.run(read_all([pickle.loads(pickle.dumps(task))])) == [3]


def test_a_count_that_metadata_does_not_tell_is_read(make_table: MakeTable) -> None:
    source = source_for_table(make_table("t", [rows(1, 2), rows(3)]))
    splits = source._table.native.plan().splits
    task = PaimonCountTask("n", 4, source._table, splits)
    (batch,) = asyncio.run(batches_of(pickle.loads(pickle.dumps(task))))
    assert batch.to_pydict() == {"n": [4 + 3]}
    assert batch.schema() == task.schema


@pytest.mark.parametrize(
    ("installed", "message"),
    [(None, r"pip install 'pypaimon\[daft\]'"), ("0.6.1", "found 0.6.1"), ("0.8.0", "found 0.8.0")],
)
def test_daft_outside_of_the_tested_range_is_refused(installed: str | None, message: str) -> None:
    with pytest.raises(ImportError, match=message):
        compat._check(installed)
    compat._check("0.7.26")
    assert compat.daft_version() >= compat.TESTED_FROM


@pytest.mark.parametrize(
    "options",
    [
        {"fs.s3.endpoint": "http://e", "fs.s3.accessKeyId": "k", "fs.s3.accessKeySecret": "s", "fs.s3.region": "r"},
        {"s3.endpoint": "http://e", "s3.access-key": "k", "s3.secret-key": "s", "s3.region": "r"},
    ],
)
def test_s3_options_become_daft_s(options: dict[str, str]) -> None:
    config = infer_io_config({"warehouse": "s3://bucket/w", **options}).s3
    assert (config.endpoint_url, config.key_id, config.access_key, config.region_name) == ("http://e", "k", "s", "r")


def test_oss_options_become_opendal_s() -> None:
    options = {"warehouse": "oss://bucket/w", "fs.oss.endpoint": "e.com", "fs.oss.accessKeyId": "k"}
    config = infer_io_config({**options, "fs.oss.accessKeySecret": "s", "fs.oss.securityToken": "t"})
    assert config.opendal_backends["oss"] == {
        "bucket": "bucket",
        "endpoint": "https://e.com",
        "access_key_id": "k",
        "access_key_secret": "s",
        "security_token": "t",
    }


def test_options_that_say_nothing_leave_daft_s_defaults() -> None:
    assert infer_io_config({"warehouse": "/tmp/w"}) is None
    assert [daft_reads(url) for url in ("/a", "file:///a", "s3://b/a", "hdfs://h/a")] == [True, True, True, False]


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install 'pypaimon[ray]'")
def test_the_documented_ray_sample_runs_on_a_local_cluster(options: dict[str, str], catalog: Any) -> None:
    script = """
import sys
import daft
import ray
from daft import runners
from daft.io.partitioning import PartitionField
import pypaimon
from pypaimon.daft import PaimonCatalog, read_paimon, write_paimon

warehouse = sys.argv[1]
ray.init(num_cpus=2, include_dashboard=False, logging_level="error")
runners.set_runner_ray()
df = daft.from_pydict({
    "id": [1, 2, 3],
    "name": ["alice", "bob", "charlie"],
    "dt": ["2024-01-01", "2024-01-01", "2024-01-02"],
})
inner = pypaimon.CatalogFactory.create({"warehouse": warehouse})
PaimonCatalog(inner).create_table("db.t", df.schema(), partition_fields=[PartitionField.create(df.schema()["dt"])])
written = write_paimon(df, "db.t", catalog_options={"warehouse": warehouse})
assert sum(written.to_pydict()["rows"]) == 3, written
for reader in ("auto", "paimon"):
    result = (
        read_paimon("db.t", catalog_options={"warehouse": warehouse}, reader=reader)
        .where(daft.col("dt") == "2024-01-01")
        .select("id", "name")
    )
    assert result.sort("id").to_pydict() == {"id": [1, 2], "name": ["alice", "bob"]}
    assert read_paimon("db.t", {"warehouse": warehouse}, reader=reader).count_rows() == 3
table = inner.get_table("db.t")
table.create_tag("one")
table.branch_manager().create_branch("b", "one")
write_paimon(df, "db.t", {"warehouse": warehouse}, branch="b")
for reader in ("auto", "paimon"):
    added = read_paimon("db.t", {"warehouse": warehouse}, branch="b", incremental=(1, 2), reader=reader)
    assert sorted(added.to_pydict()["id"]) == [1, 2, 3]
    assert read_paimon("db.t", {"warehouse": warehouse}, branch="b", reader=reader).count_rows() == 6
print("done")
"""
    done = subprocess.run(
        [sys.executable, "-c", script, options["warehouse"]], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.endswith("done\n"), done.stderr[-4000:]
