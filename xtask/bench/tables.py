"""The tables that the read workloads use, written once by pypaimon 2.1.0, and the list of their live files.

    python tables.py WAREHOUSE

The list (`files.json`) lets the floor read the same bytes without any table format.
"""

import json
import pathlib
import sys
import time
import uuid

import data
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pypaimon import CatalogFactory, Schema

# pypaimon keeps file statistics for this value only.
STATISTICS = {"metadata.stats-mode": "full"}
NO_STATISTICS = {"metadata.stats-mode": "none"}


def create(catalog, name, schema, options, partition_keys=(), primary_keys=()):
    described = Schema.from_pyarrow_schema(
        schema, partition_keys=list(partition_keys), primary_keys=list(primary_keys), options=dict(options)
    )
    catalog.create_table(f"{data.DATABASE}.{name}", described, False)
    return catalog.get_table(f"{data.DATABASE}.{name}")


def append(table, rows: pa.Table) -> None:
    builder = table.new_batch_write_builder()
    write, commit = builder.new_write(), builder.new_commit()
    write.write_arrow(rows)
    commit.commit(write.prepare_commit())
    write.close()
    commit.close()


def tiny(catalog):
    append(create(catalog, "tiny", data.NARROW, NO_STATISTICS), data.narrow(0, 10))


def scan(catalog, name="scan", options=None):
    table = create(catalog, name, data.MIXED, options or STATISTICS)
    for file in range(data.SCAN_FILES):
        append(table, data.mixed(file * data.SCAN_ROWS, data.SCAN_ROWS, file))


def scan_nostats(catalog):
    scan(catalog, "scan_nostats", NO_STATISTICS)


def parts(catalog):
    schema = data.MIXED.append(pa.field("dt", pa.string()))
    table = create(catalog, "parts", schema, STATISTICS, ["dt"])
    for first in range(0, data.PARTITIONS, 100):
        count = min(100, data.PARTITIONS - first)
        rows = data.mixed(first * data.PARTITION_ROWS, count * data.PARTITION_ROWS, 1000 + first)
        days = pa.array([f"p{first + i:04}" for i in range(count)])
        append(table, rows.append_column("dt", days.take(pa.array(np.repeat(np.arange(count), data.PARTITION_ROWS)))))


def snapshots(catalog):
    table = create(catalog, "snapshots", data.NARROW, NO_STATISTICS)
    for commit in range(data.SNAPSHOTS):
        append(table, data.narrow(commit * 100, 100))


def many(catalog):
    """50,000 small files: written as Parquet here, committed through pypaimon's own commit messages."""
    from pypaimon.data.timestamp import Timestamp
    from pypaimon.manifest.schema.data_file_meta import DataFileMeta
    from pypaimon.manifest.schema.simple_stats import SimpleStats
    from pypaimon.table.row.generic_row import GenericRow
    from pypaimon.write.commit_message import CommitMessage

    table = create(catalog, "many", data.MANY, STATISTICS, ["dt"])
    root = pathlib.Path(str(table.table_path).removeprefix("file://"))
    fields = table.table_schema.fields
    nothing = GenericRow([], [])
    first = 0
    for commit in range(data.MANY_COMMITS):
        messages = []
        for part in range(10):
            day = f"p{commit // 10 * 10 + part:03}"
            folder = root / f"dt={day}" / "bucket-0"
            folder.mkdir(parents=True, exist_ok=True)
            files = []
            for _ in range(max(1, data.MANY_FILES // 10)):
                ids = np.arange(first, first + 10)
                names = [f"n{i:09}" for i in ids]
                path = folder / f"data-{uuid.UUID(int=first)}-0.parquet"
                pq.write_table(pa.table([ids, ids * 0.5, names, [day] * 10], schema=data.MANY), path)
                low = GenericRow([first, first * 0.5, names[0], day], fields)
                high = GenericRow([first + 9, (first + 9) * 0.5, names[-1], day], fields)
                files.append(
                    DataFileMeta.create(
                        file_name=path.name,
                        file_size=path.stat().st_size,
                        row_count=10,
                        min_key=nothing,
                        max_key=nothing,
                        key_stats=SimpleStats(nothing, nothing, []),
                        value_stats=SimpleStats(low, high, [0] * 4),
                        min_sequence_number=-1,
                        max_sequence_number=-1,
                        schema_id=0,
                        level=0,
                        extra_files=[],
                        creation_time=Timestamp.now(),
                        delete_row_count=0,
                        file_source=0,
                        value_stats_cols=None,
                        external_path=None,
                        first_row_id=None,
                        write_cols=None,
                        file_path=str(path),
                    )
                )
                first += 10
            messages.append(CommitMessage(partition=(day,), bucket=0, new_files=files))
        commit = table.new_batch_write_builder().new_commit()
        commit.commit(messages)
        commit.close()


def keyed_table(catalog, name, versions, buckets, options=None):
    """A primary-key table with one run a bucket for each of `versions`, written by pypaimon's own native writer."""
    options = {"bucket": str(buckets), **NO_STATISTICS, **(options or {})}
    table = create(catalog, name, data.KEYED, options, primary_keys=["id"]).copy({"write.native.enabled": "true"})
    for rows in versions:
        append(table, rows)


def keyed_tiny(catalog):
    keyed_table(catalog, "keyed_tiny", (data.upserted(10, 10, seed) for seed in range(2)), 1)


def keyed(catalog, name="keyed", times=1):
    rows, keys = times * data.KEYED_ROWS, times * data.KEYED_KEYS
    versions = (data.upserted(rows, keys, 10 * times + run) for run in range(data.KEYED_RUNS))
    keyed_table(catalog, name, versions, data.KEYED_BUCKETS)


def keyed_large(catalog):
    keyed(catalog, "keyed_large", 5)


def merged(catalog, name, options):
    versions = (data.upserted(data.MERGED_ROWS, data.MERGED_KEYS, 100 + run, 0.4) for run in range(data.MERGED_RUNS))
    keyed_table(catalog, name, versions, data.MERGED_BUCKETS, options)


def partial_update(catalog):
    merged(catalog, "partial_update", {"merge-engine": "partial-update"})


def aggregation(catalog):
    functions = {"k": "sum", "v": "max", "cat": "last_non_null_value", "name": "last_value", "ts": "min"}
    options = {f"fields.{field}.aggregate-function": function for field, function in functions.items()}
    merged(catalog, "aggregation", {"merge-engine": "aggregation", **options})


def blobs(catalog, name="blobs", count=data.BLOBS, size=data.BLOB_BYTES):
    table = create(catalog, name, data.BLOB, {**data.EVOLVING, **NO_STATISTICS})
    builder = table.new_batch_write_builder()
    write, commit = builder.new_write(), builder.new_commit()
    step = max(1, (128 << 20) // size)
    for first in range(0, count, step):
        write.write_arrow(data.blobs(first, min(step, count - first), size, first))
    commit.commit(write.prepare_commit())
    write.close()
    commit.close()


def blobs_tiny(catalog):
    blobs(catalog, "blobs_tiny", 10, 100)


def blobs_large(catalog):
    blobs(catalog, "blobs_large", data.LARGE_BLOBS, data.LARGE_BLOB_BYTES)


def deleted(catalog):
    """Rows of four commits; one of 20 is marked as deleted."""
    table = create(catalog, "deleted", data.MIXED, {**data.EVOLVING, "deletion-vectors.enabled": "true", **STATISTICS})
    for file in range(data.DELETED_FILES):
        append(table, data.mixed(file * data.DELETED_ROWS, data.DELETED_ROWS, 300 + file))
    rows = data.DELETED_FILES * data.DELETED_ROWS
    gone = np.sort(np.random.default_rng(5).choice(rows, rows // 20, replace=False))
    builder = table.new_batch_write_builder()
    commit = builder.new_commit()
    commit.commit(builder.new_update().delete_by_row_id(gone.tolist()))
    commit.close()


def live_files(table) -> list[dict]:
    def described(file, split):
        path = str(file.external_path or file.file_path).removeprefix("file://")
        rows = {"rows": file.row_count, "first_row_id": file.first_row_id}
        return {"path": path, "partition": split.partition.to_dict(), "bucket": split.bucket, **rows}

    return [
        described(file, split) for split in table.new_read_builder().new_scan().plan().splits() for file in split.files
    ]


def main(warehouse: pathlib.Path) -> None:
    warehouse.mkdir(parents=True, exist_ok=True)
    listing = warehouse / "files.json"
    files = json.loads(listing.read_text()) if listing.exists() else {}
    catalog = CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database(data.DATABASE, True)
    makers = [tiny, scan, scan_nostats, parts, snapshots, many]
    makers += [keyed_tiny, keyed, keyed_large, partial_update, aggregation]
    makers += [blobs_tiny, blobs, blobs_large, deleted]
    for make in makers:
        name = make.__name__
        if name in files:
            continue
        if name in catalog.list_tables(data.DATABASE):  # an interrupted run left it half written
            catalog.drop_table(f"{data.DATABASE}.{name}", False)
        started = time.perf_counter()
        make(catalog)
        files[name] = live_files(catalog.get_table(f"{data.DATABASE}.{name}"))
        listing.write_text(json.dumps(files))
        print(f"  table {name}: {len(files[name])} files, {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
