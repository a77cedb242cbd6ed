"""Writes the golden tables that come from pypaimon, with the rows that pypaimon reads back.

Run by hand, in an environment that holds pypaimon 2.1.0; the result is committed:

    python xtask/conformance/write_golden.py
"""

import datetime
import decimal
import importlib.metadata
import pathlib
import shutil
import tempfile

import pyarrow as pa
from pypaimon import CatalogFactory, Schema
from pypaimon.schema.data_types import AtomicType
from pypaimon.schema.schema_change import SchemaChange
from rows import render_table

CASES = pathlib.Path(__file__).parent / "cases" / "read"
WRITER = f"Apache pypaimon {importlib.metadata.version('pypaimon')}"


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


def types(catalog, name="types", file_format="parquet"):
    """One column of each type that pypaimon writes to a data file, with a NULL in each."""
    day = datetime.date(2024, 2, 29)
    time = datetime.datetime(1969, 12, 31, 23, 59, 59, 999000)
    utc = time.replace(tzinfo=datetime.timezone.utc)
    columns = [
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
    if file_format == "avro":  # pypaimon has no Avro form for maps, nor for NULL inside of arrays
        columns = [(c, kind, [1, 3] if c == "arr" else value) for c, kind, value in columns if c != "map"]
    schema = pa.schema([(column, kind) for column, kind, _ in columns])
    catalog.create_table(
        f"golden.{name}", Schema.from_pyarrow_schema(schema, options={"file.format": file_format}), False
    )
    table = catalog.get_table(f"golden.{name}")
    append(table, pa.table([pa.array([value, None], kind) for _, kind, value in columns], schema=schema))
    return table


def avro(catalog):
    return types(catalog, "avro", "avro")


def main():
    for make in (orders, types, avro):
        with tempfile.TemporaryDirectory() as warehouse:
            catalog = CatalogFactory.create({"warehouse": warehouse})
            catalog.create_database("golden", True)
            table = make(catalog)
            builder = table.new_read_builder()
            rows = render_table(builder.new_read().to_arrow(builder.new_scan().plan().splits()))
            case = CASES / f"pypaimon-2.1.0-{make.__name__}"
            shutil.rmtree(case, ignore_errors=True)
            shutil.copytree(pathlib.Path(warehouse) / "golden.db" / make.__name__, case / "table")
            (case / "expected.rows").write_text("\n".join(rows) + "\n", encoding="utf-8")
            (case / "case.toml").write_text(
                "# Written and read back by the writer named here; `expected.rows` is what it read.\n"
                f'writer = "{WRITER}"\n\n[expect]\nrows = "expected.rows"\n',
                encoding="utf-8",
            )
            print(case.name, len(rows), "rows")


if __name__ == "__main__":
    main()
