"""One implementation behind JSON lines: writes a plan to a warehouse, or reads its table.

    python worker.py {ours,pypaimon,pypaimon-rust}

`ours` and `pypaimon` run the same code on the same API in different environments; `pypaimon-rust` has its own API for
reading and writing and none for creating tables, which pypaimon does for it.
"""

import json
import pathlib
import struct
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import pyarrow as pa
import pypaimon
from plan import final_columns
from pypaimon.schema.data_types import AtomicType
from pypaimon.schema.schema_change import SchemaChange
from rows import render_table

TABLE = "interop.t"

ARROW = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INT": pa.int32(),
    "BIGINT": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "DECIMAL(9, 2)": pa.decimal128(9, 2),
    "DECIMAL(18, 4)": pa.decimal128(18, 4),
    "DECIMAL(38, 10)": pa.decimal128(38, 10),
    "DATE": pa.date32(),
    "TIMESTAMP(3)": pa.timestamp("ms"),
    "TIMESTAMP(6)": pa.timestamp("us"),
    "TIMESTAMP(6) WITH LOCAL TIME ZONE": pa.timestamp("us", tz="UTC"),
    "ARRAY<INT>": pa.list_(pa.int32()),
    "MAP<STRING, BIGINT>": pa.map_(pa.string(), pa.int64()),
    "ROW<x INT, y STRING>": pa.struct([("x", pa.int32()), ("y", pa.string())]),
}


def array_of(values: list, kind: str) -> pa.Array:
    """Spelt values as an Arrow array."""
    arrow = ARROW[kind]
    if kind == "FLOAT":
        values = [None if v is None else struct.unpack("<f", struct.pack("<i", v))[0] for v in values]
    elif kind == "DOUBLE":
        values = [None if v is None else struct.unpack("<d", struct.pack("<q", v))[0] for v in values]
    elif kind == "BYTES":
        values = [None if v is None else bytes.fromhex(v) for v in values]
    elif kind.startswith("DECIMAL"):
        return pa.array(values, pa.string()).cast(arrow)
    elif kind == "DATE":
        return pa.array(values, pa.int32()).cast(arrow)
    elif kind.startswith("TIMESTAMP"):
        return pa.array(values, pa.int64()).cast(pa.timestamp("us", arrow.tz)).cast(arrow)
    elif kind.startswith("ROW"):
        values = [None if v is None else dict(zip("xy", v)) for v in values]
    elif kind.startswith("MAP"):
        values = [None if v is None else [tuple(pair) for pair in v] for v in values]
    return pa.array(values, arrow)


def table_of(rows: list, columns: list[dict]) -> pa.Table:
    arrays = [array_of([row[i] for row in rows], column["type"]) for i, column in enumerate(columns)]
    return pa.table(arrays, schema=pa.schema([(column["name"], ARROW[column["type"]]) for column in columns]))


def write(implementation: str, warehouse: str, plan: dict) -> None:
    catalog = pypaimon.CatalogFactory.create({"warehouse": warehouse})
    catalog.create_database("interop", True)
    columns = [dict(column) for column in plan["columns"]]
    options = {"file.format": plan["format"], "metadata.stats-mode": plan["statistics"]}
    if plan["buckets"]:
        options |= {"bucket": str(plan["buckets"]), "bucket-key": "k"}
    if any(step["do"] == "delete" for step in plan["steps"]):
        options["deletion-vectors.enabled"] = "true"
    schema = pypaimon.Schema.from_pyarrow_schema(
        pa.schema([(column["name"], ARROW[column["type"]]) for column in columns]),
        partition_keys=[plan["partition"]] if plan["partition"] else [],
        options=options,
    )
    catalog.create_table(TABLE, schema, False)
    for step in plan["steps"]:
        if step["do"] == "alter":
            alter(catalog, columns, step)
        elif step["do"] == "delete":
            delete(catalog.get_table(TABLE), set(step["keys"]))
        else:
            rows = table_of(step["rows"], columns)
            if implementation == "pypaimon-rust":
                append_rust(warehouse, rows, step["do"] == "overwrite")
            else:
                append(catalog.get_table(TABLE), rows, step["do"] == "overwrite")


def append(table, rows: pa.Table, overwrite: bool) -> None:
    builder = table.new_batch_write_builder()
    if overwrite:
        builder = builder.overwrite({})
    write, commit = builder.new_write(), builder.new_commit()
    write.write_arrow(rows)
    commit.commit(write.prepare_commit())
    write.close()
    commit.close()


def append_rust(warehouse: str, rows: pa.Table, overwrite: bool) -> None:
    import pypaimon_rust.datafusion as rust

    builder = rust.PaimonCatalog({"warehouse": warehouse}).get_table(TABLE).new_batch_write_builder()
    if overwrite:
        builder = builder.with_overwrite()
    write = builder.new_write()
    for batch in rows.to_batches():
        write.write_arrow(batch)
    builder.new_commit().commit(write.prepare_commit())


def delete(table, keys: set) -> None:
    """Deletion vectors on a plain append table: pypaimon has the writer, only not behind a public call."""
    import pyarrow.parquet as pq
    from pypaimon.write.table_delete import TableDeleteByRowId

    deleter = TableDeleteByRowId(table)
    builder = table.new_batch_write_builder()
    snapshot = table.snapshot_manager().get_latest_snapshot().id
    buckets: dict = {}
    for split in table.new_read_builder().new_scan().plan().splits():
        for file in split.files:
            found = pq.read_table(file.file_path, columns=["k"], partitioning=None)["k"].to_pylist()
            positions = {position for position, key in enumerate(found) if key in keys}
            if positions:
                buckets.setdefault((tuple(split.partition.values), split.bucket), {})[file.file_name] = positions
    messages = [
        deleter._build_commit_message(partition, bucket, files, snapshot)
        for (partition, bucket), files in buckets.items()
    ]
    messages = [message for message in messages if message is not None]
    if messages:
        commit = builder.new_commit()
        commit.commit(messages)
        commit.close()


def alter(catalog, columns: list[dict], step: dict) -> None:
    from plan import apply_change

    if step["change"] == "add":
        change = SchemaChange.add_column(step["name"], AtomicType(step["type"]))
    elif step["change"] == "rename":
        change = SchemaChange.rename_column(step["name"], step["to"])
    elif step["change"] == "drop":
        change = SchemaChange.drop_column(step["name"])
    else:
        change = SchemaChange.update_column_type(step["name"], AtomicType(step["type"]))
    catalog.alter_table(TABLE, [change], False)
    apply_change(columns, step)


def read(implementation: str, warehouse: str, plan: dict) -> list[str]:
    names = [column["name"] for column in final_columns(plan)]
    if implementation == "pypaimon-rust":
        import pypaimon_rust.datafusion as rust

        context = rust.SQLContext()
        context.register_catalog("p", {"warehouse": warehouse}, default_database="interop")
        context.set_current_catalog("p")
        context.set_current_database("interop")
        batches = context.sql("select " + ", ".join(f'"{name}"' for name in names) + " from t")
        return render_table(pa.Table.from_batches(batches)) if batches else []
    builder = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(TABLE).new_read_builder()
    table = builder.new_read().to_arrow(builder.new_scan().plan().splits())
    return render_table(table.select(names))


def main() -> None:
    implementation = sys.argv[1]
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "write":
                write(implementation, request["warehouse"], request["plan"])
                answer = {}
            else:
                answer = {"rows": read(implementation, request["warehouse"], request["plan"])}
        except BaseException as error:  # a peer's panic is an answer too
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{pathlib.Path(place.filename).name}:{place.lineno}"
            answer = {"error": f"{type(error).__name__}: {error}"[:600] + f" ({where})"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
