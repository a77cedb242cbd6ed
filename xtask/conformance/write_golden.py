"""Writes the golden tables that come from pypaimon and pypaimon-rust, with the rows that their writer reads back.

Run by hand, in an environment that holds pypaimon 2.1.0 and pypaimon-rust 0.4.0; the result is committed:

    python xtask/conformance/write_golden.py [name...]
"""

import datetime
import decimal
import importlib.metadata
import json
import pathlib
import sys
import tempfile

import pyarrow as pa
import pypaimon_rust.datafusion as rust
from golden import write_case
from pypaimon import CatalogFactory, Schema
from pypaimon.schema.data_types import AtomicType
from pypaimon.schema.schema_change import SchemaChange
from rows import render_table

VERSION = importlib.metadata.version("pypaimon")
RUST_VERSION = importlib.metadata.version("pypaimon-rust")

# What pypaimon-rust writes to ORC files, and no more.
RUST_ORC = {"k", "b", "i8", "i16", "f32", "f64", "s", "bin", "p"}

# Tables with a key that pypaimon-rust writes.
RUST_KEYED = {
    "deduplicate": {},
    "partial-update": {"merge-engine": "partial-update"},
    "aggregation": {
        "merge-engine": "aggregation",
        "fields.i64.aggregate-function": "min",
        "fields.s.aggregate-function": "first_non_null_value",
    },
}


def append(table, data: pa.Table, overwrite=None):
    builder = table.new_batch_write_builder()
    if overwrite is not None:
        builder = builder.overwrite(overwrite)
    write, commit = builder.new_write(), builder.new_commit()
    write.write_arrow(data)
    commit.commit(write.prepare_commit())
    write.close()
    commit.close()


def orders(catalog):
    """Changes of a table's life: renamed, widened, dropped and added columns, an overwritten partition, a tag."""
    schema = pa.schema(
        [("id", pa.int32()), ("name", pa.string()), ("price", pa.decimal128(9, 2)), ("day", pa.string())]
    )
    options = {"metadata.stats-mode": "full"}
    catalog.create_table(
        "golden.orders", Schema.from_pyarrow_schema(schema, partition_keys=["day"], options=options), False
    )
    table = catalog.get_table("golden.orders")
    d = decimal.Decimal
    append(
        table,
        pa.table(
            [[1, 2, 3], ["tea", None, "a/b=c %é"], [d("1.50"), d("-0.01"), None], ["mon", "tue", "mon"]], schema=schema
        ),
    )
    table.create_tag("first", snapshot_id=1)
    catalog.alter_table(
        "golden.orders",
        [
            SchemaChange.rename_column("name", "title"),
            SchemaChange.update_column_type("id", AtomicType("BIGINT")),
            SchemaChange.drop_column("price"),
        ],
        False,
    )
    catalog.alter_table("golden.orders", [SchemaChange.add_column("price", AtomicType("DOUBLE"))], False)
    table = catalog.get_table("golden.orders")
    schema = pa.schema([("id", pa.int64()), ("title", pa.string()), ("day", pa.string()), ("price", pa.float64())])
    append(table, pa.table([[2**40, 5], ["x", ""], ["tue", "a/b"], [1.5, float("nan")]], schema=schema))
    append(table, pa.table([[6], ["only this on monday"], ["mon"], [0.25]], schema=schema), overwrite={})
    return table


def columns():
    """One column of each type that pypaimon writes to a data file: name, type, value."""
    day = datetime.date(2024, 2, 29)
    time = datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)
    utc = time.replace(tzinfo=datetime.timezone.utc)
    return [
        ("b", pa.bool_(), True),
        ("i8", pa.int8(), -128),
        ("i16", pa.int16(), 32767),
        ("i32", pa.int32(), -(2**31)),
        ("i64", pa.int64(), 2**63 - 1),
        ("f32", pa.float32(), -0.0),
        ("f64", pa.float64(), float("inf")),
        ("s", pa.string(), "日本 \0"),
        ("bin", pa.binary(), b"\x00\xff"),
        ("d9", pa.decimal128(9, 2), decimal.Decimal("-1234567.89")),
        ("d18", pa.decimal128(18, 4), decimal.Decimal("0.0001")),
        ("d38", pa.decimal128(38, 10), decimal.Decimal("-9999999999999999999999999999.9999999999")),
        ("date", pa.date32(), day),
        ("ts3", pa.timestamp("ms"), time),
        ("ts6", pa.timestamp("us"), time.replace(microsecond=999999)),
        ("tz6", pa.timestamp("us", tz="UTC"), utc),
        ("arr", pa.list_(pa.int32()), [1, None, 3]),
        ("map", pa.map_(pa.string(), pa.int64()), [("k", 1), ("j", None)]),
        ("row", pa.struct([("x", pa.int32()), ("y", pa.string())]), {"x": 1, "y": None}),
    ]


def types(catalog, name="types", file_format="parquet"):
    """A value of each type, and a NULL."""
    kept = columns()
    if file_format == "avro":  # pypaimon has no Avro form for maps, nor for NULL inside of arrays
        kept = [(c, kind, [1, 3] if c == "arr" else value) for c, kind, value in kept if c != "map"]
    schema = pa.schema([(column, kind) for column, kind, _ in kept])
    catalog.create_table(
        f"golden.{name}", Schema.from_pyarrow_schema(schema, options={"file.format": file_format}), False
    )
    table = catalog.get_table(f"golden.{name}")
    append(table, pa.table([pa.array([value, None], kind) for _, kind, value in kept], schema=schema))
    return table


def avro(catalog):
    return types(catalog, "avro", "avro")


def upserted(catalog, name, options, write=append):
    """Overlapping runs of a table with a key of a number and a text, in two partitions of two buckets."""
    kept = [("id", pa.int32()), ("code", pa.string()), ("p", pa.string())]
    values = [column for column in columns() if column[0] in ("i64", "f64", "s", "d18", "date", "ts6", "arr")]
    schema = pa.schema(
        [pa.field(column, kind, nullable=False) for column, kind in kept]
        + [(column, kind) for column, kind, _ in values]
    )
    key = ["id", "code", "p"]
    keyed = Schema.from_pyarrow_schema(schema, ["p"], key, {"bucket": "2", **options})
    catalog.create_table(f"golden.{name}", keyed, False)
    table = catalog.get_table(f"golden.{name}")
    for commit in range(4):
        ids = [id for id in range(-4, 8) if commit == 0 or id % (commit + 1) == 0]
        rows = {"id": ids}
        rows["code"] = [["a", "é", ""][id % 3] for id in ids]
        rows["p"] = [["x", "y/z"][id % 2] for id in ids]
        for column, _, value in values:
            changed = {"i64": 2**63 - 4 + commit, "arr": [1, commit]}.get(column, value)
            rows[column] = [None if (id + commit) % 3 == 0 else changed for id in ids]
        write(table, pa.table([pa.array(rows[field.name], field.type) for field in schema], schema=schema))
    return table


def deduplicate(catalog):
    return upserted(catalog, "deduplicate", {})


def partial_update(catalog):
    return upserted(catalog, "partial_update", {"merge-engine": "partial-update", "file.format": "orc"})


def sequence(catalog):
    return upserted(catalog, "sequence", {"sequence.field": "i64", "file.format": "avro"})


def blobs(catalog):
    """Blobs alone, in arrays and in maps, some updated by row id, which leaves placeholders; deletes; a new column."""
    columns = [("k", pa.int64()), ("image", pa.large_binary()), ("p", pa.string())]
    columns += [("pages", pa.list_(pa.large_binary())), ("parts", pa.map_(pa.string(), pa.large_binary()))]
    table = evolving(catalog, "golden.blobs", columns, ["p"], {"deletion-vectors.enabled": "true"})
    rows = {
        "k": list(range(9)),
        "image": [None, b"", *(bytes(range(k)) * k for k in range(2, 9))],
        "p": ["x", "y", "a/b"] * 3,
        "pages": [None, [], [None], [b""], [b"one", None, b"three"], *([bytes([k]) * k] for k in range(5, 9))],
        "parts": [
            None,
            [],
            [("k", None)],
            [("", b"")],
            [("é", b"1"), ("b", b"22")],
            *([("k", b"v" * k)] for k in range(5, 9)),
        ],
    }
    append(table, pa.table(rows, schema=pa.schema(columns)))
    update(table, {"_ROW_ID": [0, 5], "image": [b"changed", None]}, columns)
    update(table, {"_ROW_ID": [4, 6, 7], "pages": [[b"new"], None, []], "parts": [None, [("n", b"")], []]}, columns)
    update(table, {"_ROW_ID": [4, 1], "image": [b"", b"again"], "k": [104, None]}, columns)
    delete(table, [2, 6])
    catalog.alter_table("golden.blobs", [SchemaChange.add_column("note", AtomicType("STRING"))], False)
    table = catalog.get_table("golden.blobs")
    columns.append(("note", pa.string()))
    update(table, {"_ROW_ID": [8], "note": ["late"]}, columns)
    rows = {"k": [9, 10], "image": [b"z", None], "p": ["x", "x"], "pages": [[], None], "parts": [None, []]}
    append(table, pa.table({**rows, "note": ["new", None]}, schema=pa.schema(columns)))
    delete(table, [9])
    return table


def rolled_blobs(catalog):
    """Blobs in many files, written by one commit."""
    columns = [("k", pa.int64()), ("a", pa.large_binary()), ("b", pa.large_binary())]
    table = evolving(catalog, "golden.rolled_blobs", columns, [], {"blob.target-file-size": "100 b"})
    values = [None if k % 4 == 3 else bytes([k]) * (k * 11 % 90) for k in range(20)]
    append(table, pa.table([list(range(20)), values, values[::-1]], schema=pa.schema(columns)))
    append(table, pa.table([[20], [b""], [b"last"]], schema=pa.schema(columns)))
    return table


def evolving(catalog, name, columns, partition, options):
    options = {"row-tracking.enabled": "true", "data-evolution.enabled": "true", **options}
    catalog.create_table(name, Schema.from_pyarrow_schema(pa.schema(columns), partition, options=options), False)
    return catalog.get_table(name)


def update(table, rows, columns):
    kinds = {"_ROW_ID": pa.int64(), **dict(columns)}
    builder = table.new_batch_write_builder()
    change = builder.new_update().with_update_type([name for name in rows if name != "_ROW_ID"])
    table = pa.table({name: pa.array(values, kinds[name]) for name, values in rows.items()})
    builder.new_commit().commit(change.update_by_arrow_with_row_id(table))


def delete(table, row_ids):
    builder = table.new_batch_write_builder()
    builder.new_commit().commit(builder.new_update().delete_by_row_id(row_ids))


def tracking(table):
    """The rows with `_ROW_ID` and `_SEQUENCE_NUMBER`, of each snapshot."""
    reads = []
    for snapshot in range(1, table.snapshot_manager().get_latest_snapshot().id + 1):
        options = {"scan.snapshot-id": str(snapshot)}
        builder = table.copy(options).new_read_builder()
        names = [field.name for field in builder.read_type()]
        builder = builder.with_projection([*names, "_ROW_ID", "_SEQUENCE_NUMBER"])
        rows = render_table(builder.new_read().to_arrow(builder.new_scan().plan().splits()))
        reads.append({"options": options, "row_tracking": True, "rows": [json.loads(row) for row in rows]})
    return reads


def upserted_by_rust(catalog, warehouse, options):
    """The same tables, written and read by pypaimon-rust."""

    def write(_, data):
        builder = rust.PaimonCatalog({"warehouse": warehouse}).get_table("golden.t").new_batch_write_builder()
        writer = builder.new_write()
        for batch in data.to_batches():
            writer.write_arrow(batch)
        builder.new_commit().commit(writer.prepare_commit())

    upserted(catalog, "t", options, write)
    return selected_by_rust(warehouse)


def written_by_rust(catalog, warehouse, file_format):
    """Partitions and buckets of values of each type, some of them overwritten; pypaimon creates the table."""
    kept = [("k", pa.int64(), 0), *columns(), ("p", pa.string(), "a/b=c %é")]
    if file_format == "avro":  # it does not read back what it writes of ROW
        kept = [column for column in kept if column[0] != "row"]
    if file_format == "orc":
        kept = [column for column in kept if column[0] in RUST_ORC]
    options = {"file.format": file_format, "bucket": "2", "bucket-key": "k"}
    if file_format == "orc":
        options["file.compression"] = "none"
    schema = pa.schema([(column, kind) for column, kind, _ in kept])
    catalog.create_table("golden.t", Schema.from_pyarrow_schema(schema, partition_keys=["p"], options=options), False)
    table = rust.PaimonCatalog({"warehouse": warehouse}).get_table("golden.t")
    for commit, overwrite in enumerate([False, False, True]):
        rows = {column: pa.array([value, None, value, None], kind) for column, kind, value in kept}
        rows["k"] = pa.array(range(commit * 10, commit * 10 + 4))
        rows["p"] = pa.array(["a/b=c %é", "x", None, "x"] if not overwrite else ["x"] * 4)
        builder = table.new_batch_write_builder()
        if overwrite:
            builder = builder.with_overwrite()
        write = builder.new_write()
        for batch in pa.table(rows, schema=schema).to_batches():
            write.write_arrow(batch)
        builder.new_commit().commit(write.prepare_commit())
    return selected_by_rust(warehouse)


def selected_by_rust(warehouse):
    context = rust.SQLContext()
    context.register_catalog("p", {"warehouse": warehouse}, default_database="golden")
    context.set_current_catalog("p")
    context.set_current_database("golden")
    return render_table(pa.Table.from_batches(context.sql("select * from t")))


def main():
    chosen = sys.argv[1:]
    for make in (orders, types, avro, deduplicate, partial_update, sequence, blobs, rolled_blobs):
        name = f"pypaimon-{VERSION}-{make.__name__.replace('_', '-')}"
        if not chosen or name in chosen:
            with tempfile.TemporaryDirectory() as warehouse:
                table = make(new_catalog(warehouse))
                builder = table.new_read_builder()
                rows = render_table(builder.new_read().to_arrow(builder.new_scan().plan().splits()))
                folder = pathlib.Path(warehouse) / "golden.db" / make.__name__
                reads = tracking(table) if make in (blobs, rolled_blobs) else []
                write_case(name, f"Apache pypaimon {VERSION}", folder, rows, reads)
    for file_format in ("parquet", "avro", "orc"):
        name = f"pypaimon-rust-{RUST_VERSION}-{file_format}"
        if not chosen or name in chosen:
            with tempfile.TemporaryDirectory() as warehouse:
                rows = written_by_rust(new_catalog(warehouse), warehouse, file_format)
                write_case(name, f"pypaimon-rust {RUST_VERSION}", pathlib.Path(warehouse) / "golden.db" / "t", rows)

    for name, options in RUST_KEYED.items():
        name = f"pypaimon-rust-{RUST_VERSION}-{name}"
        if not chosen or name in chosen:
            with tempfile.TemporaryDirectory() as warehouse:
                rows = upserted_by_rust(new_catalog(warehouse), warehouse, options)
                write_case(name, f"pypaimon-rust {RUST_VERSION}", pathlib.Path(warehouse) / "golden.db" / "t", rows)


def new_catalog(warehouse):
    catalog = CatalogFactory.create({"warehouse": warehouse})
    catalog.create_database("golden", True)
    return catalog


if __name__ == "__main__":
    main()
