"""The naive model of a table with a primary key: what its steps leave of the rows of each key.

A commit folds its rows of a key into one, a compaction folds what the commits left, and so does a read: see
`keyed_fold.py`. Rows are dictionaries by column id, so that renamed columns need nothing, and dropped ones are ignored.
"""

import dataclasses
import json

from keyed_fold import Fold, Record
from plan import apply_change

# Whose overwrites put files on the highest level, where all readers see them.
UPGRADING = ("ours", "java")


class Model:
    """The table after the steps so far."""

    def __init__(self, plan: dict):
        self.columns = [dict(column) for column in plan["columns"]]
        self.written = self.columns  # as the last commit knew them: a tag names a commit
        self.fold = Fold(self.columns, plan["key"], plan["options"])
        self.partition = [column["id"] for column in self.columns if column["name"] in plan["partition"]]
        self.skips_level_0 = self.fold.engine == "first-row" or (
            self.fold.option("deletion-vectors.enabled") and not self.fold.option("deletion-vectors.merge-on-read")
        )
        self.keys: dict[str, list[Record]] = {}
        self.tags: dict[str, tuple[list[dict], list[dict]]] = {}
        self.arrived = 0

    def step(self, step: dict) -> None:
        if step["do"] == "alter":
            apply_change(self.columns, step)
            self.fold.kinds |= {column["id"]: column["type"] for column in self.columns}
        elif step["do"] == "tag":
            self.tags[step["name"]] = (self.written, self.rows())
        elif step["do"] == "compact":
            self.compact()
        else:
            replaces = step["do"] == "overwrite"
            self.commit(step["rows"], step["kinds"], replaces, waits=not (replaces and step["by"] in UPGRADING))
            if step["do"] == "concurrent":
                self.commit(step["other_rows"], step["other_kinds"])

    def commit(self, rows: list, kinds: list, replaces: bool = False, waits: bool = True) -> None:
        """What one writer writes: rows in the order of arrival, those of a key folded into one."""
        self.written = [dict(column) for column in self.columns]
        ids = [column["id"] for column in self.columns]
        records = self.arrive([Record(kind, 0, dict(zip(ids, row))) for row, kind in zip(rows, kinds)])
        if self.fold.option("ignore-delete"):
            records = [record for record in records if not record.retracts]
        if self.fold.option("ignore-update-before"):
            records = [record for record in records if record.kind != "-U"]
        self.keep(records, replaces, waits)

    def arrive(self, records: list[Record]) -> list[Record]:
        """Gives records their places in the order of arrival."""
        first, self.arrived = self.arrived, self.arrived + len(records)
        return [dataclasses.replace(record, number=first + i) for i, record in enumerate(records)]

    def keep(self, records: list[Record], replaces: bool, waits: bool) -> None:
        if replaces:
            partitions = {spelt(record.row, self.partition) for record in records}
            for key, (first, *_) in list(self.keys.items()):
                if not self.partition or spelt(first.row, self.partition) in partitions:
                    del self.keys[key]
        written: dict[str, list[Record]] = {}
        for record in records:
            written.setdefault(spelt(record.row, self.fold.key), []).append(record)
        for key, of_key in written.items():
            if record := self.fold.merge(of_key):
                self.keys.setdefault(key, []).append(dataclasses.replace(record, waits=waits))

    def compact(self) -> None:
        for key, records in list(self.keys.items()):
            record = self.fold.merge(records)
            if record is None or record.retracts:
                del self.keys[key]
            else:
                self.keys[key] = [dataclasses.replace(record, waits=False)]

    def rows(self) -> list[dict]:
        """What a read finds: level 0 is not looked at where only a compaction can put rows in order."""
        seen = ([each for each in records if not (self.skips_level_0 and each.waits)] for records in self.keys.values())
        merged = [self.fold.merge(records) for records in seen if records]
        return [record.row for record in merged if record and not record.retracts]


def spelt(row: dict, ids: list[int]) -> str:
    return json.dumps([row[id] for id in ids])
