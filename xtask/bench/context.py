"""What a workload is, and how each implementation opens, reads and writes tables."""

import dataclasses
import json
import pathlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import data
import pyarrow as pa
import pyarrow.parquet as pq

#: What makes pypaimon hand its work to pypaimon-rust.
NATIVE = {
    "scan.native-plan.enabled": "true",
    "read.native.enabled": "true",
    "write.native.enabled": "true",
    "commit.native.enabled": "true",
}


@dataclasses.dataclass(frozen=True)
class Workload:
    """One row of the report."""

    name: str
    what: str
    api: Callable[[Any], int]  # through `pypaimon.daft`: ours and Apache's
    floor: Callable[[Any], int] | None
    rust: Callable[[Any], int] | None = None
    setup: Callable[["Context"], Any] = lambda context: None
    target: str = ""


class Context:
    """Where a workload runs, and how one implementation opens and makes tables there."""

    def __init__(self, implementation: str, warehouse: pathlib.Path, output: pathlib.Path):
        self.implementation = implementation
        self.warehouse = warehouse
        self.output = output
        self.files = json.loads((warehouse / "files.json").read_text())

    def read(self, name: str):
        from pypaimon.daft import read_paimon

        options = {"warehouse": str(self.warehouse)}
        if self.implementation == "pypaimon-native":
            from pypaimon.daft.daft_paimon import _read_table

            return _read_table(self._native(options, name), catalog_options=options)
        return read_paimon(f"{data.DATABASE}.{name}", options)

    def _native(self, options: dict, name: str):
        """The table with all options by which pypaimon hands work to pypaimon-rust."""
        import pypaimon

        return pypaimon.CatalogFactory.create(options).get_table(f"{data.DATABASE}.{name}").copy(NATIVE)

    def sql(self, query: str) -> pa.Table | None:
        import pypaimon_rust.datafusion as rust

        session = rust.SQLContext()
        session.register_catalog("p", {"warehouse": str(self.warehouse)}, default_database=data.DATABASE)
        session.set_current_catalog("p")
        session.set_current_database(data.DATABASE)
        batches = session.sql(query)
        return pa.Table.from_batches(batches) if batches else None

    def paths(self, name: str, partition: dict | None = None, bucket: int | None = None) -> list[str]:
        return [
            file["path"]
            for file in self.files[name]
            if (partition is None or file["partition"] == partition) and (bucket is None or file["bucket"] == bucket)
        ]

    def create(self, schema: pa.Schema, partition_keys=(), primary_keys=(), options=None) -> None:
        """An empty output table; peers that cannot create tables have pypaimon do it."""
        import pypaimon

        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)
        catalog = pypaimon.CatalogFactory.create({"warehouse": str(self.output)})
        catalog.create_database(data.DATABASE, True)
        described = pypaimon.Schema.from_pyarrow_schema(
            schema,
            partition_keys=list(partition_keys),
            primary_keys=list(primary_keys),
            options={"metadata.stats-mode": "full", **(options or {})},
        )
        catalog.create_table(f"{data.DATABASE}.t", described, False)

    def write(self, frame, mode="append") -> int:
        from pypaimon.daft import write_paimon

        options = {"warehouse": str(self.output)}
        if self.implementation == "pypaimon-native":
            from pypaimon.daft.daft_paimon import _write_table

            result = _write_table(frame, self._native(options, "t"), mode=mode)
        else:
            result = write_paimon(frame, f"{data.DATABASE}.t", options, mode=mode)
        return sum(result.to_pydict()["rows"])

    def write_rust(self, rows: pa.Table, overwrite=False) -> int:
        import pypaimon_rust.datafusion as rust

        builder = rust.PaimonCatalog({"warehouse": str(self.output)}).get_table(f"{data.DATABASE}.t")
        builder = builder.new_batch_write_builder()
        if overwrite:
            builder = builder.with_overwrite()
        write = builder.new_write()
        for batch in rows.to_batches():
            write.write_arrow(batch)
        builder.new_commit().commit(write.prepare_commit())
        return rows.num_rows

    def write_floor(self, chunks: list[pa.Table]) -> int:
        """Pyarrow's Parquet writer alone, on two threads."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.mkdir(parents=True)

        def write(numbered):
            number, chunk = numbered
            pq.write_table(chunk, self.output / f"{number}.parquet", compression="zstd", compression_level=1)
            return chunk.num_rows

        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(write, enumerate(chunks)))


def reading(name, what, query, sql, floor, target="") -> Workload:
    """A workload that reads: `query` takes a function from table name to frame."""
    return Workload(
        name,
        what,
        api=lambda context: query(context.read),
        rust=(lambda context: rows_of(context.sql(sql))) if sql else None,
        floor=floor,
        setup=lambda context: context,
        target=target,
    )


def rows_of(table: pa.Table | None) -> int:
    return table.num_rows if table is not None else 0


def equal(frame, column, value):
    from daft import col

    return frame.where(col(column) == value)


def plain(paths):
    """Daft's own Parquet reader."""
    import daft

    return daft.read_parquet(paths)
