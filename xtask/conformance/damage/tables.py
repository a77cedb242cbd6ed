"""The tables that are damaged: of ours in each format, and the golden ones of other writers."""

import dataclasses
import datetime
import decimal
import hashlib
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
    with builder.new_write() as write, builder.new_commit() as commit:
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
KEYED_COLUMNS = [("id", pa.int64()), ("name", pa.string()), ("version", pa.int64()), ("place", pa.string())]


def versions(number: int) -> pa.Table:
    """The rows of one commit to a table with keys: some new ones, and some of the commits before, in another place.

    Each commit is smaller than the one before, and hardly compressible, so that compactions leave files beneath. The
    one after the last has keys of the first again.
    """
    ids = [*range(number * 16, number * 16 + 60 - number * 10)]
    if number == KEYED_COMMITS:
        ids += range(16)
    names = [f"row {id} of {number}: {hashlib.sha256(b'%d of %d' % (id, number)).hexdigest()}" for id in ids]
    places = ["abc"[(id + number) % 3] for id in ids]
    fields = [pa.field(name, kind, nullable=name not in ("id", "place")) for name, kind in KEYED_COLUMNS]
    return pa.table([pa.array(ids, pa.int64()), names, pa.array([number] * len(ids)), places], pa.schema(fields))


@dataclasses.dataclass(frozen=True)
class Changed:
    """A table with keys, which is written to and compacted as well.

    It has files of several levels, which a compaction merges, and of which the last commits wrote the newest.
    """

    options: dict[str, str]
    partition: tuple[str, ...] = ()

    def make(self, warehouse: pathlib.Path) -> None:
        catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
        catalog.create_database("damage", True)
        schema = pypaimon.Schema.from_pyarrow_schema(
            versions(0).schema, primary_keys=["id"], partition_keys=[*self.partition], options=self.options
        )
        catalog.create_table(TABLE, schema, False)
        table = catalog.get_table(TABLE)
        for number in range(KEYED_COMMITS):
            append(table, versions(number))
            if number == 2:
                table.compact(full=True)


#: Tables with blobs in arrays and maps.
NESTED_BLOBS = {"blobs-nested", "pypaimon-2.1.0-blobs"}

DELETIONS = {"deletion-vectors.enabled": "true", "metadata.stats-mode": "full"}
BLOBS = [("id", pa.int64()), ("name", pa.string()), ("image", pa.large_binary()), ("sound", pa.large_binary())]
IN_ARRAYS = [("pages", pa.list_(pa.large_binary())), ("parts", pa.map_(pa.string(), pa.large_binary()))]

VECTORS = {"deletion-vectors.enabled": "true", "num-sorted-run.compaction-trigger": "9"}
HASHED = {"bucket": "-1", "dynamic-bucket.target-row-num": "50"}
WAITING = {"bucket": "-2", "postpone.batch-write-fixed-bucket": "false", "postpone.default-bucket-num": "2"}
LEFT_ALONE = {"write-only": "true"}

CHANGED = {
    "keyed": Changed({"bucket": "2", **LEFT_ALONE}),
    "keyed-changelog": Changed({"bucket": "1", "changelog-producer": "lookup"}),
    "keyed-deletions": Changed({"bucket": "1", **VECTORS}),
    "dynamic": Changed({**HASHED, **LEFT_ALONE}),
    "dynamic-deletions": Changed({**HASHED, **VECTORS, "deletion-vectors.bitmap64": "true"}),
    "across": Changed({**HASHED, **LEFT_ALONE}, partition=("place",)),
    "postponed": Changed({**WAITING, **LEFT_ALONE}),
}

OURS = {
    **{name: table.make for name, table in CHANGED.items()},
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
