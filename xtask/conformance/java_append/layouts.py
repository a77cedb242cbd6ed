"""Append tables in partitions and buckets, with deletions, overwrites, compactions and changed schemas."""

from java_values import ATOMS, at, between, f32, f64, key_reads

from java_append.rows import INCREMENTS, typed_rows_of

HOSTILE = ["a", "b/1", "c=d", "é", " ", "%41", "x y", "..", "a:b", "q?r#s", '"', "日本", "[z]{}", "\\", "'"]


def partitions(table):
    """Partition values that are hard on paths, of two columns."""
    table.create({"k": "BIGINT", "v": "INT", "p": "STRING", "d": "DATE"}, ["p", "d"])
    table.write(*([k, k * 2, value, 19_782 + k % 2] for k, value in enumerate(HOSTILE)))
    table.write([100, None, None, 0], [101, 1, "a", None], [102, 1, None, None], [103, 1, "a", -1])
    asked = [["=", "p", value] for value in HOSTILE] + [["is null", "p"], ["is null", "d"], ["<", "d", 0]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def partition_types(table):
    """A partition column of each type that makes a path."""
    kinds = {
        "BOOLEAN": [True, False],
        "TINYINT": [-128, 5],
        "BIGINT": [-(2**63), 7],
        "DECIMAL(9, 2)": ["-0.01", "12.50"],
        "CHAR(3)": ["abc", "x  "],
        "DATE": [-1, 19_782],
        "TIME(3)": [1, 43_200_123],
        "TIMESTAMP(3)": [0, 1_709_209_445_120_000],
        "TIMESTAMP(6)": [-1_000_000_001, 1_709_209_445_123_456],
    }
    names = [f"p{index}" for index in range(len(kinds))]
    table.create({"k": "BIGINT", **dict(zip(names, kinds))}, names)
    table.write(*([k, *(values[k % 2] for values in kinds.values())] for k in range(2)))
    table.write([2, *(None for _ in names)])
    asked = [["=", name, values[1]] for name, values in zip(names, kinds.values())]
    return key_reads(table, [{"filter": filter} for filter in asked])


def buckets(table):
    """Fixed buckets by keys of several types, and filters that name one bucket."""
    columns = {"k": "BIGINT", "s": "STRING", "d": "DECIMAL(38, 10)", "t": "TIMESTAMP(6)"}
    table.create(columns, options={"bucket": 5, "bucket-key": "s,d,t"})
    kinds = [ATOMS["STRING"], ATOMS["DECIMAL(38, 10)"], ATOMS["TIMESTAMP(6)"]]
    table.write(*typed_rows_of(kinds, 0, 60))
    key = ["and", ["=", "s", "a"], ["=", "d", "1.0000000001"], ["=", "t", 0]]
    asked = [key, ["=", "s", "é"], ["and", ["is null", "s"], ["is null", "d"]]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def deleted_with(table, options):
    """Deletion vectors: of some rows, of more rows of the same file, of all rows of a file, in two partitions."""
    table.create(
        {"k": "BIGINT", "v": "STRING", "p": "INT"},
        ["p"],
        options={"deletion-vectors.enabled": "true", **options},
    )
    table.write(*([k, f"v{k}", k % 2] for k in range(30)))
    table.write(*([k, f"v{k}", 0] for k in range(30, 35)))
    table.ask("delete", filter=["in", "k", 0, 1, 2, 3, 28])
    table.ask("tag", name="once")
    table.ask("delete", filter=[">=", "k", 29])
    table.ask("tag", name="twice")
    table.write(*([k, f"v{k}", 1] for k in range(40, 43)))
    table.ask("delete", filter=["or", ["=", "k", 10], ["=", "k", 41]])
    reads = [at(tag="once"), at(snapshot=2), at(snapshot=4), {"filter": ["<", "k", 12]}, {"filter": ["=", "p", 1]}]
    reads += [between(0, 2), between(1, 4), between(2, 6), between("once", "twice"), between(5, 6)]
    return key_reads(table, reads)


def deleted(table):
    return deleted_with(table, {})


def deleted_bitmap64(table):
    return deleted_with(table, {"deletion-vectors.bitmap64": "true"})


def deleted_buckets(table):
    return deleted_with(table, {"bucket": 2, "bucket-key": "k", "file.format": "orc"})


def deleted_avro(table):
    return deleted_with(table, {"file.format": "avro"})


def merged_manifests(table):
    """So many commits that manifests were merged, adds and deletes folded."""
    table.create(
        {"k": "BIGINT", "p": "STRING"},
        ["p"],
        options={"manifest.merge-min-count": 3, "manifest.full-compaction-threshold-size": "1 b"},
    )
    for commit in range(12):
        table.write([commit, "abc"[commit % 3]], [commit + 100, "a"], overwrite=commit == 7)
    return key_reads(table, [at(snapshot=snapshot) for snapshot in (1, 5, 7, 8, 12)] + INCREMENTS)


def overwrites(table):
    """Overwriting what the rows touch, one partition by name, and that of NULL."""
    table.create({"k": "BIGINT", "v": "INT", "p": "STRING"}, ["p"])
    table.write([0, 0, "a"], [1, 1, "b"], [2, 2, None])
    table.write([3, 3, "a"], overwrite=True)
    table.write([4, 4, "b"], [5, 5, "b"], overwrite={"p": "b"})
    table.write([6, 6, "c"])
    table.write([7, 7, None], overwrite=True)
    return key_reads(table, [at(snapshot=snapshot) for snapshot in range(1, 6)] + INCREMENTS)


def compacted(table):
    """Small files rewritten into one, deleted rows dropped for good."""
    options = {"deletion-vectors.enabled": "true", "compaction.min.file-num": 2}
    table.create({"k": "BIGINT", "v": "STRING"}, options=options)
    for k in range(6):
        table.write([k, f"v{k}"], [k + 10, None])
    table.ask("delete", filter=["in", "k", 2, 13])
    table.ask("compact")
    table.write([20, "after"])
    return key_reads(table, [at(snapshot=snapshot) for snapshot in (6, 7, 8, 9)] + INCREMENTS)


def evolved(table, file_format):
    """Columns added, renamed, dropped, added again under the same name, and widened in every way that Java allows."""
    widened = {
        "w0": ("TINYINT", "BIGINT", [1, -128], 2**40),
        "w1": ("SMALLINT", "INT", [1, -32768], 2**31 - 1),
        "w2": ("INT", "BIGINT", [1, -(2**31)], 2**62),
        "w3": ("FLOAT", "DOUBLE", [f32(0.5), f32(-1.25)], f64(0.1)),
        "w4": ("INT", "DOUBLE", [1, -7], f64(0.1)),
        "w5": ("DECIMAL(9, 2)", "DECIMAL(18, 4)", ["1.25", "-9.99"], "1.2345"),
        "w6": ("CHAR(3)", "STRING", ["abc", "xyz"], "longer"),
        "w7": ("TIMESTAMP(3)", "TIMESTAMP(6)", [1000, -1000], 1_709_209_445_123_456),
        "w8": ("INT", "STRING", [1, -7], "text"),
        "w9": ("DATE", "TIMESTAMP(3)", [0, 19_782], 1000),
    }
    columns = {
        "k": "BIGINT",
        "old": "STRING",
        "gone": "INT",
        "r": {"type": "ROW", "fields": [{"id": 0, "name": "x", "type": "INT"}]},
    }
    columns |= {name: change[0] for name, change in widened.items()}
    table.create(columns, options={"file.format": file_format})
    table.write(*([k, f"s{k}", k, [k], *(change[2][k] for change in widened.values())] for k in range(2)))
    table.alter({"change": "rename", "name": "old", "to": "new"}, {"change": "drop", "name": "gone"})
    table.alter({"change": "add", "name": "gone", "type": "STRING"}, {"change": "add", "name": "added", "type": "INT"})
    table.alter(*({"change": "widen", "name": name, "type": change[1]} for name, change in widened.items()))
    table.write([2, "n", [9], *(change[3] for change in widened.values()), "g", 5])
    asked = [["=", "new", "s1"], ["is null", "gone"], ["is null", "added"], ["=", "w0", 1], ["=", "w5", "1.2500"]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def evolved_parquet(table):
    return evolved(table, "parquet")


def evolved_orc(table):
    return evolved(table, "orc")


def evolved_avro(table):
    return evolved(table, "avro")


TABLES = (
    *(partitions, partition_types, buckets, deleted, deleted_bitmap64, deleted_buckets, deleted_avro),
    *(merged_manifests, overwrites, compacted, evolved_parquet, evolved_orc, evolved_avro),
)
