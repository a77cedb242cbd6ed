"""Random plans of tables with row tracking and data evolution: blobs, columns written apart, updates by row id.

Values are spelt as in plan.py, blobs as their bytes in hex, so that a plan is plain JSON. Rows are named by their `k`;
which row id each has is found out as the plan is carried out (blob_run.py).
"""

import random

from blob_model import Model
from keyed_plan import holds
from keyed_table import compressions
from plan import FILTERED, NOT_NULL, PARTITIONS, Draw, values_of

BLOBS = ["BLOB", "ARRAY<BLOB>", "MAP<STRING, BLOB>", "MAP<INT, BLOB>"]
ROW_ID = {"id": -1, "name": "_ROW_ID", "type": "BIGINT"}

# Who compacts.
COMPACTING = ("ours", "java")
# Who can be asked for tags, and who for blobs that are NULL.
OURS = ["ours", "daft"]


def draw_plan(seed: int, writers: list[str], readers: list[str]) -> dict:
    """A plan that `writers` are able to carry out, each step by the one it names."""
    return BlobDraw(seed, writers, readers).plan


class BlobDraw(Draw):
    """A plan as it grows. Kinds of columns stand in front of their names: `k`, `p`, `c` scalar ones, `b` blobs."""

    def __init__(self, seed: int, writers: list[str], readers: list[str]):
        self.random = random.Random(f"blob {seed} {writers}")
        self.writers = writers
        self.compacting = [writer for writer in writers if writer in COMPACTING]
        self.with_java = "java" in (*writers, *readers)
        self.keys = 0
        self.format = self.random.choice(["parquet", "parquet", "parquet", "avro", "orc"])
        self.values = values_of(self.format, writers, readers)
        self.values.pop("TIMESTAMP(9)", None)
        for kind in (kind for writer in writers for kind in NOT_NULL.get((writer, self.format), ())):
            self.values.pop(kind)  # columns that are left out are NULL
        for kind in self.values:  # what peers get wrong in any table (see defects.py) stays out of these
            if self.format == "orc" and kind.startswith("TIMESTAMP"):
                self.values[kind] = [value for value in self.values[kind] if value > -(2**53)]
        self.codecs_of = [*writers, "java"] if self.with_java else writers  # Java compacts
        self.plan = {**self.table(), "steps": []}
        self.deletes = "deletion-vectors.enabled" in self.plan["options"]
        self.columns = [dict(column) for column in self.plan["columns"]]
        self.model = Model(self.plan)
        while len(self.plan["steps"]) < 2 or (self.chance(0.85) and len(self.plan["steps"]) < 10):
            step = self.step()
            step["by"] = self.random.choice(self.able(step))
            self.plan["steps"].append(step)
            self.model.step(step)
        self.plan["questions"] = list(self.questions())

    def able(self, step: dict) -> list[str]:
        """Who can carry a step out: Java 1.4 updates whole files only, and takes no descriptors from the driver."""
        if step["do"] == "compact":
            return self.compacting
        java = step["do"] not in ("update", "delete", "delete_where") and "descriptors" not in step
        return [writer for writer in self.writers if writer != "java" or java]

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    # The table

    def table(self) -> dict:
        columns = {"k": "BIGINT"}
        partition = []
        if self.chance(0.35):
            columns["p"] = self.random.choice([kind for kind in PARTITIONS if kind in self.values])
            partition = ["p"]
        scalars = sorted(self.values)
        columns |= {f"c{i}": self.random.choice(scalars) for i in range(self.random.randint(1, 4))}
        if self.chance(0.85):  # otherwise data evolution alone
            blobs = ["BLOB"] if self.with_java else BLOBS  # Java 1.4 has no others
            columns |= {f"b{i}": self.random.choice(blobs) for i in range(self.random.choice([1, 1, 2, 3]))}
        listed = list(columns.items())
        self.random.shuffle(listed)
        return {
            "format": self.format,
            "columns": [{"id": id, "name": name, "type": kind} for id, (name, kind) in enumerate(listed)],
            "partition": partition,
            "options": self.options(),
        }

    def options(self) -> dict:
        options = {
            "row-tracking.enabled": "true",
            "data-evolution.enabled": "true",
            "file.format": self.format,
            "file.compression": self.random.choice(compressions(self.format, self.codecs_of)),
            "metadata.stats-mode": self.random.choice(["full", "none"]),
        }
        if self.with_java:  # which has no deletion vectors beside data evolution, before 2.0
            options["compaction.min.file-num"] = "2"
        elif self.chance(0.6):
            options["deletion-vectors.enabled"] = "true"
        if self.chance(0.5):
            options["blob.target-file-size"] = self.random.choice(["1 b", "1 kb", "10 kb"])
        if self.chance(0.4):
            options["target-file-size"] = self.random.choice(["2 kb", "20 kb"])
        if self.format == "orc":
            options["orc.timestamp-ltz.legacy.type"] = "false"  # the only spelling that we write
        return options

    # Steps

    def step(self) -> dict:
        choice = self.random.random()
        live = list(self.model.rows)
        if not self.plan["steps"] or choice < 0.25 or not live:
            return self.write()
        if choice < 0.35:
            return self.write(self.written_columns())
        if choice < 0.65 and self.writers != ["java"] and (step := self.update(live)):
            return step
        # Where there is nothing to compact there is no commit, and a tag is of the last one's schema.
        if choice < 0.73 and self.compacting and self.model.written == self.model.columns:
            return {"do": "compact", "full": self.chance(0.6)}
        if choice < 0.80 and self.deletes:
            return self.delete(live)
        if choice < 0.85 and self.overwritable():
            return {**self.write(), "do": "overwrite"}
        if choice < 0.92:
            return {"do": "tag", "name": f"tag{len(self.plan['steps'])}"}
        return self.alter()

    def write(self, columns: list[dict] | None = None) -> dict:
        columns = columns or self.columns
        rows = [[self.value(column) for column in columns] for _ in range(self.random.choice([1, 3, 10, 10, 40, 200]))]
        step = {"do": "write", "columns": [column["id"] for column in columns], "rows": rows}
        if any(column["type"] == "BLOB" for column in columns) and self.writers != ["java"] and self.chance(0.3):
            step["descriptors"] = True
        return step

    def written_columns(self) -> list[dict]:
        """Some of the columns, among them those that every row must have."""
        if "java" in self.writers and self.plan["partition"]:  # which looks for the partition at its place among all
            return self.columns
        needed = ["k", "p"]
        if self.with_java:  # which compacts rows without blobs so that it cannot read them
            needed += [column["name"] for column in self.columns if column["type"] in BLOBS]
        return [column for column in self.columns if column["name"] in needed or self.chance(0.5)]

    def update(self, live: list[int]) -> dict | None:
        columns = [column for column in self.columns if column["name"] not in ("k", "p")]
        rolled = any("target-file-size" in option for option in self.plan["options"])
        if self.with_java or ("pypaimon" in self.writers and rolled):
            # Java 1.4 knows no blobs that are left to older files. Pypaimon's rolled blob files have sequence numbers
            # that count rows, and hide what comes after them.
            columns = [column for column in columns if column["type"] not in BLOBS]
        columns = self.followed(columns)
        if not columns:
            return None
        columns = self.random.sample(columns, self.random.randint(1, min(3, len(columns))))
        keys = self.random.sample(live, min(len(live), self.random.choice([1, 1, 3, 20, 200])))
        rows = [[self.value(column) for column in columns] for _ in keys]
        step = {"do": "update", "keys": keys, "columns": [column["id"] for column in columns], "rows": rows}
        if self.chance(0.25):  # rows that arrive between its files and its commit
            step["meanwhile"] = self.write()
        return step

    def delete(self, live: list[int]) -> dict:
        if self.chance(0.3):
            column = self.random.choice(self.followed([each for each in self.columns if each["type"] in FILTERED]))
            return {"do": "delete_where", "filter": self.draw_filter(column), "kind": column["type"]}
        return {"do": "delete", "keys": self.random.sample(live, self.random.randint(1, max(1, len(live) // 2)))}

    def followed(self, columns: list[dict]) -> list[dict]:
        """Those that pypaimon finds under their name: it takes renamed ones for NULL (blob_defects.py)."""
        return [column for column in columns if "pypaimon" not in self.writers or not column["name"].startswith("cr")]

    def overwritable(self) -> bool:
        """Pypaimon overwrites partitions of text only (TypeErrors)."""
        partition = [column["type"] for column in self.columns if column["name"] == "p"]
        return "pypaimon" not in self.writers or partition in ([], ["STRING"])

    def value(self, column: dict):
        kind = column["type"]
        if column["name"] == "k":
            self.keys += 1
            return self.keys - 1
        if column["name"] == "p":
            return self.random.choice(PARTITIONS[kind])
        if self.chance(0.2):
            return None
        if kind == "BLOB":
            return self.blob()
        items = range(self.random.choice([0, 1, 2, 4]))
        if kind == "ARRAY<BLOB>":
            return [None if self.chance(0.2) else self.blob() for _ in items]
        if kind.startswith("MAP") and kind.endswith("BLOB>"):
            return [[f"é{i}" if "STRING" in kind else i - 1, None if self.chance(0.2) else self.blob()] for i in items]
        return self.random.choice(self.values[kind])

    def blob(self) -> str:
        return self.random.randbytes(self.random.choice([0, 1, 10, 10, 100, 900, 3000])).hex()

    # Questions

    def questions(self):
        """What to read: columns of the table as it is, or of a tag, under filters; and the rows that are right."""
        now = {column["id"]: column for column in self.columns}
        everything = [*now.values(), ROW_ID]
        yield self.question(everything)
        for _ in range(2):
            yield self.question(self.random.sample(everything, self.random.randint(1, len(everything))))
        for _ in range(4):
            filters = [self.draw_filter() for _ in range(self.random.choice([1, 1, 2]))]
            filtered = {name for _, name, *_ in filters}
            columns = [column for column in everything if column["name"] in filtered or self.chance(0.5)]
            yield self.question(columns, filters)
        for column in now.values():
            if column["type"] in BLOBS:
                test = [self.random.choice(["is null", "is not null"]), column["name"]]
                yield {**self.question([now[self.key()], column], [test]), "readers": OURS}
                if column["type"] == "BLOB":
                    yield {
                        **self.question([column, now[self.key()]]),
                        "as": "descriptors",
                        "readers": self.describing(),
                    }
        if self.model.rows:
            keys = self.random.sample(list(self.model.rows), min(2, len(self.model.rows)))
            yield {**self.question(everything, [["in", "_ROW_ID", *keys]]), "readers": OURS}
        for tag, (then, _) in self.model.tags.items():
            kept = [column for column in then if now.get(column["id"]) == column]
            yield {**self.question([*kept, ROW_ID], tag=tag), "readers": [*OURS, "pypaimon"]}

    def key(self) -> int:
        return next(column["id"] for column in self.columns if column["name"] == "k")

    def describing(self) -> list[str]:
        return ["ours", "pypaimon"]

    def draw_filter(self, column: dict | None = None) -> list:
        """`[operator, column, literals...]` on a value that is, was or may have been there."""
        column = column or self.random.choice([column for column in self.columns if column["type"] in FILTERED])
        values = range(self.keys + 1) if column["name"] == "k" else self.values[column["type"]]
        values = PARTITIONS[column["type"]] if column["name"] == "p" else values
        operator, literals = self.random.choice([("=", 1), ("=", 1), ("<", 1), (">=", 1), ("in", 2), ("is null", 0)])
        return [operator, column["name"], *(self.random.choice(values) for _ in range(literals))]

    def question(self, columns: list[dict], filters: list = (), tag: str | None = None) -> dict:
        """Its rows have a row's `k` where its row id is asked for: blob_run.py knows the one by the other."""
        rows = self.model.tags[tag][1] if tag else self.model.rows.values()
        for filter in filters:
            if filter[1] == ROW_ID["name"]:
                rows = [row for row in rows if row[self.key()] in filter[2:]]
            else:
                column = next(column for column in self.columns if column["name"] == filter[1])
                rows = [row for row in rows if holds(filter, column["type"], row.get(column["id"]))]
        answer = [
            [row[self.key()] if column is ROW_ID else row.get(column["id"]) for column in columns] for row in rows
        ]
        return {"columns": [dict(column) for column in columns], "filters": list(filters), "tag": tag, "rows": answer}
