"""Random plans of tables with a primary key: what is done to them, and what is asked of them after.

Values are spelt as in plan.py, so that a plan is plain JSON.
"""

import json
import random

from keyed_functions import order
from keyed_model import Model
from keyed_table import ENGINES, NOT_KEYS, TableDraw
from plan import FILTERED, PARTITIONS, Draw


def draw_plan(seed: int, writers: list[str], readers: list[str]) -> dict:
    """A plan that `writers` are able to carry out, each step by the one it names."""
    return KeyedDraw(seed, writers, readers).plan


class KeyedDraw(Draw):
    """A plan as it grows."""

    kind, table_draw, model = "keyed", TableDraw, Model

    def __init__(self, seed: int, writers: list[str], readers: list[str]):
        self.random = random.Random(f"{self.kind} {seed} {writers}")
        self.drawn = self.table_draw(self.random, ENGINES[seed % len(ENGINES)], writers, readers)
        self.values = self.drawn.values
        self.plan = {**self.drawn.table, "steps": []}
        self.options = self.plan["options"]
        self.columns = [dict(column) for column in self.plan["columns"]]
        own = self.drawn.own_values
        self.own_values = {column["id"]: own[column["name"]] for column in self.columns if column["name"] in own}
        first = self.options.get("sequence.field", "").split(",")[0]
        self.sequence = next((column["id"] for column in self.columns if column["name"] == first), None)
        self.pool = self.draw_keys()
        model = self.model(self.plan)
        while len(self.plan["steps"]) < 2 or (self.chance(0.8) and len(self.plan["steps"]) < 9):
            self.add(self.step(), model)
        for step in self.last_steps():
            self.add(step, model)
        self.plan["questions"] = list(self.questions(model))

    def add(self, step: dict, model: Model) -> None:
        step["by"] = self.writer_of(step)
        self.plan["steps"].append(step)
        model.step(step)

    def writer_of(self, step: dict) -> str:
        return "java" if step["do"] == "compact" else self.random.choice(self.drawn.writers)

    def last_steps(self) -> list[dict]:
        return []

    def chance(self, part: float) -> bool:
        return self.random.random() < part

    def draw_keys(self) -> list[list]:
        """The keys that rows are drawn from: few, so that they meet again."""
        own = [column["type"] for column in self.plan["columns"] if column["name"].startswith("k")]
        choices = []
        for kind in own:
            values = [value for value in self.values[kind] if value not in NOT_KEYS.get(kind, ())]
            if kind in ("INT", "BIGINT"):
                values = values + list(range(100, 4100 if self.drawn.large else self.random.choice([103, 110, 400])))
            choices.append(values)
        wanted = 4000 if self.drawn.large else 400
        keys = {tuple(self.random.choice(values) for values in choices) for _ in range(wanted)}
        return [list(key) for key in sorted(keys, key=str)]

    # Steps

    def step(self) -> dict:
        choice = self.random.random()
        if not self.plan["steps"]:
            return {"do": "write", **self.rows(deletes=[])}  # so that there is a snapshot
        if choice < 0.5:
            return {"do": "write", **self.rows()}
        if choice < 0.58 and self.overwritable():
            # A compaction leaves a file alone that an overwrite put on the highest level, with its deletes.
            return {"do": "overwrite", **self.rows(deletes=[] if self.drawn.with_java else self.drawn.deletes)}
        if choice < 0.68:
            return self.concurrent()
        if choice < 0.76:
            return {"do": "tag", "name": f"tag{len(self.plan['steps'])}"}
        if choice < 0.87:
            return self.alter()
        if self.drawn.with_java:
            return {"do": "compact", "full": self.chance(0.5) or "deletion-vectors.enabled" not in self.options}
        return {"do": "write", **self.rows()}

    def overwritable(self) -> bool:
        """Pypaimon overwrites partitions of text only (TypeErrors)."""
        partition = [column["type"] for column in self.columns if column["name"] == "p"]
        return "pypaimon" not in self.drawn.writers or partition in ([], ["STRING"])

    def rows(self, pool: list | None = None, deletes: list[str] | None = None) -> dict:
        pool = pool or self.pool
        deletes = self.drawn.deletes if deletes is None else deletes
        count = self.random.choice([1, 20, 1500] if self.drawn.large else [1, 3, 8, 20, 20, 60, 300])
        keys = self.random.choices(pool, k=count)
        if "java" in self.drawn.writers and "sequence.field.sort-order" in self.options:
            # Java 1.4 sorts the rows of a commit upwards all the same: one row of a key, then.
            keys = self.random.sample(pool, min(count, len(pool)))
        rows = [self.row(key) for key in keys]
        kinds = ["+I"] * len(rows)
        if self.drawn.deletes:
            kinds = [self.random.choice(["+I", "+I", "+I", "+U", *deletes]) for _ in rows]
        if "rowkind.field" in self.options:
            position = self.position("rk")
            for row, kind in zip(rows, kinds):
                row[position] = kind
        return {"rows": rows, "kinds": kinds}

    def row(self, key: list) -> list:
        key = iter(key)
        return [next(key) if column["name"].startswith("k") else self.value(column) for column in self.columns]

    def value(self, column: dict):
        if column["name"] == "p":
            return self.random.choice(PARTITIONS[column["type"]])
        return None if self.chance(0.25) else self.random.choice(self.values_of(column))

    def values_of(self, column: dict) -> list:
        return self.own_values.get(column["id"], self.values[column["type"]])

    def position(self, name: str) -> int:
        return next(i for i, column in enumerate(self.columns) if column["name"] == name)

    def concurrent(self) -> dict:
        """Two commits whose writers knew the same table: no rows between which nothing but arrival would decide."""
        ordering = [i for i, column in enumerate(self.columns) if column["id"] == self.sequence]
        values = [value for i in ordering for value in self.values_of(self.columns[i])]
        # Where aggregations take back, their sequence fields become NULL.
        keeps_order = not (self.options.get("merge-engine") == "aggregation" and self.drawn.deletes)
        if keeps_order and len(values) > 1 and self.chance(0.7):
            one, other = self.rows(), self.rows()
            for row in one["rows"]:
                row[ordering[0]] = self.random.choice(values[0::2])
            for row in other["rows"]:
                row[ordering[0]] = self.random.choice(values[1::2])
        elif len(self.pool) > 1:
            half = len(self.pool) // 2
            one, other = self.rows(self.pool[:half]), self.rows(self.pool[half:])
        else:
            return {"do": "write", **self.rows()}
        return {"do": "concurrent", **one, "other_rows": other["rows"], "other_kinds": other["kinds"]}

    def alter(self) -> dict:
        # Java forgets the option that names the first sequence group where it renames columns.
        forgotten = "partial-update.remove-record-on-sequence-group" in self.options and "java" in self.drawn.writers
        named = [
            column
            for column in self.columns
            if column["name"].startswith(("a", "g", "s")) and not (forgotten and column["name"] == "g0s0")
        ]
        if not (named and self.drawn.complete and self.chance(0.3)):
            return super().alter()
        column = self.random.choice(named)  # whose new name options follow
        name = column["name"]
        column["name"] = f"{name[0]}r{self.random.randrange(10**9)}"
        return {"do": "alter", "change": "rename", "name": name, "id": column["id"], "to": column["name"]}

    # Questions

    def questions(self, model: Model):
        """What to read: columns of the table as it is, or of a tag, under filters; and the rows that are right."""
        now = {column["id"]: column for column in self.columns}
        everything = list(now.values())
        yield self.question(model, everything)
        for _ in range(2):
            yield self.question(model, self.random.sample(everything, self.random.randint(1, len(everything))))
        for _ in range(4):
            filters = [self.draw_filter() for _ in range(self.random.choice([1, 1, 2]))]
            filtered = {name for _, name, *_ in filters}
            columns = [column for column in everything if column["name"] in filtered or self.chance(0.5)]
            yield self.question(model, columns, filters=filters)
        for tag, (then, _) in model.tags.items():
            kept = [column for column in then if now.get(column["id"]) == column]
            if not any(column["name"].startswith(("ar", "gr", "sr")) for column in everything if column not in kept):
                yield self.question(model, kept, tag=tag)  # whose options name columns as they were

    def draw_filter(self) -> list:
        """`[operator, column, literals...]` on a value that is, was or may have been there."""
        column = self.random.choice([column for column in self.columns if column["type"] in FILTERED] or self.columns)
        if column["type"] not in FILTERED:
            return [self.random.choice(["is null", "is not null"]), column["name"]]
        if column["name"].startswith("k"):
            names = [each["name"] for each in self.columns if each["name"].startswith("k")]
            values = [key[names.index(column["name"])] for key in self.pool]
        else:
            values = PARTITIONS[column["type"]] if column["name"] == "p" else self.values_of(column)
        operator, literals = self.random.choice([("=", 1), ("=", 1), ("<", 1), (">=", 1), ("in", 2), ("is null", 0)])
        return [operator, column["name"], *(self.random.choice(values) for _ in range(literals))]

    def question(self, model: Model, columns: list[dict], filters: list = (), tag: str | None = None) -> dict:
        rows = model.tags[tag][1] if tag else model.rows()
        for filter in filters:
            column = self.columns[self.position(filter[1])]
            rows = [row for row in rows if holds(filter, column["type"], row.get(column["id"]))]
        answer = [[row.get(column["id"]) for column in columns] for row in rows]
        return {"columns": [dict(column) for column in columns], "filters": list(filters), "tag": tag, "rows": answer}


def holds(filter: list, kind: str, value) -> bool:
    """A filter's value on one value, NULL being none of the literals."""
    operator, _, *literals = filter
    if value is None or operator.endswith("null"):
        return operator.startswith("is") and (value is None) == (operator == "is null")
    value, literals = order(kind, value), [order(kind, literal) for literal in literals]
    return {
        "=": lambda: value == literals[0],
        "<": lambda: value < literals[0],
        ">=": lambda: value >= literals[0],
        "in": lambda: value in literals,
    }[operator]()


def spelt(rows: list[list], columns: list[dict], unordered: set[int]) -> list[str]:
    """Rows as sorted JSON text; the items of maps, and of arrays that are sets, are in the order of their text."""
    loose = [column["id"] in unordered or column["type"].startswith("MAP") for column in columns]
    return sorted(
        text(
            [sorted(value, key=text) if free and isinstance(value, list) else value for value, free in zip(row, loose)]
        )
        for row in rows
    )


def text(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def unordered(plan: dict) -> set[int]:
    """The columns whose arrays are sets."""
    names = {name.split(".")[1] for name in plan["options"] if name.endswith((".distinct", ".nested-key"))}
    return {column["id"] for column in plan["columns"] if column["name"] in names}
