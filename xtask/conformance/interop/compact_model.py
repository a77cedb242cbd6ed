"""The naive model of a table that is compacted: see `keyed_model.py`, and below what is added to it.

A table that is not `write-only` compacts itself after each commit, so that nothing hides on level 0. Rows of postponed
buckets arrive when a compaction finds a bucket for them. A key that may be in any partition is in one at a time.
"""

import collections
import json

from keyed_fold import Record
from keyed_model import Model, spelt


class CompactModel(Model):
    """The table after the steps so far, and the rows that were written to a changelog that has them as they came."""

    def __init__(self, plan: dict):
        super().__init__(plan)
        options = plan["options"]
        self.automatic = options["write-only"] == "false"
        self.moves = not set(plan["partition"]) <= set(plan["key"])
        self.postponed: list[Record] = []
        self.postpones = options["bucket"] == "-2"
        self.into_buckets = options.get("postpone.batch-write-fixed-bucket") == "true"
        self.changes: list[tuple[str, dict]] = []
        self.writer = "ours"

    def step(self, step: dict) -> None:
        self.writer = step["by"]
        if step["do"] == "beside":
            self.commit(step["rows"], step["kinds"])
            self.compact()
        else:
            super().step(step)

    def keep(self, records: list[Record], replaces: bool, waits: bool) -> None:
        if not replaces:
            self.changes += [(record.kind, record.row) for record in records]
        if self.postpones and not (self.into_buckets and self.writer == "ours"):
            self.postponed += records
            return
        if self.moves and self.fold.engine in ("partial-update", "aggregation"):
            self.stay(records)
        super().keep(records, replaces, waits)
        if self.automatic and self.skips_level_0:
            self.compact_levels()

    def stay(self, records: list[Record]) -> None:
        """Puts rows into the partition where their key is already."""
        places = {spelt(row, self.fold.key): row for row in self.rows()}
        for record in records:
            place = places.setdefault(spelt(record.row, self.fold.key), record.row)
            record.row |= {id: place[id] for id in self.partition}

    def compact(self) -> None:
        if self.postponed:
            records, self.postponed = self.arrive(self.postponed), []
            super().keep(records, replaces=False, waits=True)
        self.compact_levels()

    def compact_levels(self) -> None:
        super().compact()


class Replay:
    """A table as its changelog alone tells it."""

    def __init__(self, key: list[int], engine: str, deduplicated: bool, moves: bool):
        self.key, self.engine, self.deduplicated, self.moves = key, engine, deduplicated, moves
        self.rows: dict[str, str] = {}

    def apply(self, snapshot: int, changes: list[list]) -> str | None:
        """Changes of one snapshot, `[kind, value, ...]`, in any order; what is wrong with them, if anything."""
        old, new = collections.defaultdict(list), collections.defaultdict(list)
        for kind, *row in changes:
            if self.engine == "first-row":
                kind = "+I" if kind == "+U" else kind  # as it was written
            (old if kind in ("-U", "-D") else new)[self.spelt(row)].append((kind, row))
        for key in {**old, **new}:
            was = self.rows.get(key)
            told = f"snapshot {snapshot}: key {key} was {was}, its changes are {old[key]} and {new[key]}"
            expected = [("-U", "+U")] if was and new[key] else [("-D", None)] if was else [(None, "+I")]
            if was and new[key] and self.moves:
                expected.append(("-D", "+I"))  # out of the partition, and back into another bucket of it
            kinds = tuple(sides[0][0] if sides else None for sides in (old[key], new[key]))
            if len(old[key]) > 1 or len(new[key]) > 1 or kinds not in expected:
                return told
            if was and text(old[key][0][1]) != was:
                return told
            if self.deduplicated and kinds == ("-U", "+U") and was == text(new[key][0][1]):
                return f"{told}, which is no change"
            self.rows.pop(key, None)
            if new[key]:
                self.rows[key] = text(new[key][0][1])
        return None

    def spelt(self, row: list) -> str:
        return text([row[place] for place in self.key])


def text(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
