"""Random tables that are compacted: by themselves or when asked, with every kind of buckets and of changelog.

Which files a compaction takes is its policy. Where that is not known, a table must be steady: its rows are the same
whichever of them are folded first, and whether a delete is kept or forgotten once there is nothing left to delete.
"""

import random

from keyed_table import COMPLETE, FUNCTIONS, TableDraw
from plan import FEWER_COMPRESSIONS

# What gives the same whatever comes first, so that a sequence group may fold some rows before others.
COMMUTATIVE = ["bool_and", "bool_or", "max", "min", "product", "sum"]

BUCKETS = ["fixed", "fixed", "dynamic", "dynamic", "across", "postponed"]
OF_JAVA_ALONE = ["fixed", "dynamic"]


class CompactTable(TableDraw):
    """A table of one kind of buckets; `self.maintained` is what its compactions are to do."""

    blanks = False

    def __init__(self, draw: random.Random, engine: str, writers: list[str], readers: list[str]):
        self.random, self.engine = draw, engine
        self.complete = set(writers) <= COMPLETE
        buckets = ["fixed"] if not self.complete else BUCKETS if "ours" in writers else OF_JAVA_ALONE
        self.buckets = draw.choice(buckets)
        self.moves = self.buckets == "across"
        # Java 1.4 deletes no key from the partition that it leaves where a column says the kinds of rows: it reads the
        # kind anew, and cannot write to the table any more. Of (1, 'a', '+I') and then (1, 'b', '+I') it reads both.
        self.tells_kinds = not (self.moves and engine == "deduplicate" and "java" in writers)
        automatic = self.complete and self.chance(0.6)
        self.maintained = {"write-only": "false" if automatic else "true"} | self.draw_vectors("java" in readers)
        if self.complete and self.chance(0.5):
            self.maintained |= self.draw_changelog()
        vectors = "deletion-vectors.enabled" in self.maintained
        # Whose rows nobody sees before a compaction has them, which therefore takes all of them.
        self.hides = engine == "first-row" or (vectors and "deletion-vectors.merge-on-read" not in self.maintained)
        if self.moves and self.hides:
            self.maintained["write-only"] = "false"  # where keys are is looked up among the rows that are seen
        self.automatic = self.maintained["write-only"] == "false"
        looks_up = vectors or self.maintained.get("changelog-producer") == "lookup"
        unknown = self.automatic or looks_up or self.buckets in ("across", "postponed")
        if engine == "deduplicate" and self.hides and self.buckets in ("fixed", "dynamic"):
            unknown = False  # a compaction takes all rows, and forgets deletes
        self.steady = unknown
        if unknown and engine == "partial-update":
            self.functions = COMMUTATIVE
        super().__init__(draw, engine, writers, readers)

    def draw_vectors(self, with_java: bool) -> dict:
        if self.engine == "first-row" or not self.complete or self.chance(0.55):
            return {}
        options = {"deletion-vectors.enabled": "true"}
        if self.chance(0.3):
            options["deletion-vectors.bitmap64"] = "true"
        if self.chance(0.3) and not with_java:  # Java 1.4 does not know it
            options["deletion-vectors.merge-on-read"] = "true"
        return options

    def draw_changelog(self) -> dict:
        producers = ["lookup", "lookup", "full-compaction", "input"]
        if self.engine == "first-row":
            producers = ["lookup"]
        if "deletion-vectors.enabled" in self.maintained or self.buckets == "postponed":
            producers = ["lookup"]
        if self.moves:
            producers = [producer for producer in producers if producer != "input"]  # of which some rows are made up
        options = {"changelog-producer": self.random.choice(producers)}
        if options["changelog-producer"] in ("lookup", "full-compaction") and self.chance(0.4):
            options["changelog-producer.row-deduplicate"] = "true"
        if options["changelog-producer"] == "full-compaction" and self.chance(0.5):
            options["full-compaction.delta-commits"] = self.random.choice(["1", "2", "3"])
        return options

    def storage(self, key: list[str], partition: list[str]) -> dict:
        options = super().storage(key, partition) | self.maintained
        if self.buckets != "fixed":
            options.pop("bucket-key", None)
            options["bucket"] = "-2" if self.buckets == "postponed" else "-1"
        if self.buckets == "postponed" and options["file.compression"] not in FEWER_COMPRESSIONS["java", "avro"]:
            options["file.compression"] = "zstd"  # rows wait in Avro files, whatever the format
        if self.buckets in ("dynamic", "across"):
            options["dynamic-bucket.target-row-num"] = self.random.choice(["2", "7", "50", "2000000"])
            if self.chance(0.3):
                options["dynamic-bucket.max-buckets"] = self.random.choice(["1", "3"])
        if self.buckets == "postponed":
            options["postpone.default-bucket-num"] = self.random.choice(["1", "2", "4"])
            options["postpone.batch-write-fixed-bucket"] = self.random.choice(["false", "false", "true"])
        if self.chance(0.6):
            options["num-sorted-run.compaction-trigger"] = self.random.choice(["1", "2", "3", "4"])
        if self.chance(0.2):
            options["num-levels"] = self.random.choice(["3", "4"])
        return options

    def complete_options(self, columns: dict, options: dict) -> None:
        self.index(columns, options)

    def sequence_fields(self, columns: dict, options: dict) -> None:
        """None where the order of arrival must do: of rows folded before, only the latest place would be known."""
        if not self.moves and (not self.steady or self.engine == "deduplicate"):
            super().sequence_fields(columns, options)

    def deduplicate(self, columns: dict, options: dict) -> list[str]:
        deletes = super().deduplicate(columns, options)
        if self.steady and "sequence.field" in options and "ignore-delete" not in options:
            return []  # a delete would be forgotten, and what it is newer than would not
        return deletes

    def partial_update(self, columns: dict, options: dict) -> list[str]:
        if not self.steady:
            return super().partial_update(columns, options)
        if self.chance(0.6):
            for group in range(self.random.randint(1, 2)):
                self.steady_group(f"g{group}", columns, options)
        if self.chance(0.3):
            options["ignore-delete"] = "true"
            return ["-U", "-D"]
        return []

    def steady_group(self, name: str, columns: dict, options: dict) -> None:
        columns[f"{name}s0"] = self.random.choice([kind for kind in ("INT", "BIGINT", "DATE") if kind in self.values])
        members = [f"{name}c{i}" for i in range(self.random.randint(1, 3))]
        for member in members:
            if self.chance(0.5):
                self.function(member, columns, options, retracts=False)
            else:
                columns[member] = self.random.choice(sorted(self.values))
        options[f"fields.{name}s0.sequence-group"] = ",".join(members)

    def aggregation(self, columns: dict, options: dict) -> list[str]:
        if not self.steady:
            return super().aggregation(columns, options)
        if self.chance(0.3):
            options["fields.default-aggregate-function"] = self.random.choice(["last_value", "last_non_null_value"])
        for i in range(self.random.randint(2, 6)):
            self.function(f"a{i}", columns, options, retracts=False)
        return []

    def draw_table(self, engine: str) -> dict:
        table = super().draw_table(engine)
        # With it, rows stay in partitions that their keys left, and a delete that nobody keeps has a place in one.
        if self.moves and table["options"].pop("ignore-delete", None):
            self.deletes = [] if engine != "deduplicate" else self.deletes
        if {"FLOAT", "DOUBLE"} & {column["type"] for column in table["columns"]}:
            table["options"].pop("changelog-producer.row-deduplicate", None)  # to which -0 is 0
        return table


assert set(COMMUTATIVE) <= set(FUNCTIONS)
