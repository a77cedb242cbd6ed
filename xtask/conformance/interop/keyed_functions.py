"""Aggregate functions of columns as the model has them: each adds a value to what there is, or takes one out of it.

Values are spelt as in plans (see ../src/lib.rs): floats are bits, decimals text. ``None`` is NULL, and an empty start.
"""

import decimal
import struct

decimal.setcontext(decimal.Context(prec=60))


def number(kind: str, value):
    """A spelt value as what it stands for, to be added and multiplied."""
    if kind == "FLOAT":
        return struct.unpack("<f", struct.pack("<i", value))[0]
    if kind == "DOUBLE":
        return struct.unpack("<d", struct.pack("<q", value))[0]
    return decimal.Decimal(value) if kind.startswith("DECIMAL") else value


def spell(kind: str, value):
    """The reverse of `number`."""
    if kind == "FLOAT":
        return struct.unpack("<i", struct.pack("<f", value))[0]
    if kind == "DOUBLE":
        return struct.unpack("<q", struct.pack("<d", value))[0]
    if kind.startswith("DECIMAL"):
        scale = int(kind.rstrip(")").split(",")[1])
        return format(value.quantize(decimal.Decimal(1).scaleb(-scale)), "f")
    return value


def order(kind: str, value):
    """What a spelt value is sorted by: floats from -NaN over -0 and 0 to NaN, text and bytes by their bytes."""
    if kind in ("FLOAT", "DOUBLE"):
        return value if value >= 0 else value ^ (2**31 - 1 if kind == "FLOAT" else 2**63 - 1)
    if kind.startswith("DECIMAL"):
        return decimal.Decimal(value)
    return value.encode() if kind == "STRING" else value


class Function:
    """One aggregate function over the values of one key."""

    OPTIONS = ("ignore-retract", "distinct", "list-agg-delimiter", "nested-key")

    def __init__(self, name: str, kind: str, options: dict):
        self.name, self.kind, self.options = name, kind, options
        self.started = False  # whether first_value or first_non_null_value has its value

    def add(self, old, new):
        if self.name.startswith("first_"):
            if self.started or (new is None and self.name == "first_non_null_value"):
                return old
            self.started = True
            return new
        if self.name in ("last_value", "primary-key"):
            return new
        if self.name == "listagg":
            return self.listed(old, new)
        if self.name == "collect" and self.options.get("distinct"):
            return distinct((old or []) + (new or [])) if old is not None or new is not None else None
        if self.options.get("nested-key") and new is not None:
            return list({row[0]: row for row in [*(old or []), *new]}.values())
        if old is None or new is None:
            return old if new is None else new
        return {
            "last_non_null_value": lambda: new,
            "sum": lambda: self.computed(old, new, lambda a, b: a + b),
            "product": lambda: self.computed(old, new, lambda a, b: a * b),
            "max": lambda: max(old, new, key=lambda value: order(self.kind, value)),
            "min": lambda: min(old, new, key=lambda value: order(self.kind, value)),
            "bool_and": lambda: old and new,
            "bool_or": lambda: old or new,
            "collect": lambda: old + new,
            "merge_map": lambda: pairs({**dict(old), **dict(new)}),
            "nested_update": lambda: old + new,
        }[self.name]()

    def add_older(self, old, new):
        """Adds a value that belongs before those added already; collected ones stand behind, unless nothing leaves."""
        behind = self.name == "collect" and not self.options.get("ignore-retract")
        return self.add(old, new) if behind else self.add(new, old)

    def take_out(self, old, new):
        if self.options.get("ignore-retract"):
            return old
        if self.name in ("last_value", "primary-key"):
            return None if self.name == "last_value" else new
        if new is None:
            return old
        if self.name == "sum" and old is None:
            return self.computed(new, new, lambda a, _: -a)
        if old is None or self.name == "last_non_null_value":
            return None
        if self.options.get("nested-key"):
            return [row for row in old if row[0] not in {taken[0] for taken in new}]
        return {
            "sum": lambda: self.computed(old, new, lambda a, b: a - b),
            "product": lambda: self.computed(old, new, lambda a, b: a // b if isinstance(a, int) else a / b),
            "collect": lambda: without(old, new),
            "merge_map": lambda: pairs({key: value for key, value in old if key not in dict(new)}),
            "nested_update": lambda: [row for row in old if row not in new],
        }[self.name]()

    def computed(self, old, new, operation):
        return spell(self.kind, operation(number(self.kind, old), number(self.kind, new)))

    def listed(self, old, new):
        if new is None or not new.strip():
            return old
        if old is None or not old.strip():
            return new
        delimiter = self.options.get("list-agg-delimiter") or ","
        if self.options.get("distinct"):
            new_ones = distinct(token for token in new.split(delimiter) if token.strip())
            return delimiter.join([old, *(token for token in new_ones if token not in old.split(delimiter))])
        return old + delimiter + new


def distinct(values) -> list:
    return list(dict.fromkeys(values))


def without(values: list, taken: list) -> list:
    """Values without one occurrence for each of the taken."""
    rest = list(taken)
    return [value for value in values if value not in rest or rest.remove(value)]


def pairs(entries: dict) -> list:
    return [[key, value] for key, value in entries.items()]
