"""One implementation behind JSON lines: writes a plan to a warehouse, or reads its table, tags and filters.

    python worker.py {ours,pypaimon,pypaimon-rust}

`ours` and `pypaimon` run the same code on the same API in different environments; `pypaimon-rust` has its own API for
reading and writing and none for creating tables and tags, which pypaimon does for it.
"""

import json
import pathlib
import struct
import sys
import traceback
from collections.abc import Callable

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
    "TIME(3)": pa.time32("ms"),
    "TIMESTAMP(0)": pa.timestamp("s"),
    "TIMESTAMP(3)": pa.timestamp("ms"),
    "TIMESTAMP(6)": pa.timestamp("us"),
    "TIMESTAMP(9)": pa.timestamp("ns"),
    "TIMESTAMP(3) WITH LOCAL TIME ZONE": pa.timestamp("ms", tz="UTC"),
    "TIMESTAMP(6) WITH LOCAL TIME ZONE": pa.timestamp("us", tz="UTC"),
    "ARRAY<INT>": pa.list_(pa.int32()),
    "ARRAY<ROW<x INT, y STRING>>": pa.list_(pa.struct([("x", pa.int32()), ("y", pa.string())])),
    "MAP<STRING, BIGINT>": pa.map_(pa.string(), pa.int64()),
    "ROW<x INT, y STRING>": pa.struct([("x", pa.int32()), ("y", pa.string())]),
    "BLOB": pa.large_binary(),
    "ARRAY<BLOB>": pa.list_(pa.large_binary()),
    "MAP<STRING, BLOB>": pa.map_(pa.string(), pa.large_binary()),
    "MAP<INT, BLOB>": pa.map_(pa.int32(), pa.large_binary()),
}


def array_of(values: list, kind: str) -> pa.Array:
    """Spelt values as an Arrow array."""
    arrow = ARROW[kind]
    if kind == "FLOAT":
        values = [None if v is None else struct.unpack("<f", struct.pack("<i", v))[0] for v in values]
    elif kind == "DOUBLE":
        values = [None if v is None else struct.unpack("<d", struct.pack("<q", v))[0] for v in values]
    elif kind in ("BYTES", "BLOB"):
        values = [unhex(v) for v in values]
    elif kind == "ARRAY<BLOB>":
        values = [None if v is None else [unhex(item) for item in v] for v in values]
    elif kind.endswith(", BLOB>"):
        values = [None if v is None else [(key, unhex(item)) for key, item in v] for v in values]
    elif kind.startswith("DECIMAL"):
        return pa.array(values, pa.string()).cast(arrow)
    elif kind in ("DATE", "TIME(3)"):
        return pa.array(values, pa.int32()).cast(arrow)
    elif kind.startswith("TIMESTAMP"):
        return pa.array(values, pa.int64()).cast(pa.timestamp("us", arrow.tz)).cast(arrow)
    elif kind.startswith("ROW"):
        values = [None if v is None else dict(zip("xy", v)) for v in values]
    elif kind.startswith("ARRAY<ROW"):
        values = [None if v is None else [dict(zip("xy", row)) for row in v] for v in values]
    elif kind.startswith("MAP"):
        values = [None if v is None else [tuple(pair) for pair in v] for v in values]
    return pa.array(values, arrow)


def unhex(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)


def table_of(rows: list, columns: list[dict]) -> pa.Table:
    arrays = [array_of([row[i] for row in rows], column["type"]) for i, column in enumerate(columns)]
    return pa.table(arrays, schema=pa.schema([(column["name"], ARROW[column["type"]]) for column in columns]))


def write(implementation: str, warehouse: str, plan: dict) -> None:
    catalog = pypaimon.CatalogFactory.create({"warehouse": warehouse})
    catalog.create_database("interop", True)
    columns = [dict(column) for column in plan["columns"]]
    options = {"metadata.stats-mode": plan["statistics"]}
    options |= {"file.format": plan["format"], "file.compression": plan["compression"]}
    if implementation == "ours" and plan["format"] == "orc":
        options["orc.timestamp-ltz.legacy.type"] = "false"  # the only spelling that it writes
    if plan["buckets"]:
        options |= {"bucket": str(plan["buckets"]), "bucket-key": "k"}
    options |= {f"file-index.{kind}.columns": names for kind, names in plan["indexes"].items()}
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
        elif step["do"] == "tag":
            catalog.get_table(TABLE).create_tag(step["name"])
        elif step["do"] == "delete":
            delete(catalog.get_table(TABLE), set(step["keys"]))
        else:
            rows = table_of(step["rows"], columns)
            if implementation == "pypaimon-rust":
                append_rust(warehouse, rows, step["do"] == "overwrite")
            else:
                append(catalog.get_table(TABLE), rows, step["do"] == "overwrite")


def append(table, rows: pa.Table, overwrite: bool) -> None:
    prepare(table, rows, overwrite)()


def prepare(
    table, rows: pa.Table, overwrite: bool = False, row_kinds: str | None = None, columns: list[str] | None = None
) -> Callable[[], None]:
    """Writes files; what it returns commits them.

    `row_kinds` names a column of the rows that is none of the table's, `columns` those of the table that they have.
    """
    builder = table.new_batch_write_builder()
    if row_kinds:
        builder = builder.with_row_kind_column(row_kinds)
    if overwrite:
        builder = builder.overwrite({})
    write, commit = builder.new_write(), builder.new_commit()
    if columns is not None:
        write.with_write_type(columns)
    write.write_arrow(rows)
    messages = write.prepare_commit()

    def publish() -> None:
        commit.commit(messages)
        write.close()
        commit.close()

    return publish


def append_rust(warehouse: str, rows: pa.Table, overwrite: bool) -> None:
    prepare_rust(warehouse, rows, overwrite)()


def prepare_rust(warehouse: str, rows: pa.Table, overwrite: bool = False) -> Callable[[], None]:
    import pypaimon_rust.datafusion as rust

    builder = rust.PaimonCatalog({"warehouse": warehouse}).get_table(TABLE).new_batch_write_builder()
    if overwrite:
        builder = builder.with_overwrite()
    write = builder.new_write()
    for batch in rows.to_batches():
        write.write_arrow(batch)
    messages = write.prepare_commit()
    return lambda: builder.new_commit().commit(messages)


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


def read(implementation: str, warehouse: str, plan: dict) -> dict:
    kinds = {column["name"]: column["type"] for column in final_columns(plan)}
    names = list(kinds)
    if implementation == "pypaimon-rust":
        return read_rust(warehouse, plan, kinds)
    table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(TABLE)
    rows = read_where(table).select(names)
    tags = [step["name"] for step in plan["steps"] if step["do"] == "tag"]
    return {
        "rows": render_table(rows),
        "tags": {tag: keys(read_where(table.copy({"scan.tag-name": tag}))) for tag in tags},
        "filters": [keys(read_where(table, [filter], kinds)) for filter in plan["filters"]],
    }


def read_where(table, filters: list = (), kinds: dict[str, str] | None = None, columns: list | None = None) -> pa.Table:
    """The rows under all filters; `kinds` are their columns' types."""
    builder = table.new_read_builder()
    if columns is not None:
        builder = builder.with_projection(columns)
    predicates = builder.new_predicate_builder() if filters else None
    conditions = [predicate(predicates, filter, kinds[filter[1]]) for filter in filters]
    if conditions:
        builder = builder.with_filter(conditions[0] if len(conditions) == 1 else predicates.and_predicates(conditions))
    return builder.new_read().to_arrow(builder.new_scan().plan().splits())


def predicate(builder, filter: list, kind: str):
    """A filter as the predicate of a table; `kind` is its column's type."""
    operator, name, *literals = filter
    method = {
        "=": builder.equal,
        "<": builder.less_than,
        ">=": builder.greater_or_equal,
        "in": lambda name, *literals: builder.is_in(name, list(literals)),
        "is null": builder.is_null,
        "is not null": builder.is_not_null,
    }[operator]
    return method(name, *array_of(literals, kind).to_pylist())


def read_rust(warehouse: str, plan: dict, kinds: dict[str, str]) -> dict:
    """Rows and filters; its SQL has no name for a tag."""
    rows = select_rust(warehouse, list(kinds))
    found = {"rows": render_table(rows) if rows else [], "filters": []}
    for filter in plan["filters"]:
        found["filters"].append(keys(select_rust(warehouse, ["k"], [filter], kinds)))
    return found


def select_rust(
    warehouse: str, names: list[str], filters: list = (), kinds: dict[str, str] | None = None
) -> pa.Table | None:
    import pypaimon_rust.datafusion as rust

    context = rust.SQLContext()
    context.register_catalog("p", {"warehouse": warehouse}, default_database="interop")
    context.set_current_catalog("p")
    context.set_current_database("interop")
    query = "select " + ", ".join(f'"{name}"' for name in names) + " from t"
    conditions = []
    for operator, name, *literals in filters:
        spelt = [sql_literal(literal, kinds[name]) for literal in literals]
        right = f"({', '.join(spelt)})" if operator == "in" else "".join(spelt)
        conditions.append(f'"{name}" {operator} {right}')
    batches = context.sql(query + (" where " + " and ".join(conditions) if conditions else ""))
    return pa.Table.from_batches(batches) if batches else None


def sql_literal(value, kind: str) -> str:
    if kind == "STRING":
        return "'" + value.replace("'", "''") + "'"
    return f"arrow_cast({value}, 'Date32')" if kind == "DATE" else str(value)


def keys(table: pa.Table | None) -> list[int]:
    return sorted(table["k"].to_pylist()) if table else []


def serve(answer: Callable[[dict], dict]) -> None:
    """Answers requests line by line."""
    for line in sys.stdin:
        try:
            answered = answer(json.loads(line))
        except BaseException as error:  # a peer's panic is an answer too
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{pathlib.Path(place.filename).name}:{place.lineno}"
            answered = {"error": f"{type(error).__name__}: {error}"[:600] + f" ({where})"}
        print(json.dumps(answered), flush=True)


def answer(request: dict) -> dict:
    if request["do"] == "write":
        write(sys.argv[1], request["warehouse"], request["plan"])
        return {}
    if request["do"] == "compact":
        pypaimon.CatalogFactory.create({"warehouse": request["warehouse"]}).get_table(TABLE).compact(full=True)
        return {}
    return read(sys.argv[1], request["warehouse"], request["plan"])


if __name__ == "__main__":
    serve(answer)
