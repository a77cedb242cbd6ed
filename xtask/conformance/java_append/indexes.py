"""Append tables with file indexes of every kind and type, and filters that ask them."""

import random

from java_driver import Table
from java_values import ATOMS, BINARY, DECIMAL, NANOS, WIDE_DECIMAL, column, key_reads

from java_append.rows import typed_rows


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


TABLES = (
    *(index_bloom, index_bitmap_v1, index_bitmap_v2, index_bsi, index_range, index_embedded, index_blocks),
    *(index_extremes, index_evolved, index_deleted, index_buckets, index_map_keys),
)
