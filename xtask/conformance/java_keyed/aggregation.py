"""Every aggregate function."""

from java_values import ATOMS, column, f32, f64

from java_keyed.tables import aggregation, keyed, states

NUMBERS = {
    "TINYINT": [3, None, 2, -1],
    "SMALLINT": [30, 3, None, -2],
    "INT": [None, 70_000, 3, -7],
    "BIGINT": [2**30, 3, -(2**31), None],
    "FLOAT": [f32(0.5), f32(-1.25), None, f32(3.0)],
    "DOUBLE": [f64(0.1), None, f64(0.2), f64(-7.7)],
    "DECIMAL(9, 2)": ["1.50", "-0.01", "2.00", None],
    "DECIMAL(18, 4)": [None, "0.0001", "-12.5000", "3.0000"],
    "DECIMAL(38, 10)": ["1.0000000001", "2.0000000000", None, "-3.5000000000"],
}


def aggregation_numbers(table):
    """Sums, products, ends of each number; sums of decimals that no longer fit."""
    fields = {
        f"{function}_{column(kind)}": (kind, function)
        for function in ("sum", "product", "max", "min")
        for kind in NUMBERS
    }
    aggregation(table, fields)

    def row(k, turn):
        return [k, *(values[(k + turn) % 4] for _ in range(4) for values in NUMBERS.values())]

    table.write(*(row(k, 0) for k in range(6)))
    table.write(*(row(k, 1) for k in range(0, 6, 2)), [10, *(None for _ in fields)])
    table.compact()
    table.write(*(row(k, 2) for k in range(0, 6, 3)), row(10, 3))
    most = [None if "DECIMAL" not in kind else ATOMS[kind][-1] for kind in NUMBERS]
    table.write([11, *most, *(None for _ in range(27))])
    table.write([11, *(value if "." in str(value) else None for value in most), *(None for _ in range(27))])
    return states(table)


def aggregation_ends(table):
    """The most and the least of each type that has an order; of floats, zeros and not-a-number too."""
    kinds = [kind for kind in ATOMS if not kind.startswith("BINARY") and kind not in ("BOOLEAN", "TIMESTAMP(9)")]
    kinds = [kind for kind in kinds if kind != "TIMESTAMP(9) WITH LOCAL TIME ZONE"]
    fields = {f"{function}_{column(kind)}": (kind, function) for function in ("max", "min") for kind in kinds}
    aggregation(table, fields, {"file.format": "orc"})
    for commit in range(4):
        rows = [[k, *([ATOMS[kind][(k * 3 + commit * 2) % len(ATOMS[kind])] for kind in kinds] * 2)] for k in range(6)]
        table.write(*(rows if commit else rows[:4]), [8, *([None] * len(fields))])
    return states(table)


def aggregation_values(table):
    """The first and the last, with and without NULLs; booleans; a function for all fields that name none."""
    functions = ["first_value", "last_value", "first_non_null_value", "last_non_null_value"]
    fields = {f"{function}_{kind.lower()}": (kind, function) for function in functions for kind in ("INT", "STRING")}
    fields |= {"both": ("BOOLEAN", "bool_and"), "any": ("BOOLEAN", "bool_or"), "other": ("INT", "max")}
    aggregation(table, fields, {"fields.default-aggregate-function": "sum"})
    table.alter({"change": "add", "name": "total", "type": "BIGINT"})

    def row(k, number, text, flag):
        return [k, *([number, text] * 4), flag, flag, number, number]

    table.write(row(0, 1, "a", True), row(1, None, None, None), row(2, 2, None, False), row(3, None, "x", True))
    table.write(row(0, None, None, False), row(1, 5, "e", None), row(2, None, "y", False), row(3, 4, None, None))
    table.compact()
    table.write(row(0, 7, "c", None), row(1, None, None, True), row(2, 9, "z", False))
    return states(table)


def aggregation_sequence(table):
    """The first and the last by a sequence field, which itself is always the last."""
    fields = {"first": ("STRING", "first_value"), "last": ("STRING", "last_value"), "texts": ("STRING", "listagg")}
    options = {f"fields.{name}.aggregate-function": function for name, (_, function) in fields.items()}
    kinds = {name: kind for name, (kind, _) in fields.items()}
    keyed(
        table, {"k": "BIGINT", "s": "INT", **kinds}, {"merge-engine": "aggregation", "sequence.field": "s", **options}
    )
    table.write([0, 5, "five", "five", "five"], [1, None, "null", "null", "null"])
    table.write([0, 3, "three", "three", "three"], [1, 1, "one", "one", "one"])
    table.write([0, 5, "five again", "five again", "five again"], [1, None, "none", None, None])
    return states(table)


def aggregation_texts(table):
    """Lists in text: delimiters, each once, empty texts. Of blank ones Java 1.4 makes an entry, later versions none."""
    listed = ("STRING", "listagg")
    fields = {
        "plain": listed,
        "semicolon": (*listed, ("list-agg-delimiter", ";")),
        "long": (*listed, ("list-agg-delimiter", "--")),
        "once": (*listed, ("distinct", "true")),
        "once_long": (*listed, ("distinct", "true"), ("list-agg-delimiter", "--")),
    }
    aggregation(table, fields)
    texts = ["a", "b", None, "", "x y", "a,b", "a--b", "é", ",", "c,,a", "b--", "日本", "a"]
    for commit in range(6):
        table.write(*([k, *([texts[(k + commit * 3) % len(texts)]] * 5)] for k in range(commit % 3, 12)))
    return states(table)


ITEM = {
    "type": "ROW",
    "fields": [
        {"id": 0, "name": "x", "type": "INT"},
        {"id": 1, "name": "y", "type": "STRING"},
        {"id": 2, "name": "z", "type": "INT"},
    ],
}
ITEMS = {"type": "ARRAY", "element": ITEM}
NUMBER_LIST = {"type": "ARRAY", "element": "INT"}
NUMBER_MAP = {"type": "MAP", "key": "STRING NOT NULL", "value": "INT"}
TIMED = {
    "type": "MAP",
    "key": "STRING NOT NULL",
    "value": {
        "type": "ROW",
        "fields": [{"id": 0, "name": "v", "type": "STRING"}, {"id": 1, "name": "t", "type": "STRING"}],
    },
}


def aggregation_collections(table):
    """Arrays and maps put together."""
    fields = {
        "all_": (NUMBER_LIST, "collect"),
        "once": (NUMBER_LIST, "collect", ("distinct", "true")),
        "map": (NUMBER_MAP, "merge_map"),
        "timed": (TIMED, "merge_map_with_keytime", ("ts-field", "t")),
    }
    aggregation(table, fields)
    lists = [[1, 2, 2], None, [], [3, None, 1], [2], [None, None]]
    maps = [[["a", 1], ["b", None]], None, [], [["a", None]], [["b", 2], ["c", 3]], [["é", 9]]]
    timed = [
        [["a", ["one", "5"]], ["b", ["two", "5"]]],
        [["a", ["old", "4"]], ["b", ["new", "6"]]],
        [["a", ["equal", "5"]], ["c", ["text", "10"]]],
        [["a", None], ["c", ["smaller text", "9"]]],
        [["b", ["no time", None]], ["d", ["x", ""]]],
        None,
    ]
    for commit in range(5):
        rows = ([(k + commit * 2) % 6, (k + commit) % 6, (k + commit * 5) % 6] for k in range(6))
        table.write(*([k, lists[a], lists[b], maps[a], timed[c]] for k, (a, b, c) in enumerate(rows)))
        if commit == 2:
            table.compact()
    return states(table)


def aggregation_nested(table):
    """Tables inside rows: appended to, by key, up to a number of rows, and field by field."""
    nested = (ITEMS, "nested_update")
    fields = {
        "appended": nested,
        "few": (*nested, ("count-limit", "3")),
        "by_key": (*nested, ("nested-key", "x")),
        "by_keys": (*nested, ("nested-key", "x,y")),
        "partly": (ITEMS, "nested_partial_update", ("nested-key", "x")),
    }
    aggregation(table, fields)
    values = [
        [[1, "a", 1], [2, "b", 5]],
        [[1, "A", 0], [3, None, None]],
        None,
        [[2, None, 9], [1, "z", 1]],
        [],
        [[3, "c", None], [1, None, 7], [3, "d", 1]],
    ]
    for commit in range(4):
        table.write(*([k, *([values[(k + commit * (1 + k % 2)) % 6]] * 5)] for k in range(6)))
    return states(table)


def sketches(table, *kinds, many=600):
    """Bytes of each kind, merged, of few numbers and of `many`."""
    aggregation(table, {kind: ("BYTES", kind) for kind in kinds})
    numbers = [[1, 2, 3], [], [3, 70_000, 2**31 - 1], list(range(0, 2 * many, 2)), [5, 12_001], [0, 65_535, 65_536]]
    made = [{kind: table.driver.ask("sketch", of=kind, numbers=some)["bytes"] for kind in kinds} for some in numbers]
    for commit in range(3):
        rows = [[k, *(made[(k + commit * (1 + k % 2)) % 6][kind] for kind in kinds)] for k in range(5)]
        table.write(*rows, [7, *(None if commit != 1 else made[0][kind] for kind in kinds)])
    return states(table)


def aggregation_bitmaps(table):
    """So many numbers that some of them stand in a bitmap and not in a list."""
    return sketches(table, "rbm32", "rbm64", many=4200)


def aggregation_hll(table):
    return sketches(table, "hll_sketch")


def aggregation_theta(table):
    return sketches(table, "theta_sketch")


def aggregation_retracts(table):
    """What each function takes back, and what others ignore."""
    ignored = ("ignore-retract", "true")
    fields = {
        "sum": ("INT", "sum"),
        "sum_decimal": ("DECIMAL(9, 2)", "sum"),
        "product": ("INT", "product"),
        "last": ("INT", "last_value"),
        "last_non_null": ("INT", "last_non_null_value"),
        "all_": (NUMBER_LIST, "collect"),
        "map": (NUMBER_MAP, "merge_map"),
        "nested": (ITEMS, "nested_update"),
        "most": ("INT", "max", ignored),
        "first": ("INT", "first_value", ignored),
        "text": ("STRING", "listagg", ignored),
        "kept": ("INT", "sum", ignored),
    }
    aggregation(table, fields)

    def row(kind, k, n):
        if n is None:
            return [kind, k, *(None for _ in fields)]
        text = str(n)
        return [kind, k, n, f"{n}.50", n, n, n, [n, n + 1], [[text, n]], [[n, text, None]], n, n, text, n]

    table.upsert(*(row("+I", k, k + 1) for k in range(6)))
    table.upsert(*(row("+I", k, k + 3) for k in range(0, 6, 2)), row("-D", 20, 4), row("-U", 21, None))
    table.upsert(*(row("-U" if k % 2 else "-D", k, k + 1) for k in range(5)), row("-D", 5, None))
    table.compact()
    table.upsert(row("+I", 0, 9), row("-U", 1, 7), row("+I", 20, 1), row("-D", 2, 5), row("+U", 3, None))
    return states(table)


def aggregation_removes(table):
    """A delete takes the row away; later rows start from what it held."""
    fields = {"total": ("INT", "sum"), "most": ("INT", "max"), "text": ("STRING", "listagg")}
    aggregation(table, fields, {"aggregation.remove-record-on-delete": "true"})
    table.write(*([k, k, k, f"t{k}"] for k in range(6)))
    table.upsert(["-D", 0, 5, 5, "x"], ["-D", 1, None, None, None], ["-D", 2, 1, 9, "y"], ["-D", 30, 1, 1, "only"])
    table.upsert(["+I", 1, 1, 1, "a"], ["+I", 2, 1, 1, "b"], ["+U", 3, 1, 1, "c"], ["+I", 30, 1, 2, "d"])
    table.compact()
    table.upsert(["-D", 3, 0, 0, "z"], ["+I", 0, 2, 2, "back"])
    return states(table)


TABLES = [
    *(aggregation_numbers, aggregation_ends, aggregation_values, aggregation_sequence, aggregation_texts),
    *(aggregation_collections, aggregation_nested, aggregation_bitmaps, aggregation_hll, aggregation_theta),
    *(aggregation_retracts, aggregation_removes),
]
