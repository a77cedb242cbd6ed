"""Random tables with a primary key: their columns, keys and options.

What a column is for stands in front of its name: `k` keys, `p` the partition, `s` sequence fields, `g` members of
sequence groups, `a` aggregated columns, `x` one that has an index and stays as it is, `rk` the row kind, `c` the rest.
"""

import random

from plan import COMPRESSIONS, FEWER_COMPRESSIONS, FILTERED, PARTITIONS, values_of

ENGINES = ["deduplicate", "partial-update", "aggregation", "first-row"]

# Who carries out every option; the others take only tables that all of them understand.
COMPLETE = {"ours", "java"}

KEYS = ["BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING", "BYTES", "DATE"]
KEYS += ["DECIMAL(9, 2)", "DECIMAL(38, 10)", "TIMESTAMP(3)", "TIMESTAMP(6)", "TIMESTAMP(6) WITH LOCAL TIME ZONE"]
SEQUENCES = ["SMALLINT", "INT", "BIGINT", "STRING", "DATE", "DECIMAL(9, 2)", "TIMESTAMP(3)", "TIMESTAMP(6)"]

# Values that are no keys, nor compared where Python compares: NaN, and the other zero.
NOT_KEYS = {"FLOAT": {-(2**31), 2143289344}, "DOUBLE": {-(2**63), 9221120237041090560}}

# Small numbers, so that no sum or product is too large.
SUMMED = {
    "INT": [0, 1, -2, 30],
    "BIGINT": [0, 1, -2, 2**40],
    "FLOAT": [1056964608, -1069547520, 0],  # 0.5, -2.5
    "DOUBLE": [4602678819172646912, -4613937818241073152, 0],  # 0.5, -1.5
    "DECIMAL(9, 2)": ["0.00", "-10.25", "3.10"],
    "DECIMAL(38, 10)": ["0.0000000000", "-99999999.9999999999", "1.0000000001"],
}
MULTIPLIED = {"INT": [1, -1], "BIGINT": [1, -1], "DOUBLE": [4607182418800017408, -4611686018427387904]}  # 1, -2
LISTED = {"STRING": ["a", "b", "a,b", "日本", "c,a"]}
BLANK = ["", " ", "c,,a"]  # what Java 1.4 lists, later ones skip, and pypaimon makes NULL of

# Types that only those who carry out every option are given.
NESTED_ROWS = "ARRAY<ROW<x INT, y STRING>>"
COMPLETE_VALUES = {NESTED_ROWS: [[], [[1, "a"]], [[1, "b"], [2, "c"]], [[2, None], [3, "é"]]]}

# Function -> the types it takes, with values of its own where any would not do.
FUNCTIONS = {
    "sum": SUMMED,
    "product": MULTIPLIED,
    "max": ["TINYINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING", "DECIMAL(18, 4)", "DATE", "TIMESTAMP(6)"],
    "min": ["SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING", "DECIMAL(9, 2)", "DATE", "TIMESTAMP(3)"],
    "last_value": ["INT", "STRING", "BYTES", "ARRAY<INT>", "ROW<x INT, y STRING>", "BOOLEAN"],
    "last_non_null_value": ["INT", "STRING", "DOUBLE", "MAP<STRING, BIGINT>", "DECIMAL(38, 10)"],
    "first_value": ["INT", "STRING", "TIMESTAMP(6)", "ARRAY<INT>"],
    "first_non_null_value": ["INT", "STRING", "DATE", "BYTES"],
    "bool_and": ["BOOLEAN"],
    "bool_or": ["BOOLEAN"],
    "listagg": LISTED,
    "collect": ["ARRAY<INT>"],
    "merge_map": ["MAP<STRING, BIGINT>"],
    "nested_update": [NESTED_ROWS],
}
# What pypaimon cannot fold: rows of maps (a TypeError).
NOT_FOLDED = {"pypaimon": {"merge_map"}}
RETRACTABLE = {"sum", "product", "last_value", "last_non_null_value", "collect", "merge_map", "nested_update"}


def compressions(format: str, writers: list[str]) -> list[str]:
    """Those that all writers have."""
    return [
        compression
        for compression in COMPRESSIONS[format]
        if all(compression in FEWER_COMPRESSIONS.get((writer, format), [compression]) for writer in writers)
    ]


class TableDraw:
    """A table that `writers` understand, of values that they and `readers` can hold."""

    functions = sorted(FUNCTIONS)
    moves = False  # whether a key may be in any partition
    tells_kinds = True  # whether a column may say the kinds of rows
    blanks = True  # whether text that is nothing to a list may be all there is of it

    def __init__(self, draw: random.Random, engine: str, writers: list[str], readers: list[str]):
        self.random = draw
        self.writers = writers
        self.complete = set(writers) <= COMPLETE
        self.with_java = "java" in (*writers, *readers)
        self.large = self.chance(0.04)
        self.compressing = [*writers, "java"] if self.with_java else writers  # Java compacts
        self.format = self.random.choice([format for format in COMPRESSIONS if compressions(format, self.compressing)])
        self.values = values_of(self.format, writers, readers)
        # What peers get wrong in any table (see defects.py) stays out of these.
        self.values.pop("TIMESTAMP(9)", None)
        for kind in self.values:
            if self.format == "orc" and kind.startswith("TIMESTAMP"):  # more than nanoseconds of 64 bits hold
                self.values[kind] = [value for value in self.values[kind] if value > -(2**53)]
        if self.complete and self.format != "orc":
            self.values |= COMPLETE_VALUES
        self.own_values = {}  # column -> values that suit its function
        self.table = self.draw_table(engine)

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def draw_table(self, engine: str) -> dict:
        # Java 1.4 cannot look up keys of bytes when it compacts (ClassCastException).
        kinds = [kind for kind in KEYS if kind in self.values and not (kind == "BYTES" and self.with_java)]
        keys = [self.random.choice(kinds) for _ in range(self.random.choice([1, 1, 2, 3]))]
        columns = {f"k{i}": kind for i, kind in enumerate(keys)}
        key, partition = list(columns), []
        if self.moves or self.chance(0.4):
            columns["p"] = self.random.choice([kind for kind in PARTITIONS if kind in self.values])
            partition = ["p"]
            key += [] if self.moves else partition
        self.random.shuffle(key)
        options = {"merge-engine": engine, **self.storage(key, partition)}
        kinds = sorted(self.values)
        for i in range(self.random.randint(1, 4)):
            columns[f"c{i}"] = self.random.choice(kinds)
        deletes = self.deduplicate(columns, options) if engine == "deduplicate" else []
        if engine != "first-row" and self.complete:
            self.complete_options(columns, options)
        if engine == "first-row" and self.chance(0.4) and "pypaimon" not in self.writers:
            options["ignore-delete"], deletes = "true", ["-U", "-D"]
        if engine == "partial-update":
            deletes = self.partial_update(columns, options)
        if engine == "aggregation":
            deletes = self.aggregation(columns, options)
        if deletes and self.tells_kinds and (not self.complete or self.chance(0.5)):
            columns["rk"] = "STRING"
            options["rowkind.field"] = "rk"
        self.deletes = deletes
        listed = list(columns.items())
        self.random.shuffle(listed)
        return {
            "format": self.format,
            "columns": [{"id": id, "name": name, "type": kind} for id, (name, kind) in enumerate(listed)],
            "key": key,
            "partition": partition,
            "options": options,
        }

    def complete_options(self, columns: dict, options: dict) -> None:
        if self.chance(0.15):
            options["changelog-producer"] = "input"
        elif self.chance(0.25) and not self.with_java:  # Java 1.4 does not know the second
            options |= {"deletion-vectors.enabled": "true", "deletion-vectors.merge-on-read": "true"}
        elif self.chance(0.4) and options["merge-engine"] == "deduplicate":
            # Compactions fold some rows that are alone and leave others, which changes those of other engines.
            options["deletion-vectors.enabled"] = "true"
            options["deletion-vectors.bitmap64"] = self.random.choice(["true", "false"])
        self.index(columns, options)

    def index(self, columns: dict, options: dict) -> None:
        if self.chance(0.3):
            columns["x"] = self.random.choice([kind for kind in FILTERED if kind in self.values])
            options[f"file-index.{self.random.choice(['bloom-filter', 'bitmap'])}.columns"] = "x"

    def storage(self, key: list[str], partition: list[str]) -> dict:
        options = {
            "write-only": "true",
            "bucket": str(self.random.randint(1, 4)),
            "file.format": self.format,
            "file.compression": self.random.choice(compressions(self.format, self.compressing)),
            "metadata.stats-mode": self.random.choice(["full", "none"]),
        }
        own = [column for column in key if column not in partition]
        if len(own) > 1 and self.chance(0.3):
            options["bucket-key"] = self.random.choice(own)
        if self.chance(0.3):
            options["data-file.thin-mode"] = "true"
        if self.large:
            options["target-file-size"] = "8 kb"  # several files at one level
            if self.writers == ["ours"] and not self.with_java:  # whose pages alone are larger
                options["write-buffer-size"] = "64 kb"  # several spills in a commit
        if self.format == "orc":
            options["orc.timestamp-ltz.legacy.type"] = "false"  # the only spelling that we write
        return options

    def sequence_fields(self, columns: dict, options: dict) -> None:
        if self.chance(0.5):
            names = [f"s{i}" for i in range(self.random.choice([1, 1, 2]))]
            columns |= {name: self.random.choice([k for k in SEQUENCES if k in self.values]) for name in names}
            options["sequence.field"] = ",".join(names)
            if self.chance(0.4):
                options["sequence.field.sort-order"] = "descending"

    def deduplicate(self, columns: dict, options: dict) -> list[str]:
        self.sequence_fields(columns, options)
        for option in ("ignore-delete", "ignore-update-before"):
            if self.chance(0.2):
                options[option] = "true"
        return ["-U", "-D"] if self.chance(0.8) and "pypaimon" not in self.writers else []

    def partial_update(self, columns: dict, options: dict) -> list[str]:
        if not self.complete:
            self.sequence_fields(columns, options)
            return []
        if self.chance(0.4):
            self.sequence_fields(columns, options)
            choice = self.random.choice(["", "ignore-delete", "partial-update.remove-record-on-delete"])
            if choice:
                options[choice] = "true"
            return ["-U", "-D"] if choice else []
        retracts = self.chance(0.6)
        for group in range(self.random.randint(1, 2)):
            ordering = [f"g{group}s{i}" for i in range(self.random.choice([1, 1, 2]))]
            columns |= {name: self.random.choice([k for k in SEQUENCES if k in self.values]) for name in ordering}
            members = [f"g{group}c{i}" for i in range(self.random.randint(1, 3))]
            for name in members:
                if self.chance(0.5):
                    self.function(name, columns, options, retracts)
                else:
                    columns[name] = self.random.choice(sorted(self.values))
            options[f"fields.{','.join(ordering)}.sequence-group"] = ",".join(members)
        if retracts and self.chance(0.4):
            options["partial-update.remove-record-on-sequence-group"] = "g0s0"
        elif retracts and self.chance(0.2):
            options["ignore-delete"] = "true"
        return ["-U", "-D"] if retracts else []

    def aggregation(self, columns: dict, options: dict) -> list[str]:
        self.sequence_fields(columns, options)
        removes = self.complete and self.chance(0.25)
        retracts = self.complete and not removes and self.chance(0.5)
        if removes:
            options["aggregation.remove-record-on-delete"] = "true"
        if self.chance(0.3):
            options["fields.default-aggregate-function"] = self.random.choice(["last_value", "last_non_null_value"])
        for i in range(self.random.randint(2, 6)):
            self.function(f"a{i}", columns, options, retracts)
        return ["-D"] if removes else ["-U", "-D"] if retracts else []

    def function(self, name: str, columns: dict, options: dict, retracts: bool) -> None:
        """A column that is aggregated."""
        function = self.random.choice(self.functions)
        kinds = [kind for kind in FUNCTIONS[function] if kind in self.values]
        if not kinds or any(function in NOT_FOLDED.get(writer, ()) for writer in self.writers):
            return self.function(name, columns, options, retracts)
        columns[name] = kind = self.random.choice(kinds)
        if isinstance(FUNCTIONS[function], dict):
            blank = BLANK if self.blanks and function == "listagg" and not self.with_java and self.complete else []
            self.own_values[name] = FUNCTIONS[function][kind] + blank
        elif function in ("max", "min") and not self.complete:
            self.own_values[name] = [value for value in self.values[kind] if value not in NOT_KEYS.get(kind, ())]
        options[f"fields.{name}.aggregate-function"] = function
        if function in ("collect", "listagg") and self.chance(0.5):
            options[f"fields.{name}.distinct"] = "true"
        if function == "nested_update" and self.chance(0.6):
            options[f"fields.{name}.nested-key"] = "x"
        if function == "listagg" and self.chance(0.3):
            options[f"fields.{name}.list-agg-delimiter"] = self.random.choice([";", ", "])
        if retracts and (function not in RETRACTABLE or self.chance(0.2)):
            options[f"fields.{name}.ignore-retract"] = "true"
