"""Writes the golden tables that come from Java Paimon, with the rows that Java reads back.

Run by hand, with a JDK and Maven; the result is committed:

    mvn -q -B -f xtask/conformance/java package
    python xtask/conformance/write_java_golden.py target/java-driver/driver.jar [name...]
"""

import datetime
import pathlib
import random
import sys
import tempfile

import java_keyed
import java_tracking
from golden import write_case
from java_driver import Driver, Table
from java_values import (
    ATOMS,
    BINARY,
    DECIMAL,
    NANOS,
    NESTED,
    WIDE_DECIMAL,
    at,
    between,
    column,
    f32,
    f64,
    key_reads,
)


def filters(name: str, values: list, ordered=True) -> list[list]:
    """Filters that ask of a column what an index or a statistic may know."""
    low, middle, high = values[0], values[len(values) // 2], values[-1]
    order = [["<", name, middle], [">=", name, middle], ["<=", name, low], [">", name, high]]
    order.append(["between", name, low, middle])
    return [
        *(["=", name, value] for value in values),
        ["in", name, low, high],
        ["not in", name, low, middle],
        ["<>", name, middle],
        *(order if ordered else []),
        ["is null", name],
        ["is not null", name],
        ["and", ["is not null", name], ["=", "k", 7]],
        ["or", ["=", name, high], ["=", name, low]],
    ]


def typed_rows(kinds: dict[str, list], count: int, seed: int) -> list[list]:
    """Rows of `k` and one value of each type, one in ten NULL."""
    source = random.Random(seed)
    return [
        [k, *(None if source.random() < 0.1 else source.choice(values) for values in kinds.values())]
        for k in range(count)
    ]


def indexed(table: Table, index: str, kinds: dict[str, list], settings=()) -> list[dict]:
    """A column of each type that an index takes, all of them indexed with `settings`."""
    names = [column(kind) for kind in kinds]
    options = {f"file-index.{index}.columns": ",".join(names)}
    options |= {f"file-index.{index}.{name}.{key}": value for name in names for key, value in settings}
    table.create({"k": "BIGINT", **dict(zip(names, kinds))}, options=options)
    table.write(*typed_rows(kinds, 120, 1))
    reads = []
    for kind, values in kinds.items():
        if kind in ("FLOAT", "DOUBLE"):  # neither NaN nor -0.0: readers differ in what those equal
            values = [values[0], values[1], values[4], values[5]]
        ordered = kind not in BINARY  # Java 1.4 compares bytes as if they had a sign
        reads += [{"filter": filter} for filter in filters(column(kind), values, ordered)]
    return key_reads(table, reads)


def kinds_without(*refused: set[str]) -> dict[str, list]:
    """The types that an index takes, with their values."""
    return {kind: values for kind, values in ATOMS.items() if not any(kind in kinds for kinds in refused)}


def index_bloom(table):
    return indexed(table, "bloom-filter", kinds_without({"BOOLEAN"}, DECIMAL), [("items", 50)])


def index_bitmap_v1(table):
    return indexed(table, "bitmap", kinds_without(DECIMAL, BINARY, NANOS), [("version", 1)])


def index_bitmap_v2(table):
    return indexed(table, "bitmap", kinds_without(DECIMAL, BINARY, NANOS), [("version", 2)])


def index_bsi(table):
    texts = {"BOOLEAN", "FLOAT", "DOUBLE", "CHAR(5)", "VARCHAR(20)", "STRING"}
    kinds = kinds_without(texts, BINARY, WIDE_DECIMAL, NANOS)
    kinds["BIGINT"] = kinds["BIGINT"][1:]  # it has no place for the lowest one
    return indexed(table, "bsi", kinds)


def index_range(table):
    return indexed(table, "range-bitmap", kinds_without(BINARY, WIDE_DECIMAL, NANOS))


def index_embedded(table):
    """Indexes small enough for the manifest, of several files, where statistics alone cannot leave a file out."""
    table.create(
        {"k": "BIGINT", "s": "STRING", "i": "INT"},
        options={
            "file-index.bloom-filter.columns": "s",
            "file-index.bloom-filter.s.items": 10,
            "file-index.bitmap.columns": "i",
        },
    )
    table.write([0, "a", 1], [1, "m", None], [2, "z", 9])
    table.write([3, "a", 1], [4, "n", 5], [5, "z", 9])
    table.write([6, "a", 2], [7, None, 5], [8, "z", 9])
    asked = [["=", "s", "m"], ["=", "s", "n"], ["in", "s", "m", "zz"], ["=", "i", 5], ["=", "i", 2], ["=", "i", 3]]
    asked += [["is null", "i"], ["not in", "i", 1, 9], ["and", ["=", "s", "a"], ["=", "i", 2]]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def index_blocks(table):
    """Dictionaries of many blocks and chunks."""
    table.create(
        {"k": "BIGINT", "s": "STRING", "i": "BIGINT"},
        options={
            "file-index.bitmap.columns": "s,i",
            "file-index.bitmap.s.index-block-size": "128b",
            "file-index.bitmap.i.index-block-size": "128b",
            "file-index.range-bitmap.columns": "s,i",
            "file-index.range-bitmap.s.chunk-size": "64b",
            "file-index.range-bitmap.i.chunk-size": "64b",
        },
    )
    source = random.Random(2)
    numbers = [source.randrange(-(2**62), 2**62) for _ in range(1000)]
    table.write(*([k, f"{number % 100_000:05}-{'x' * (k % 7)}{k}", number] for k, number in enumerate(numbers)))
    texts = [f"{number % 100_000:05}-{'x' * (k % 7)}{k}" for k, number in enumerate(numbers)]
    asked = [["=", "i", number] for number in numbers[::97]] + [["=", "s", text] for text in texts[::97]]
    asked += [["=", "i", 0], ["=", "s", ""], ["=", "s", "99999-xxxxxxxx"], ["in", "i", *numbers[3:30:5], 1]]
    asked += [["between", "i", -(2**56), 2**56], ["between", "s", "20000", "21000"], ["<", "s", "01000"]]
    asked += [[">", "i", 2**62 - 2**55], ["starts with", "s", "123"], ["is null", "s"]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def index_extremes(table):
    """Columns of one value, of NULLs, of one NULL and of one value among NULLs, under every index."""
    names = ["same", "none", "one_null", "one_value"]
    table.create(
        {"k": "BIGINT", **{name: "INT" for name in names}},
        options={
            **{
                f"file-index.{index}.columns": ",".join(names)
                for index in ("bitmap", "bsi", "range-bitmap", "bloom-filter")
            },
            **{f"file-index.bloom-filter.{name}.items": 40 for name in names},
        },
    )
    table.write(*([k, 7, None, None if k == 11 else k, k if k == 13 else None] for k in range(40)))
    asked = [filter for name in names for filter in filters(name, [7, 11, 13])]
    asked.remove(["is null", "none"])  # Java 1.4 finds the first and the last row only, through its range-bitmap
    return key_reads(table, [{"filter": filter} for filter in asked])


def index_evolved(table):
    """Indexed columns renamed and widened between two files."""
    columns = {"k": "BIGINT", "a": "INT", "t": "TIMESTAMP(3)", "s": "STRING"}
    options = {"file-index.bitmap.columns": "a,t,s", "file-index.bloom-filter.columns": "a,s"}
    options |= {"file-index.bloom-filter.a.items": 60, "file-index.bloom-filter.s.items": 60}
    table.create(columns, options=options)
    table.write(*([k, k % 5, k % 4 * 1000, f"s{k % 3}"] for k in range(60)))
    table.alter({"change": "rename", "name": "s", "to": "text"})
    table.alter({"change": "widen", "name": "a", "type": "BIGINT"}, {"change": "add", "name": "n", "type": "INT"})
    table.alter({"change": "widen", "name": "t", "type": "TIMESTAMP(6)"})
    table.alter({"change": "set", "name": "file-index.bitmap.columns", "value": "a,t,text,n"})
    table.alter(
        {"change": "remove", "name": "file-index.bloom-filter.s.items"},
        {"change": "set", "name": "file-index.bloom-filter.columns", "value": "a,text"},
        {"change": "set", "name": "file-index.bloom-filter.text.items", "value": "60"},
    )
    table.write(*([k, k % 5, k % 4 * 1000 + k % 2, f"s{k % 3}", k % 2] for k in range(60, 120)))
    asked = filters("a", [0, 3, 4]) + filters("t", [0, 1001, 3000]) + filters("text", ["s0", "s1", "s2"])
    asked += [*filters("n", [0, 1]), ["=", "a", 2**40], ["=", "text", "s"]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def index_deleted(table):
    """A bitmap index over rows of which some are deleted."""
    table.create(
        {"k": "BIGINT", "s": "STRING"},
        options={"file-index.bitmap.columns": "s", "deletion-vectors.enabled": "true"},
    )
    table.write(*([k, "abcde"[k % 5]] for k in range(50)))
    table.ask("delete", filter=["or", ["between", "k", 10, 19], ["=", "s", "c"]])
    table.write(*([k, "abcde"[k % 5]] for k in range(50, 60)))
    asked = [*filters("s", ["a", "b", "c"]), ["=", "s", "x"], ["and", ["=", "s", "a"], ["<", "k", 30]]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def index_buckets(table):
    """Indexes in a table of fixed buckets and partitions."""
    table.create(
        {"k": "BIGINT", "s": "STRING", "p": "STRING"},
        ["p"],
        options={
            "bucket": 2,
            "bucket-key": "k",
            "file-index.bloom-filter.columns": "s",
            "file-index.bloom-filter.s.items": 20,
            "file-index.bitmap.columns": "s",
        },
    )
    table.write(*([k, f"s{k * 7 % 20}", "ab"[k % 2]] for k in range(40)))
    table.write(*([k, f"s{k * 3 % 10}", "bc"[k % 2]] for k in range(40, 60)))
    asked = [*filters("s", ["s0", "s15", "s6"]), ["and", ["=", "s", "s3"], ["=", "p", "b"]], ["=", "s", "none"]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def index_map_keys(table):
    """An index on the values of one key of a map."""
    kind = {"type": "MAP", "key": "STRING NOT NULL", "value": "STRING"}
    table.create(
        {"k": "BIGINT", "m": kind, "s": "STRING"},
        options={
            "file-index.bloom-filter.columns": "m[x],s",
            "file-index.bloom-filter.m.items": 30,
            "file-index.bloom-filter.s.items": 30,
        },
    )
    table.write(*([k, [["x", f"v{k}"], ["y", "w"]] if k % 3 else [], f"s{k}"] for k in range(30)))
    return key_reads(table, [{"filter": ["=", "s", "s5"]}, {"filter": ["=", "s", "v5"]}])


def all_types(table, file_format, without=()):
    """Every type that a file format takes, with NULLs, nested ones and the ends of what the types hold."""
    kinds = {kind: values for kind, values in ATOMS.items() if kind not in without}
    nested = {name: pair for name, pair in NESTED.items() if name not in without}
    columns = {"k": "BIGINT", **{column(kind): kind for kind in kinds}}
    columns |= {name: kind for name, (kind, _) in nested.items()}
    table.create(columns, options={"file.format": file_format})
    values = [*kinds.values(), *(values for _, values in nested.values())]
    depth = max(len(values) for values in values)
    table.write(*([k, *(values[k % len(values)] for values in values)] for k in range(depth)))
    table.write([depth, *(None for _ in values)], *typed_rows_of(values, depth + 1, 30))
    return key_reads(table, [{"filter": ["is null", name]} for name in list(columns)[1:]])


def typed_rows_of(values, first, count):
    rows = typed_rows(dict(enumerate(values)), count, 3)
    return [[first + k, *rest] for k, *rest in rows]


def types_parquet(table):
    return all_types(table, "parquet")


def types_avro(table):
    nanos = [kind for kind in ATOMS if kind.startswith("TIMESTAMP(9)")]
    return all_types(table, "avro", nanos)


def types_orc(table):
    return all_types(table, "orc")


def orc_codecs(table):
    """Each compression; integers in long runs, short runs and none, dictionaries, several stripes and row groups."""
    table.create(
        {"k": "BIGINT", "run": "INT", "step": "BIGINT", "wild": "BIGINT", "few": "STRING", "many": "STRING"},
        options={"file.format": "orc", "orc.row.index.stride": 1000},
    )
    source = random.Random(4)
    settings = [{"file.compression": codec} for codec in ("none", "zlib", "snappy", "lz4", "zstd")]
    settings.append({"orc.stripe.size": 4096, "orc.compress.size": 1024, "orc.dictionary.key.threshold": 0})
    for commit, options in enumerate(settings):
        rows = [
            [
                commit * 2000 + k,
                k // 100,
                None if k % 10 == 3 else k * 3,
                source.randrange(-(2**40), 2**40),
                ["a", "b", None][k % 3],
                f"{source.getrandbits(20):x}",
            ]
            for k in range(1050)
        ]
        table.ask("write", rows=rows, options={key: str(value) for key, value in options.items()})
    return key_reads(table, [{"filter": ["between", "run", 3, 4]}, {"filter": ["=", "k", 6049]}])


# Year, month, day, hour, minute, second, microseconds: the ends, turns of the calendar and of summer time, and the
# last second before 1970.
TIMES = [
    *((1, 1, 2), (1500, 2, 28), (1581, 12, 31), (1582, 10, 15), (1583, 1, 1), (1899, 12, 31, 23, 59, 59, 999999)),
    *((1901, 12, 14), (1945, 5, 24, 2, 30), (1969, 12, 31, 23, 59, 58, 500000), (1969, 12, 31, 23, 59, 59, 500000)),
    *((1970, 1, 1), (1970, 1, 1, 0, 0, 0, 1), (1986, 5, 4, 2, 30), (1991, 9, 15, 1, 30), (2015, 1, 1)),
    *(
        (2024, 3, 31, 2, 30),
        (2024, 10, 27, 2, 30, 0, 123456),
        (2100, 7, 1, 12),
        (2262, 4, 11),
        (9999, 12, 30, 23, 59, 59, 999000),
    ),
]


def orc_times(table, **options):
    """Times of all years, with and without time zone, as the writer's time zone and calendar move them."""
    kinds = [f"TIMESTAMP({precision}){zone}" for zone in ("", " WITH LOCAL TIME ZONE") for precision in (0, 3, 6, 9)]
    names = [column(kind.replace(" WITH LOCAL TIME ZONE", "_ltz")) for kind in kinds]
    table.create({"k": "BIGINT", **dict(zip(names, kinds)), "d": "DATE"}, options={"file.format": "orc", **options})
    epoch = datetime.datetime(1970, 1, 1)
    rows = []
    for k, parts in enumerate(TIMES):
        time = datetime.datetime(*parts)
        micros = (time - epoch) // datetime.timedelta(microseconds=1)
        units = [micros - micros % unit for unit in (1_000_000, 1000, 1)]
        units.append(micros if 1678 <= time.year < 2262 else None)  # what nanoseconds in 64 bits hold
        rows.append([k, *units, *units, (time.date() - epoch.date()).days])
    table.write(*rows, [len(rows), *(None for _ in kinds), None])
    asked = [["=", "d", rows[9][-1]], ["<", names[2], 0], [">=", names[6], rows[10][7]]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def orc_times_utc(table):
    return orc_times(table)


def orc_times_instants(table):
    return orc_times(table, **{"orc.timestamp-ltz.legacy.type": "false"})


def orc_times_berlin(table):
    return orc_times(table)


def orc_times_shanghai(table):
    return orc_times(table)


ZONES = {orc_times_berlin: "Europe/Berlin", orc_times_shanghai: "Asia/Shanghai"}


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


INCREMENTS = [
    *(between(first, last) for first, last in [(0, 1), (0, 5), (1, 2), (2, 5), (4, 5)]),
    *(between(first, last, **{"incremental-between-scan-mode": "diff"}) for first, last in [(1, 2), (1, 5), (3, 4)]),
    {**between(0, 5), "filter": [">=", "k", 3]},
]


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


def branches(table):
    """Tags, branches that went their own way with a schema of their own, a rollback and a fast-forward."""
    table.create({"k": "BIGINT", "v": "STRING"})
    table.write([0, "a"], [1, "b"])
    table.ask("tag", name="first")
    table.write([2, "c"])
    table.ask("tag", name="second", snapshot=2)
    table.ask("branch", name="dev", tag="first")
    table.ask("branch", name="empty")
    dev = table.on_branch("dev")
    dev.write([10, "dev"])
    dev.alter({"change": "add", "name": "w", "type": "INT"})
    dev.write([11, "dev", 5])
    table.write([3, "d"], overwrite=True)
    table.write([4, "e"])
    table.ask("rollback", snapshot=3)
    table.write([5, "f"])
    table.on_branch("empty").write([20, "alone"])
    reads = [at(tag="first"), at(tag="second"), {"branch": "dev"}, {"branch": "empty"}, at(snapshot=1)]
    reads += [{"branch": "dev", "filter": [">", "k", 0]}, {"branch": "dev", **between(1, 3)}]
    reads += [at(snapshot=4), between(0, 4), between(1, 2), between("first", "second")]
    return key_reads(table, reads)


def fast_forwarded(table):
    """A branch that became the table."""
    table.create({"k": "BIGINT", "v": "STRING"})
    table.write([0, "a"])
    table.ask("tag", name="base")
    table.ask("branch", name="dev", tag="base")
    table.write([1, "lost"])
    dev = table.on_branch("dev")
    dev.write([10, "dev"])
    dev.write([11, "dev"])
    table.ask("fast_forward", name="dev")
    table.write([2, "after"])
    return key_reads(table, [at(tag="base"), {"branch": "dev"}, at(snapshot=2)])


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


TABLES = [
    *(index_bloom, index_bitmap_v1, index_bitmap_v2, index_bsi, index_range, index_embedded, index_blocks),
    *(index_extremes, index_evolved, index_deleted, index_buckets, index_map_keys),
    *(types_parquet, types_avro, types_orc, orc_codecs),
    *(orc_times_utc, orc_times_instants, orc_times_berlin, orc_times_shanghai),
    *(partitions, partition_types, buckets, deleted, deleted_bitmap64, deleted_buckets, deleted_avro),
    *(branches, fast_forwarded, merged_manifests, overwrites, compacted, evolved_parquet, evolved_orc, evolved_avro),
]


def main():
    jar, *chosen = sys.argv[1:]
    drivers = {}
    named = [(make.__name__, make) for make in TABLES]
    named += [(f"keyed_{make.__name__}", make) for make in java_keyed.TABLES]
    named += [(f"tracked_{make.__name__}", make) for make in java_tracking.TABLES]
    for name, make in named:
        name = name.replace("_", "-")
        if chosen and name not in chosen:
            continue
        zone = ZONES.get(make, "UTC")
        if zone not in drivers:
            drivers[zone] = Driver(pathlib.Path(jar), zone)
        driver = drivers[zone]
        version = driver.ask("version")["version"]
        with tempfile.TemporaryDirectory() as warehouse:
            table = Table(driver, pathlib.Path(warehouse), "golden.t")
            reads = make(table)
            writer = f"Apache Paimon for Java {version}" + ("" if zone == "UTC" else f" in {zone}")
            rows = table.rows()
            if make in java_keyed.TWINS:
                rows = java_keyed.twin(table).rows()
                writer += ", which reads a twin without deletion vectors"
            about = {"unordered": java_keyed.UNORDERED.get(make), "unsupported": java_keyed.UNSUPPORTED.get(make)}
            write_case(f"java-{version}-{name}", writer, table.folder, rows, reads, table.commits, **about)
    for driver in drivers.values():
        driver.close()


if __name__ == "__main__":
    main()
