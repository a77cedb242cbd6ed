"""The tables that are damaged: of ours in each format, and the golden ones of other writers."""

import datetime
import decimal
import pathlib
import random
import shutil

import pyarrow as pa
import pypaimon

GOLDEN = pathlib.Path(__file__).parents[1] / "cases" / "read"
DATABASE = "damage.db"
TABLE = "damage.t"

NESTED = [
    ("tags", pa.list_(pa.string())),
    ("place", pa.struct([("x", pa.int32()), ("y", pa.string())])),
]
PLAIN = [
    ("id", pa.int64()),
    ("name", pa.string()),
    ("price", pa.decimal128(12, 2)),
    ("ratio", pa.float64()),
    ("day", pa.date32()),
    ("at", pa.timestamp("us")),
    ("raw", pa.binary()),
    ("flag", pa.bool_()),
]


def value(dice: random.Random, kind: pa.DataType):
    if dice.random() < 0.1:
        return None
    if pa.types.is_string(kind):
        return dice.choice(["tea", "coffee", "", "日本", "x" * dice.randrange(60)])
    if pa.types.is_decimal(kind):
        return decimal.Decimal(dice.randrange(-(10**9), 10**9)).scaleb(-2)
    if pa.types.is_floating(kind):
        return dice.uniform(-1e6, 1e6)
    if pa.types.is_date(kind):
        return datetime.date(2020, 1, 1) + datetime.timedelta(dice.randrange(2000))
    if pa.types.is_timestamp(kind):
        return datetime.datetime(2020, 1, 1) + datetime.timedelta(microseconds=dice.randrange(10**14))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return dice.randbytes(dice.randrange(20))
    if pa.types.is_boolean(kind):
        return dice.random() < 0.5
    if pa.types.is_list(kind) and pa.types.is_large_binary(kind.value_type):
        return [dice.randbytes(dice.randrange(20)) for _ in range(dice.randrange(4))]
    if pa.types.is_list(kind):
        return [dice.choice(["a", "bb", "ccc"]) for _ in range(dice.randrange(4))]
    if pa.types.is_map(kind):
        return [(key, dice.randbytes(dice.randrange(20))) for key in "abc"[: dice.randrange(4)]]
    if pa.types.is_struct(kind):
        return {"x": dice.randrange(100), "y": dice.choice(["p", "q"])}
    return dice.randrange(1000)


def rows(dice: random.Random, columns: list, first: int, count: int) -> pa.Table:
    arrays = [pa.array(range(first, first + count), pa.int64())]
    arrays += [pa.array([value(dice, kind) for _ in range(count)], kind) for _, kind in columns[1:]]
    return pa.table(arrays, schema=pa.schema(columns))


def append(table, data: pa.Table) -> None:
    builder = table.new_batch_write_builder()
    write, commit = builder.new_write(), builder.new_commit()
    write.write_arrow(data)
    commit.commit(write.prepare_commit())


def ours(warehouse: pathlib.Path, columns: list, options: dict, *, partition: list, counts: list[int]) -> None:
    """A table with a snapshot for each of `counts`, and a changed schema before the last one."""
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("damage", True)
    schema = pypaimon.Schema.from_pyarrow_schema(pa.schema(columns), partition_keys=partition, options=options)
    catalog.create_table(TABLE, schema, False)
    dice = random.Random(7)
    first = 0
    for number, count in enumerate(counts):
        if number == len(counts) - 1:
            change = pypaimon.schema.schema_change.SchemaChange.add_column(
                "later", pypaimon.schema.data_types.AtomicType("INT")
            )
            catalog.alter_table(TABLE, [change], False)
            columns = [*columns, ("later", pa.int32())]
        append(catalog.get_table(TABLE), rows(dice, columns, first, count))
        first += count


def blobs(warehouse: pathlib.Path, columns: list, options: dict) -> None:
    """Blobs in rolled files, some of them updated by row id and some rows deleted."""
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("damage", True)
    options = {"row-tracking.enabled": "true", "data-evolution.enabled": "true", **options}
    schema = pa.schema(columns)
    catalog.create_table(TABLE, pypaimon.Schema.from_pyarrow_schema(schema, options=options), False)
    table, dice = catalog.get_table(TABLE), random.Random(8)
    append(table, rows(dice, columns, 0, 60))
    for step in range(4):
        if step == 2:
            append(table, rows(dice, columns, 60, 40))
            continue
        builder = table.new_batch_write_builder()
        update = builder.new_update()
        ids = dice.sample(range(60), 6)
        changed = rows(dice, columns, 0, 6).drop_columns("id").append_column("_ROW_ID", pa.array(ids))
        names = [name for name in changed.column_names if name != "_ROW_ID"]
        changes = update.with_update_type(names).update_by_arrow_with_row_id(changed)
        builder.new_commit().commit(changes)
    builder = table.new_batch_write_builder()
    builder.new_commit().commit(builder.new_update().delete_by_row_id([3, 17, 18, 65]))


KEYED_COMMITS = 5
KEYED_SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=False), ("name", pa.string()), ("version", pa.int64())])


def versions(number: int) -> pa.Table:
    """The rows of one commit to a table with keys: some new ones, and some of the commits before."""
    ids = range(number * 20, number * 20 + 60)
    names = [f"row {id} of {number}" for id in ids]
    return pa.table([pa.array(ids, pa.int64()), names, pa.array([number] * 60, pa.int64())], schema=KEYED_SCHEMA)


def keyed(warehouse: pathlib.Path, options: dict) -> None:
    """Files of several levels, which a compaction merges, and of which the last commit wrote the newest."""
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("damage", True)
    schema = pypaimon.Schema.from_pyarrow_schema(KEYED_SCHEMA, primary_keys=["id"], options=options)
    catalog.create_table(TABLE, schema, False)
    for number in range(KEYED_COMMITS):
        append(catalog.get_table(TABLE), versions(number))


#: Tables with blobs in arrays and maps.
NESTED_BLOBS = {"blobs-nested", "pypaimon-2.1.0-blobs"}

DELETIONS = {"deletion-vectors.enabled": "true", "metadata.stats-mode": "full"}
BLOBS = [("id", pa.int64()), ("name", pa.string()), ("image", pa.large_binary()), ("sound", pa.large_binary())]
IN_ARRAYS = [("pages", pa.list_(pa.large_binary())), ("parts", pa.map_(pa.string(), pa.large_binary()))]

#: Tables with keys, which are compacted and written to again as well.
KEYED = {
    "keyed": {"bucket": "2", "write-only": "true"},
    "keyed-changelog": {"bucket": "1", "changelog-producer": "lookup"},
    "keyed-deletions": {"bucket": "1", "deletion-vectors.enabled": "true", "num-sorted-run.compaction-trigger": "9"},
    "dynamic": {"bucket": "-1", "dynamic-bucket.target-row-num": "50", "write-only": "true"},
}

OURS = {
    **{name: lambda w, options=options: keyed(w, options) for name, options in KEYED.items()},
    "blobs": lambda w: blobs(w, BLOBS, DELETIONS),
    "blobs-rolled": lambda w: blobs(w, BLOBS, {**DELETIONS, "blob.target-file-size": "200 b"}),
    "blobs-nested": lambda w: blobs(w, BLOBS[:2] + IN_ARRAYS, DELETIONS),
    "parquet": lambda w: ours(w, PLAIN + NESTED, {}, partition=[], counts=[300, 300, 100]),
    "parquet-partitioned": lambda w: ours(
        w, PLAIN, {"file.compression": "snappy"}, partition=["flag"], counts=[60, 40]
    ),
    "parquet-plain": lambda w: ours(
        w, PLAIN, {"file.compression": "none", "manifest.compression": "none"}, partition=[], counts=[500, 50]
    ),
    "avro": lambda w: ours(w, PLAIN + NESTED, {"file.format": "avro"}, partition=[], counts=[300, 100]),
    "avro-snappy": lambda w: ours(
        w,
        PLAIN,
        {"file.format": "avro", "file.compression": "snappy", "manifest.compression": "snappy"},
        partition=["flag"],
        counts=[100, 50],
    ),
    "orc": lambda w: ours(
        w, [c for c in PLAIN if c[0] != "price"], {"file.format": "orc"}, partition=[], counts=[300, 100]
    ),
}


def golden() -> dict:
    def copy(case: pathlib.Path):
        return lambda warehouse: shutil.copytree(case / "table", warehouse / DATABASE / "t")

    cases = [case for case in sorted(GOLDEN.iterdir()) if "unsupported" not in (case / "case.toml").read_text()]
    return {case.name: copy(case) for case in cases}
