"""Writes the golden tables that come from pypaimon and pypaimon-rust, with the rows that their writer reads back.

Run by hand, in an environment that holds pypaimon 2.1.0 and pypaimon-rust 0.4.0; the result is committed:

    python xtask/conformance/write_golden.py [name...]
"""

import datetime
import decimal
import importlib.metadata
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
    for make in (orders, types, avro, deduplicate, partial_update, sequence):
        name = f"pypaimon-{VERSION}-{make.__name__.replace('_', '-')}"
        if not chosen or name in chosen:
            with tempfile.TemporaryDirectory() as warehouse:
                table = make(new_catalog(warehouse))
                builder = table.new_read_builder()
                rows = render_table(builder.new_read().to_arrow(builder.new_scan().plan().splits()))
                folder = pathlib.Path(warehouse) / "golden.db" / make.__name__
                write_case(name, f"Apache pypaimon {VERSION}", folder, rows)
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
