"""Rows that fill one another, with and without groups."""

from java_values import f64

from java_keyed.tables import keyed, states


def partial_update(table):
    """No group: what is not NULL stands."""
    columns = {"k": "BIGINT", "a": "INT", "b": "STRING", "c": {"type": "ARRAY", "element": "INT"}, "d": "DOUBLE"}
    keyed(table, columns, {"merge-engine": "partial-update", "bucket": 2})
    table.write(*([k, k, None, [k], None] for k in range(10)))
    table.write(*([k, None, f"b{k}", None, f64(k / 2)] for k in range(0, 10, 2)))
    table.write(*([k, k + 100, None, [None, k], None] for k in range(0, 10, 3)), [50, None, None, None, None])
    table.compact()
    table.upsert(["+U", 0, None, "late", None, None], ["+I", 51, 1, None, [], None], ["+U", 51, None, "x", None, None])
    return states(table)


def partial_update_sequence(table):
    """In the order of a field."""
    options = {"merge-engine": "partial-update", "sequence.field": "s"}
    keyed(table, {"k": "BIGINT", "a": "INT", "b": "STRING", "s": "INT"}, options)
    table.write([0, 1, None, 5], [1, 1, "one", 5], [2, 1, None, None])
    table.write([0, 2, "early", 3], [1, None, "late", 6], [2, None, "two", None])
    table.write([0, None, "late", 5], [1, 9, None, 4], [2, 5, None, 0])
    return states(table)


def partial_update_ignores_deletes(table):
    options = {"merge-engine": "partial-update", "ignore-delete": "true"}
    keyed(table, {"k": "BIGINT", "a": "INT", "b": "STRING"}, options)
    table.write([0, 1, None], [1, 1, "b"])
    table.upsert(["-D", 0, 1, None], ["-U", 1, 1, "b"], ["-D", 2, 2, "c"])
    table.upsert(["+I", 0, None, "x"], ["+U", 3, 3, None])
    return states(table)


def partial_update_removes(table):
    """A delete takes the row away, and what it held is there again when the row returns."""
    options = {"merge-engine": "partial-update", "partial-update.remove-record-on-delete": "true"}
    keyed(table, {"k": "BIGINT", "a": "INT", "b": "STRING"}, options)
    table.write(*([k, k, f"b{k}"] for k in range(8)))
    table.upsert(
        ["-D", 0, None, None], ["-D", 1, 1, "gone"], ["-U", 2, 2, "b2"], ["-D", 3, 3, None], ["-D", 90, 9, "x"]
    )
    table.upsert(["+I", 1, 100, None], ["+U", 3, None, "back"], ["-D", 4, 4, "b4"], ["+I", 4, None, "again"])
    table.compact()
    table.upsert(["-D", 5, None, None], ["+I", 0, 7, None], ["-U", 6, 6, None], ["-U", 91, 1, "only"])
    table.upsert(["+I", 5, None, "b"])
    return states(table)


GROUPS = {
    "merge-engine": "partial-update",
    "fields.g1.sequence-group": "a,b",
    "fields.g2,g3.sequence-group": "c,d",
}
GROUPED = {
    **{"k": "BIGINT", "a": "INT", "g1": "INT", "b": "STRING", "c": "DOUBLE", "g2": "INT", "d": "INT"},
    **{"g3": "STRING", "e": "STRING"},
}


def partial_update_groups(table):
    """Groups of one and of two fields, each with a time of its own; older rows, equal ones, NULLs, a field outside."""
    keyed(table, GROUPED, GROUPS)
    half = f64(0.5)
    table.write(*([k, k, 5, f"b{k}", half, 5, k, "m", "e"] for k in range(10)))
    table.write(
        [0, 100, 6, None, None, 4, 100, "z", None],  # newer, older
        [1, 100, 4, "old", None, 5, None, "n", "e1"],  # older, newer by the second field
        [2, 100, None, "none", half, None, None, None, "e2"],  # no group
        [3, None, 5, None, None, 5, None, "m", None],  # equal
        [4, 1, 5, "x", half, None, 100, "z", None],  # NULL stands lowest
        [5, 1, 9, "x", half, 6, 100, None, None],
        [20, None, None, None, None, None, None, None, None],
    )
    table.compact()
    table.write([5, 2, 8, "y", None, 6, 200, "a", None], [0, 0, 6, "zero", None, 5, 7, "m", None])
    table.write([20, 1, 1, "one", None, None, 1, "g3 alone", None], [2, 7, -1, "less", None, 0, None, None, None])
    return states(table)


def partial_update_retracts(table):
    """Deletes and updates before clear the groups that they are not older than."""
    keyed(table, GROUPED, GROUPS)
    half = f64(0.5)
    table.write(*([k, k, 5, f"b{k}", half, 5, k, "m", "e"] for k in range(8)))
    table.upsert(
        ["-D", 0, 0, 6, "b0", half, 4, 0, "m", "e"],
        ["-U", 1, 1, 5, "b1", half, 5, 1, "m", "e"],
        ["-D", 2, 2, 4, "b2", half, None, 2, None, "e"],
        ["-D", 3, 3, None, None, half, 9, 3, None, None],
        ["-D", 30, 1, 1, "only", half, 1, 1, "a", "e"],
        ["-D", 31, 1, None, "only", None, None, None, None, None],
    )
    table.upsert(["+I", 30, None, None, None, half, 0, 5, "z", None], ["+U", 0, 9, 6, "b", None, 4, 1, "m", None])
    table.compact()
    table.upsert(["-U", 4, None, 7, None, None, None, None, None, None], ["+U", 4, 1, 6, "old", half, 5, 8, "m", "x"])
    return states(table)


def partial_update_removes_by_group(table):
    """A delete that is newer in one group takes the row away; in the other one it clears fields."""
    keyed(table, GROUPED, {**GROUPS, "partial-update.remove-record-on-sequence-group": "g2"})
    half = f64(0.5)
    table.write(*([k, k, 5, f"b{k}", half, 5, k, "m", "e"] for k in range(8)))
    table.upsert(
        ["-D", 0, 0, 6, "b0", half, 5, 0, "m", "e"],
        ["-D", 1, 1, 5, "b1", half, 4, 1, "m", "e"],
        ["-U", 2, 2, 5, "b2", half, 9, 2, "z", "e"],
        ["-D", 3, 3, 5, None, half, 6, 3, None, None],
        ["-D", 30, 1, 1, "only", half, 1, 1, "a", "e"],
    )
    table.upsert(["+I", 3, None, 6, "b", half, 6, 5, "a", None], ["+U", 0, 9, 7, "b", None, 4, 1, "m", None])
    table.compact()
    table.upsert(["-D", 4, None, None, None, None, 6, None, "a", None], ["+I", 30, 1, 1, "x", half, 2, 2, "a", None])
    return states(table)


def partial_update_aggregates(table):
    """Functions inside groups, which older rows reach too, and their retraction."""
    functions = {
        **{"a": "sum", "b": "max", "c": "listagg", "d": "collect", "e": "first_value", "f": "last_value"},
        **{"h": "first_non_null_value", "i": "last_non_null_value", "j": "min", "l": "product"},
    }
    kinds = {name: "INT" for name in functions} | {"c": "STRING", "d": {"type": "ARRAY", "element": "INT"}}
    options = {f"fields.{name}.aggregate-function": function for name, function in functions.items()}
    options |= {"merge-engine": "partial-update", "fields.g.sequence-group": "a,b,c,d,e"}
    options |= {"fields.h1,h2.sequence-group": "f,h,i,j,l,plain"}
    keyed(table, {"k": "BIGINT", "g": "INT", **kinds, "h1": "INT", "h2": "INT", "plain": "INT", "free": "INT"}, options)

    def row(k, g, h1, h2, n):
        text = None if n is None else f"t{n}"
        return [k, g, n, n, text, None if n is None else [n, n + 1], *([n] * 7), h1, h2, n, n]

    def spread(k, g, h1, h2, n):
        *head, f, h, i, j, last, h1, h2, plain, free = row(k, g, h1, h2, n)
        return [*head[:7], f, h, i, j, last, h1, h2, plain, free]

    table.write(*(spread(k, 5, 5, 5, k + 1) for k in range(8)))
    table.write(spread(0, 6, 6, 0, 10), spread(1, 4, 5, 4, 10), spread(2, None, None, 9, 10), spread(3, 5, 5, 5, None))
    table.write(spread(0, 5, 6, -1, 3), spread(1, 4, 6, 0, None), spread(2, 9, None, None, 4), spread(4, 4, 4, 4, 2))
    table.compact()
    table.write(spread(0, 1, 1, 1, 7), spread(1, 7, 7, 7, 8), spread(20, None, None, None, 1))
    return states(table)


def partial_update_default(table):
    """A function for all fields that name none."""
    options = {
        "merge-engine": "partial-update",
        "fields.default-aggregate-function": "last_non_null_value",
        "fields.g.sequence-group": "a,b",
        "fields.b.aggregate-function": "sum",
    }
    keyed(table, {"k": "BIGINT", "g": "INT", "a": "INT", "b": "INT", "c": "STRING"}, options)
    table.write(*([k, 5, k, k, "c"] for k in range(6)))
    table.write([0, 6, None, 10, None], [1, 4, 10, 10, "x"], [2, None, 10, 10, None], [3, 5, None, None, None])
    table.upsert(["-D", 4, 6, 4, 4, "c"], ["-U", 5, 4, 1, 1, "c"], ["+I", 5, 5, 7, 7, None])
    return states(table)


TABLES = [
    *(partial_update, partial_update_sequence, partial_update_ignores_deletes, partial_update_removes),
    *(partial_update_groups, partial_update_retracts, partial_update_removes_by_group),
    *(partial_update_aggregates, partial_update_default),
]
