"""What the functions of this package make tables with, and ask of them."""

import json

from java_driver import Table
from java_values import ATOMS, NAN32, NAN64, at, f32, f64


def keyed(table: Table, columns: dict, options=(), key=("k",), partition=()) -> None:
    """Creates a table of one bucket, unless `options` says otherwise, whose files stay on level 0 until compacted."""
    table.create(columns, partition, {"bucket": 1, "write-only": "true", **dict(options)}, key)


def row_reads(table: Table, *reads: dict) -> list[dict]:
    """Each read with the rows that Java gives for it."""
    done = []
    for read in reads:
        source = table.on_branch(read["branch"]) if "branch" in read else table
        source = source.system("ro") if read.get("read_optimized") else source
        rows = source.rows(**{part: read[part] for part in ("options", "filter") if part in read})
        done.append({**read, "rows": [json.loads(row) for row in rows]})
    return done


def states(table: Table) -> list[dict]:
    """Reads of each earlier snapshot, and of what the highest level holds alone."""
    snapshots = sorted(int(path.name.split("-")[1]) for path in table.folder.glob("snapshot/snapshot-*"))
    return row_reads(table, *(at(snapshot=snapshot) for snapshot in snapshots[:-1]), {"read_optimized": True})


def ordered(kind: str) -> list:
    """Values of a type that Java has in one order.

    It sorts files by the bits of floats, but merges as if not-a-number were equal to everything and zeros of either
    sign to each other.
    """
    unordered = {"FLOAT": (NAN32, f32(-0.0)), "DOUBLE": (NAN64, f64(-0.0))}.get(kind, ())
    return [value for value in ATOMS[kind] if value not in unordered]


def inserts(count: int, *values, first=0) -> list[list]:
    """Rows of `k` and what each function of `k` gives."""
    return [[k, *(value(k) for value in values)] for k in range(first, first + count)]


def aggregation(table, fields: dict, options=()):
    """Columns of a type and a function each: name to (type, function, settings...)."""
    chosen = {"merge-engine": "aggregation"}
    for name, (_, function, *settings) in fields.items():
        chosen[f"fields.{name}.aggregate-function"] = function
        chosen |= {f"fields.{name}.{key}": value for key, value in settings}
    keyed(table, {"k": "BIGINT", **{name: kind for name, (kind, *_) in fields.items()}}, {**chosen, **dict(options)})


def twin(table: Table) -> Table:
    """The table that gives the rows of one that Java does not read right."""
    return Table(table.driver, table.warehouse, "golden.twin")
