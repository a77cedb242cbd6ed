"""Random plans of tables that are compacted: the steps of `keyed_plan.py`, and compactions between and beside them."""

from functools import cached_property

from compact_model import CompactModel
from compact_table import CompactTable
from keyed_model import UPGRADING
from keyed_plan import KeyedDraw


def draw_plan(seed: int, writers: list[str], readers: list[str]) -> dict:
    """A plan that `writers` are able to carry out, each step by the one it names."""
    return CompactDraw(seed, writers, readers).plan


class CompactDraw(KeyedDraw):
    """A plan as it grows."""

    kind, table_draw, model = "compact", CompactTable, CompactModel

    def step(self) -> dict:
        choice = self.random.random()
        if not self.plan["steps"]:
            return {"do": "write", **self.rows(deletes=[])}
        if choice < 0.45:
            return {"do": "write", **self.rows()}
        if choice < 0.52 and self.overwritable():
            # A compaction leaves a file alone that an overwrite put on the highest level, with its deletes.
            return {"do": "overwrite", **self.rows(deletes=[])}
        if choice < 0.62:
            return self.concurrent()
        if choice < 0.68:
            return {"do": "tag", "name": f"tag{len(self.plan['steps'])}"}
        if choice < 0.76:
            return self.alter()
        if choice < 0.82 and "ours" in self.drawn.writers and (self.drawn.steady or self.drawn.hides):
            return {"do": "beside", **self.rows()}
        return self.compact()

    def compact(self) -> dict:
        full = self.chance(0.5) or not (self.drawn.steady or self.drawn.hides)
        return {"do": "compact", "full": full}

    def overwritable(self) -> bool:
        told = self.options.get("changelog-producer") in ("lookup", "full-compaction")  # of which a changelog is silent
        return super().overwritable() and not told and self.drawn.buckets not in ("across", "postponed")

    def value(self, column: dict):
        """A row without a place in a sequence group has nothing in it once it is folded, even with no other."""
        if self.drawn.steady and column["id"] in self.placed:
            return self.random.choice(self.values_of(column))
        value = super().value(column)
        # Java 1.4 gives files on its own disk the names of partitions, slashes and all.
        return "b" if value == "b/1" and column["name"] == "p" and "java" in self.drawn.writers else value

    @cached_property
    def placed(self) -> set[int]:
        names = {name.split(".")[1] for name in self.options if name.endswith(".sequence-group")}
        return {column["id"] for column in self.plan["columns"] if column["name"] in names}

    def writer_of(self, step: dict) -> str:
        if step["do"] == "beside" or (step["do"] == "compact" and self.drawn.buckets == "postponed"):
            return "ours"
        able = [writer for writer in self.drawn.writers if step["do"] != "compact" or writer in UPGRADING]
        return self.random.choice(able or ["ours"])

    def add(self, step: dict, model: CompactModel) -> None:
        super().add(step, model)
        if step["by"] == "ours" and step["do"] in ("write", "overwrite") and self.chance(0.25):
            step["through"] = "daft"

    def last_steps(self) -> list[dict]:
        told = self.options.get("changelog-producer") in ("lookup", "full-compaction")
        return [{"do": "compact", "full": True}] if told or self.chance(0.5) else []
