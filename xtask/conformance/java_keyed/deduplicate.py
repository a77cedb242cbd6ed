"""The last row of a key, by arrival and by sequence fields; kinds of rows; the first row of a key."""

import itertools

from java_keyed.tables import inserts, keyed, ordered, states


def changes(table, **options):
    """Inserts, updates and deletes, before and after a compaction; keys that never were are deleted, others return."""
    keyed(table, {"k": "BIGINT", "v": "STRING", "n": "INT"}, {"bucket": 2, **options})
    table.write(*inserts(12, lambda k: f"v{k}", lambda k: k if k % 3 else None))
    table.upsert(["+U", 1, "new", None], ["-D", 2, "v2", 2], ["-U", 3, "v3", None], ["-D", 90, None, 1])
    table.compact()
    table.upsert(["+I", 2, "back", 5], ["-D", 4, None, None], ["+U", 5, "first", 1], ["+U", 5, "second", 2])
    table.upsert(["-D", 5, "second", 2], ["+I", 20, None, None], ["-U", 1, "new", 1], ["+U", 1, "newer", 7])
    return states(table)


def deduplicate(table):
    return changes(table)


def deduplicate_orc(table):
    return changes(table, **{"file.format": "orc"})


def deduplicate_avro(table):
    return changes(table, **{"file.format": "avro"})


def ignore_delete(table):
    """Deletes that stand in files from before the option was set."""
    keyed(table, {"k": "BIGINT", "v": "STRING"})
    table.write([0, "a"], [1, "b"], [2, "c"])
    table.upsert(["-D", 0, "a"], ["-D", 1, "b"], ["-D", 7, "never"], ["-U", 2, "c"])
    table.upsert(["+I", 1, "b2"])
    table.alter({"change": "set", "name": "ignore-delete", "value": "true"})
    table.upsert(["-D", 1, "b2"], ["+I", 3, "d"])
    return states(table)


def ignore_update_before(table):
    keyed(table, {"k": "BIGINT", "v": "STRING"}, {"ignore-update-before": "true"})
    table.write([0, "a"], [1, "b"])
    table.upsert(["-U", 0, "a"], ["-D", 1, "b"], ["-U", 2, "c"])
    return states(table)


def sequence(table, **options):
    """Rows that arrive out of order, equal ones, NULLs in either field."""
    columns = {"k": "BIGINT", "s": "INT", "v": "STRING", "t": "TIMESTAMP(3)"}
    keyed(table, columns, {"sequence.field": "s,t", **options})
    table.write(*([k, 5, "five", 1000] for k in range(8)))
    table.write([0, 4, "older", 2000], [1, 6, "newer", 0], [2, 5, "older time", 0], [3, 5, "newer time", 2000])
    table.write([4, None, "null", 9000], [5, 5, "null time", None], [6, 5, "equal", 1000])
    table.upsert(["-D", 0, 4, "older", 2000], ["-D", 1, 5, "older", 9000], ["-D", 2, 5, "equal", 1000])
    table.write([7, 7, "first", 0], [7, 6, "second", 0], [4, None, "null", 9000], [9, None, "alone", None])
    table.compact()
    table.write([3, 5, "equal, later", 2000], [7, 6, "late", 9000])
    return states(table)


def sequence_ascending(table):
    return sequence(table)


def sequence_descending(table):
    return sequence(table, **{"sequence.field.sort-order": "descending"})


def sequence_types(table):
    """A sequence of fields of several types: floats, text, decimals, bytes."""
    columns = {"k": "BIGINT", "f": "DOUBLE", "d": "DECIMAL(20, 2)", "s": "STRING", "b": "BYTES", "v": "INT"}
    keyed(table, columns, {"sequence.field": "f,d,s,b"})
    floats = [*ordered("DOUBLE"), None]
    decimals, texts, bytes_ = ["-0.01", "123456789012345678.00"], ["", "é", "z"], ["80", "7f", "7fff"]
    orders = list(itertools.product(floats, decimals, texts, bytes_))
    for commit in range(3):
        table.write(
            *(
                [k, *orders[(k * 37 + commit * 61) % len(orders)], commit * 100 + k]
                for k in range(0, 40, 1 + commit % 2)
            )
        )
    return states(table)


def rowkind_field(table):
    """The kind of a row stands in a column of it."""
    keyed(table, {"k": "BIGINT", "v": "STRING", "kind": "STRING"}, {"rowkind.field": "kind"})
    table.write([0, "a", "+I"], [1, "b", "+I"], [2, "c", "+U"])
    table.write([0, "a", "-D"], [1, "b2", "+U"], [3, "d", "-U"])
    table.write([0, "again", "+I"], [2, "c", "-D"])
    return states(table)


def thin(table):
    """Files without key columns, and some with them from before the option was set."""
    keyed(table, {"v": "STRING", "b": "INT", "a": "STRING"}, key=["a", "b"])
    table.write(["one", 1, "x"], ["two", 2, "x"], ["three", 1, "y"])
    table.alter({"change": "set", "name": "data-file.thin-mode", "value": "true"})
    table.upsert(["+U", "TWO", 2, "x"], ["-D", "one", 1, "x"], ["+I", "", 7, "z"])
    table.write(["three!", 1, "y"])
    table.compact()
    table.write(["four", 4, "w"], ["three!!", 1, "y"])
    return states(table)


def key_order(table):
    """A key whose order is not that of the columns, with the partition in its middle."""
    columns = {"v": "STRING", "b": "INT", "p": "STRING", "a": "STRING"}
    keyed(table, columns, {"bucket": 2, "bucket-key": "b"}, ["a", "p", "b"], ["p"])
    rows = [[f"{a}{b}{p}", b, p, a] for a in "yxz" for b in (2, 1, -1) for p in ("m", "l")]
    table.write(*rows)
    table.write(*(["new " + v, b, p, a] for v, b, p, a in rows if b == 1 or a == "z"))
    table.upsert(*(["-D", None, b, p, a] for v, b, p, a in rows if a == "y" and b != 1))
    table.compact()
    table.write(["late", 2, "m", "z"], ["late", 3, "n", ""])
    return states(table)


def first_row_with(table, **options):
    keyed(table, {"k": "BIGINT", "v": "STRING"}, {"merge-engine": "first-row", "write-only": "false", **options})
    table.write([0, "first"], [1, "first"], [2, None])
    table.write([0, "second"], [3, "second"], [2, "second"])
    if options:
        table.upsert(["-D", 1, "first"], ["-U", 4, None], ["+U", 5, "update"])
    table.write([0, "hidden"], [9, "hidden"], options={"write-only": "true"})
    return states(table)


def first_row(table):
    """The first of the rows; what is not compacted yet is not read."""
    return first_row_with(table)


def first_row_ignores_deletes(table):
    return first_row_with(table, **{"ignore-delete": "true", "file.format": "avro"})


TABLES = [
    *(deduplicate, deduplicate_orc, deduplicate_avro, ignore_delete, ignore_update_before),
    *(sequence_ascending, sequence_descending, sequence_types, rowkind_field, thin, key_order, first_row),
    first_row_ignores_deletes,
]
