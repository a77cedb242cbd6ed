"""The fold of the rows of one key into one, for every merge engine: what the model is about.

Rows are dictionaries by column id. The order of a fold is that of the sequence columns, then of arrival.
"""

import dataclasses

from keyed_functions import Function, order


@dataclasses.dataclass
class Record:
    """A row of one key: its kind, its place in the order of arrival, and whether it waits on level 0."""

    kind: str
    number: int
    row: dict
    waits: bool = True

    @property
    def retracts(self) -> bool:
        return self.kind in ("-U", "-D")


class Fold:
    """The rules of one table, by the options that it was made with."""

    def __init__(self, columns: list[dict], key: list[str], options: dict):
        ids = {column["name"]: column["id"] for column in columns}
        self.kinds = {column["id"]: column["type"] for column in columns}  # its columns' types as they are now
        self.options = options
        self.engine = options.get("merge-engine", "deduplicate")
        self.key = [ids[name] for name in key]
        self.sequence = [ids[name] for name in options.get("sequence.field", "").split(",") if name]
        removing = options.get("partial-update.remove-record-on-sequence-group", "")
        self.removing = {ids[name] for name in removing.split(",") if name}
        self.groups = {}  # sequence columns -> the other columns of their group
        self.functions = {}  # column -> name and options of its function
        for name, value in options.items():
            if name.endswith(".sequence-group"):
                ordering = tuple(ids[column] for column in name.split(".")[1].split(","))
                self.groups[ordering] = [ids[column] for column in value.split(",")]
            elif name.endswith(".aggregate-function"):
                column = name.split(".")[1]
                own = {rest: self.own_option(f"fields.{column}.{rest}") for rest in Function.OPTIONS}
                self.functions[ids[column]] = (value, own)

    def option(self, name: str) -> bool:
        return self.options.get(name) == "true"

    def own_option(self, name: str):
        return {"true": True, "false": False}.get(self.options.get(name), self.options.get(name))

    def merge(self, records: list[Record]) -> Record | None:
        """One record for a key; a row that is alone is never folded."""
        if len(records) == 1:
            return records[0]
        records = sorted(records, key=lambda record: (record.number, not record.retracts))
        for id in reversed(self.sequence):  # NULL is the oldest, upwards and downwards
            nulls = [record for record in records if record.row.get(id) is None]
            others = [record for record in records if record.row.get(id) is not None]
            downwards = self.options.get("sequence.field.sort-order") == "descending"
            records = nulls + sorted(others, key=lambda record: self.place(record.row, id), reverse=downwards)
        if self.engine == "partial-update":
            return self.partial_update(records)
        if self.engine == "aggregation":
            return self.aggregate(records)
        if self.option("ignore-delete"):
            records = [record for record in records if not record.retracts]
        return (records[0] if self.engine == "first-row" else records[-1]) if records else None

    def place(self, row: dict, id: int) -> tuple:
        return () if row.get(id) is None else (order(self.kinds[id], row[id]),)

    def aggregate(self, records: list[Record]) -> Record:
        default = self.options.get("fields.default-aggregate-function", "last_non_null_value")
        functions = {}
        for id in dict.fromkeys(id for record in records for id in record.row):
            name, own = self.functions.get(id, (default, {}))
            name = "last_value" if id in self.sequence else "primary-key" if id in self.key else name
            functions[id] = Function(name, self.kinds[id], own)
        row, removed = {}, False
        for record in records:
            removed = record.kind == "-D" and self.option("aggregation.remove-record-on-delete")
            if removed:
                row = dict(record.row)
                continue
            for id, function in functions.items():
                change = function.take_out if record.retracts else function.add
                row[id] = change(row.get(id), record.row.get(id))
        return Record("-D" if removed else "+I", records[-1].number, row)

    def partial_update(self, records: list[Record]) -> Record:
        functions = {id: Function(name, self.kinds[id], own) for id, (name, own) in self.functions.items()}
        row, removed, inserted = {}, False, False
        for record in records:
            new = record.row
            row = row or (dict(new) if record.retracts else {})
            touched = list(self.touched_groups(row, new))
            removed = record.kind == "-D" and (
                self.option("partial-update.remove-record-on-delete")
                or any(newer and self.removing.intersection(ordering) for ordering, newer in touched)
            )
            if removed:
                row = dict(new)
                continue
            inserted = inserted or not record.retracts
            grouped = {id for ordering, members in self.groups.items() for id in (*ordering, *members)}
            if not record.retracts:
                row |= {id: value for id, value in new.items() if id not in grouped and value is not None}
            for ordering, newer in touched:
                for id in self.groups[ordering]:
                    if id in functions:
                        function = functions[id]
                        change = function.add if newer else function.add_older
                        change = function.take_out if record.retracts else change
                        row[id] = change(row.get(id), new.get(id))
                    elif newer:
                        row[id] = None if record.retracts else new.get(id)
                if newer:
                    row |= {id: new.get(id) for id in ordering}
        return Record("+I" if inserted and not removed else "-D", records[-1].number, row)

    def touched_groups(self, row: dict, new: dict):
        """The groups that a row has a place in, and whether it is not older there than what there is."""
        for ordering in self.groups:
            if any(new.get(id) is not None for id in ordering):
                was, now = (
                    [(each.get(id) is not None, self.place(each, id)) for id in ordering] for each in (row, new)
                )
                yield ordering, now >= was
