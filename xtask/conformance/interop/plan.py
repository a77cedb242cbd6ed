"""Random plans of append tables, and the naive model that says which rows they leave, under which tag and filter.

Values are spelt as in `expected.rows` (see ../src/lib.rs), so that a plan is plain JSON.
"""

import json
import random

# Type name -> values. NULL is added by `draw_value`.
VALUES = {
    "BOOLEAN": [True, False],
    "TINYINT": [0, -128, 127],
    "SMALLINT": [0, -32768, 32767],
    "INT": [0, -(2**31), 2**31 - 1, 7],
    "BIGINT": [0, -(2**63), 2**63 - 1, 2**53 + 1],
    "FLOAT": [0, -(2**31), 1056964608, 2143289344, 2139095040, 1],  # 0, -0, 0.5, NaN, inf, smallest
    "DOUBLE": [0, -(2**63), 4602678819172646912, 9221120237041090560, -4503599627370496, 1],
    "STRING": ["", "a", "a/b=c %", "日本", "x" * 40, "\t", "o'k"],
    "BYTES": ["", "00", "ff" * 20, "0a0d"],
    "DECIMAL(9, 2)": ["0.00", "-9999999.99", "9999999.99", "0.01"],
    "DECIMAL(18, 4)": ["0.0000", "-99999999999999.9999", "12.5000"],
    "DECIMAL(38, 10)": ["0.0000000000", "-9999999999999999999999999999.9999999999", "1.0000000001"],
    "DATE": [0, -1, 19782, -719162, 2932896],
    "TIMESTAMP(3)": [0, -1000, 1709209445123000],
    "TIMESTAMP(6)": [0, -1, 1709209445123456, -62135596800000000],
    "TIMESTAMP(6) WITH LOCAL TIME ZONE": [0, -1, 1709209445123456],
    "ARRAY<INT>": [[], [1], [1, 2, 3], [1, None]],
    "MAP<STRING, BIGINT>": [[], [["a", 1]], [["a", None], ["b", 2]]],
    "ROW<x INT, y STRING>": [[1, "y"], [None, "é"], [0, None]],
}

# Types that only Java among the peers is asked for.
JAVA_VALUES = {
    "TIME(3)": [0, 1, 43_200_123, 86_399_999],
    "TIMESTAMP(0)": [0, 1_709_209_445_000_000],
    "TIMESTAMP(9)": [0, -1_000_000_001, 1_709_209_445_123_456],
    "TIMESTAMP(3) WITH LOCAL TIME ZONE": [0, -1_000_001_000, 1_709_209_445_123_000],
}

# Old type -> the wider type that a column may be changed to.
WIDER = {"TINYINT": "SMALLINT", "SMALLINT": "INT", "INT": "BIGINT"}

PARTITIONS = {
    "STRING": ["a", "b/1", "c=d", "é", "", " ", "%41", "x y", ".."],
    "INT": [0, -1, 2**31 - 1],
    "DATE": [0, 19782],
    "BOOLEAN": [True, False],
}

# Types that filters are drawn on.
FILTERED = ("INT", "BIGINT", "STRING", "DATE")

# What a writer cannot write at all, by file format.
NESTED = {"MAP<STRING, BIGINT>", "ARRAY<INT>", "ROW<x INT, y STRING>"}
NOT_WRITTEN = {
    ("pypaimon", "avro"): NESTED,
    ("java", "avro"): {"TIMESTAMP(9)"},
    ("pypaimon-rust", "orc"): NESTED
    | {"DATE"}
    | {kind for kind in VALUES if kind.startswith(("DECIMAL", "TIMESTAMP"))},
}

# Types that a writer cannot write NULLs of: pyarrow's ORC writes a NULL of a ROW as a row.
NOT_NULL = {("pypaimon", "orc"): {"ROW<x INT, y STRING>"}}

# Values that an ORC file cannot hold: a fraction in the last second before 1970.
NOT_IN_ORC = {"TIMESTAMP(3)": {-1000}, "TIMESTAMP(6)": {-1}, "TIMESTAMP(6) WITH LOCAL TIME ZONE": {-1}}

# Further ones: Java moves times before 1582 from one calendar to another, and finds no such dates under a filter; a
# batch of both zeros is to its reader a batch of the first of them.
NOT_IN_JAVA_ORC = NOT_IN_ORC | {
    "TIMESTAMP(6)": {-1, -62135596800000000},
    "DATE": {-719162},
    "FLOAT": {-(2**31)},
    "DOUBLE": {-(2**63)},
}

# Further ones: runs of small integers with a large one among them are written wrong (orc-rust, PATCHED_BASE).
NOT_IN_RUST_ORC = NOT_IN_ORC | {
    kind: {value for value in VALUES[kind] if abs(value) > 127} for kind in ("SMALLINT", "INT", "BIGINT")
}

# Compressions of a writer, by file format.
COMPRESSIONS = {
    "parquet": ["zstd", "snappy", "lz4", "gzip", "none"],
    "avro": ["zstd", "snappy", "none"],
    "orc": ["zstd", "zlib", "snappy", "lz4", "none"],
}
FEWER_COMPRESSIONS = {
    ("pypaimon-rust", "orc"): ["none"],
    ("pypaimon", "orc"): ["zstd", "zlib", "snappy", "lz4"],
    ("pypaimon", "avro"): ["zstd"],
    ("java", "avro"): ["zstd", "snappy"],
}

# Who can delete rows of an append table, by file format.
DELETES = {("pypaimon", "parquet"), ("java", "parquet"), ("java", "avro"), ("java", "orc")}


def draw_plan(seed: int, writer: str, readers: list[str]) -> dict:
    """A plan that `writer` is able to carry out, of values that the files of `writer` and `readers` can hold."""
    return Draw(seed, writer, readers).plan


def values_of(format: str, writers: list[str], readers: list[str]) -> dict[str, list]:
    """By type, the values that files of a format hold when these write and read them."""
    with_java = "java" in (*writers, *readers)
    lost = {}
    if format == "orc":
        lost = NOT_IN_JAVA_ORC if with_java else NOT_IN_RUST_ORC if "pypaimon-rust" in writers else NOT_IN_ORC
    refused = set().union(*(NOT_WRITTEN.get((name, format), set()) for name in (*writers, "java")))
    return {
        kind: [value for value in values if value not in lost.get(kind, ())]
        for kind, values in (VALUES | JAVA_VALUES if with_java else VALUES).items()
        if kind not in refused
    }


class Draw:
    """A plan as it grows: the columns and keys as its steps leave them."""

    def __init__(self, seed: int, writer: str, readers: list[str]):
        self.random = random.Random(f"{seed}-{writer}")
        self.writer = writer
        self.format = self.random.choice(["parquet", "avro", "orc"])
        self.values = values_of(self.format, [writer], readers)
        self.keys = 0
        self.plan = self.table()
        self.columns = [dict(column) for column in self.plan["columns"]]
        steps = self.plan["steps"]
        for _ in range(self.random.randint(1, 5)):
            steps.append(self.step())
        if all(step["do"] not in ("append", "overwrite") for step in steps):
            steps.append(self.append())
        self.plan["filters"] = [self.filter() for _ in range(3)]

    def table(self) -> dict:
        kinds = list(self.values)
        columns = [{"id": 0, "name": "k", "type": "BIGINT"}]
        for index in range(self.random.randint(1, 8)):
            columns.append({"id": index + 1, "name": f"c{index}", "type": self.random.choice(kinds)})
        indexes = {}
        if self.random.random() < 0.5:  # on columns that keep their name and type
            columns.append(
                {
                    "id": len(columns),
                    "name": "x",
                    "type": self.random.choice([kind for kind in FILTERED if kind in kinds]),
                }
            )
            for kind in self.random.choice([["bloom-filter"], ["bitmap"], ["bloom-filter", "bitmap"]]):
                indexes[kind] = self.random.choice(["k", "x", "k,x"])
        partition = None
        if self.random.random() < 0.5:
            partition = "p"
            columns.append(
                {
                    "id": len(columns),
                    "name": "p",
                    "type": self.random.choice([kind for kind in PARTITIONS if kind in kinds]),
                }
            )
        buckets = self.random.choice([None, None, 3])
        # pypaimon cannot append to a bucketed table that has a partition of NULL (TypeError in its predicate).
        null_partition = self.random.random() < 0.5 and not (self.writer == "pypaimon" and buckets)
        compressions = FEWER_COMPRESSIONS.get((self.writer, self.format)) or COMPRESSIONS[self.format]
        return {
            "format": self.format,
            "compression": self.random.choice(compressions),
            "columns": columns,
            "partition": partition,
            "null_partition": partition is not None and null_partition,
            "buckets": buckets,
            "statistics": self.random.choice(["full", "none"]),
            "indexes": indexes,
            "steps": [],
        }

    def step(self) -> dict:
        choice = self.random.random()
        if choice < 0.5 or self.keys == 0:
            return self.append()
        if choice < 0.65:
            # pypaimon overwrites partitions of text only, and none while there is a partition of NULL (TypeErrors).
            partition = self.plan["partition"]
            kind = next((column["type"] for column in self.columns if column["name"] == partition), "STRING")
            can_overwrite = self.writer != "pypaimon" or (kind == "STRING" and not self.plan["null_partition"])
            return {**self.append(), "do": "overwrite" if can_overwrite else "append"}
        if choice < 0.72:
            return {"do": "tag", "name": f"tag{len(self.plan['steps'])}"}
        if choice < 0.85 and (self.writer, self.format) in DELETES:
            return {"do": "delete", "keys": self.random.sample(range(self.keys), max(1, self.keys // 3))}
        return self.alter()

    def append(self) -> dict:
        rows = [
            [self.value(column) for column in self.columns]
            for _ in range(self.random.choice([1, 3, 3, 20, 20, 20, 20, 700]))
        ]
        return {"do": "append", "rows": rows}

    def value(self, column: dict):
        if column["name"] == "k":
            self.keys += 1
            return self.keys - 1
        if column["name"] == self.plan["partition"]:
            nulls = [None] if self.plan["null_partition"] else []
            return self.random.choice(nulls + PARTITIONS[column["type"]])
        nulls = [] if column["type"] in NOT_NULL.get((self.writer, self.format), ()) else [None]
        return self.random.choice(nulls + self.values[column["type"]])

    def alter(self) -> dict:
        plain = [column for column in self.columns if column["name"].startswith("c")]
        changes = ["add"]
        if plain:
            changes += ["rename", "drop"] if len(plain) > 1 else ["rename"]
        wider = [column for column in plain if column["type"] in WIDER]
        if wider:
            changes.append("widen")
        change = self.random.choice(changes)
        new_id = self.random.randrange(1000, 10**9)
        if change == "add":
            kind = self.random.choice(["INT", "STRING", "DOUBLE"])
            self.columns.append({"id": new_id, "name": f"c{new_id}", "type": kind})
            return {"do": "alter", "change": "add", "name": f"c{new_id}", "type": kind, "id": new_id}
        column = self.random.choice(wider if change == "widen" else plain)
        step = {"do": "alter", "change": change, "name": column["name"], "id": column["id"]}
        if change == "rename":
            column["name"] = step["to"] = f"cr{new_id}"
        elif change == "drop":
            self.columns.remove(column)
        else:
            column["type"] = step["type"] = WIDER[column["type"]]
        return step

    def filter(self) -> list:
        """`[operator, column, literals...]`, as the Java driver spells filters too."""
        column = self.random.choice([column for column in self.columns if column["type"] in FILTERED])
        values = range(self.keys + 1) if column["name"] == "k" else self.values[column["type"]]
        operator, literals = self.random.choice([("=", 1), ("=", 1), ("<", 1), (">=", 1), ("in", 2), ("is null", 0)])
        return [operator, column["name"], *(self.random.choice(values) for _ in range(literals))]


def final_columns(plan: dict) -> list[dict]:
    """The columns after all steps, in table order."""
    columns = [dict(column) for column in plan["columns"]]
    for step in plan["steps"]:
        if step["do"] == "alter":
            apply_change(columns, step)
    return columns


def apply_change(columns: list[dict], step: dict) -> None:
    if step["change"] == "add":
        columns.append({"id": step["id"], "name": step["name"], "type": step["type"]})
        return
    column = next(column for column in columns if column["id"] == step["id"])
    if step["change"] == "rename":
        column["name"] = step["to"]
    elif step["change"] == "drop":
        columns.remove(column)
    else:
        column["type"] = step["type"]


def expected(plan: dict) -> dict:
    """What reading gives: all `rows`, and the keys in each tag and under each filter.

    The naive model: rows as dictionaries by column id, every step applied to the whole list.
    """
    columns = [dict(column) for column in plan["columns"]]
    rows: list[dict] = []
    tags = {}
    for step in plan["steps"]:
        if step["do"] == "alter":
            apply_change(columns, step)
        elif step["do"] == "tag":
            tags[step["name"]] = sorted(row[0] for row in rows)
        elif step["do"] == "delete":
            rows = [row for row in rows if row[0] not in step["keys"]]
        else:
            new = [dict(zip((column["id"] for column in columns), row)) for row in step["rows"]]
            rows = [*(kept_by(plan, rows, new) if step["do"] == "overwrite" else rows), *new]
    table = [[row.get(column["id"]) for column in columns] for row in rows]
    filtered = []
    for operator, name, *literals in plan["filters"]:
        column = next(column["id"] for column in columns if column["name"] == name)
        filtered.append(sorted(row[0] for row in rows if holds(operator, row.get(column), literals)))
    spelt = sorted(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in table)
    return {"rows": spelt, "tags": tags, "filters": filtered}


def kept_by(plan: dict, rows: list[dict], new: list[dict]) -> list[dict]:
    """The rows that overwriting with `new` leaves: those of other partitions."""
    partition = next((column["id"] for column in plan["columns"] if column["name"] == plan["partition"]), None)
    if partition is None:
        return []
    replaced = {json.dumps(row[partition]) for row in new}
    return [row for row in rows if json.dumps(row[partition]) not in replaced]


def holds(operator: str, value, literals: list) -> bool:
    """A filter's value on one value, NULL being none of the literals."""
    if operator == "is null" or value is None:
        return operator == "is null" and value is None
    return {
        "=": lambda: value == literals[0],
        "<": lambda: value < literals[0],
        ">=": lambda: value >= literals[0],
        "in": lambda: value in literals,
    }[operator]()
