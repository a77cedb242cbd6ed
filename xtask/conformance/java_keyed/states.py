"""Partitions and buckets of every kind, changelogs, overwrites, branches."""

import json

from java_values import at

from java_keyed.tables import inserts, keyed, row_reads, states


def rescaled(table):
    """Partitions of two, three and five buckets."""
    keyed(table, {"k": "BIGINT", "p": "STRING", "v": "STRING"}, {"bucket": 2}, ["p", "k"], ["p"])
    table.write(*([k, "ab"[k % 2], f"v{k}"] for k in range(16)))
    table.write(*([k, "ab"[k % 2], f"w{k}"] for k in range(0, 16, 3)))
    table.alter({"change": "set", "name": "bucket", "value": "3"})
    table.write(*([k, "c", f"v{k}"] for k in range(16)))
    table.write(*([k, "b", f"v{k}"] for k in range(20, 30)), overwrite={"p": "b"})
    table.alter({"change": "set", "name": "bucket", "value": "5"})
    table.write(*([k, "d", f"v{k}"] for k in range(10)))
    asked = [
        ["=", "k", 4],
        ["and", ["=", "k", 6], ["=", "p", "a"]],
        ["in", "k", 3, 22],
        ["and", ["=", "k", 7], ["=", "p", "c"]],
    ]
    return states(table) + row_reads(table, *({"filter": filter} for filter in asked))


def dynamic(table):
    """Buckets that an index of keys tells, not the key."""
    keyed(table, {"k": "BIGINT", "v": "STRING"}, {"bucket": -1})
    table.write(*inserts(12, lambda k: f"v{k}"), buckets=[k // 5 for k in range(12)])
    table.upsert(["+U", 1, "new"], ["-D", 6, None], ["+U", 11, "newest"], buckets=[0, 1, 2])
    return states(table) + row_reads(table, {"filter": ["=", "k", 6]}, {"filter": ["in", "k", 1, 11]})


def cross_partition(table):
    """Rows that moved to another partition: deleted in the one, inserted in the other."""
    keyed(table, {"k": "BIGINT", "v": "STRING", "p": "INT"}, {"bucket": -1}, partition=["p"])
    table.write(*([k, f"v{k}", k % 2] for k in range(8)), buckets=[0] * 8)
    table.upsert(["-D", 0, "v0", 0], ["+I", 0, "moved", 1], ["-D", 3, "v3", 1], ["+I", 3, "moved", 2], buckets=[0] * 4)
    table.upsert(["+U", 0, "again", 1], ["+U", 1, "kept", 1], buckets=[0, 0])
    return states(table)


def moved(table, engine, columns, commits, options=()):
    """Commits in which keys come with other partitions than theirs; Java finds out where each row goes."""
    chosen = {"bucket": -1, "dynamic-bucket.target-row-num": 3, "merge-engine": engine, **dict(options)}
    keyed(table, {"k": "BIGINT", **columns, "p": "STRING"}, chosen, partition=["p"])
    for rows in commits:
        table.upsert(*rows)
        table.commits.append({"upserts": rows, "rows": [json.loads(row) for row in table.rows()]})
    return states(table) + row_reads(table, {"filter": ["=", "k", 3]}, {"filter": ["=", "p", "b"]})


def moved_deduplicate(table):
    """Keys that move, move back, are deleted from elsewhere and come again."""
    return moved(
        table,
        "deduplicate",
        {"v": "STRING"},
        [
            [["+I", k, f"v{k}", "ab"[k % 2]] for k in range(10)],
            [["+U", 0, "to b", "b"], ["+U", 3, "to c", "c"], ["+U", 4, "stays", "a"], ["-D", 5, "gone", "b"]],
            [["-U", 1, "v1", "b"], ["+U", 1, "to c", "c"], ["+U", 0, "to c", "c"], ["+U", 0, "back", "a"]],
            [["-D", 3, "gone from elsewhere", "a"], ["-D", 70, "never there", "a"], ["+I", 5, "again", "a"]],
            [["+I", k, "all to d", "d"] for k in range(0, 14, 2)],
        ],
    )


def moved_partial_update(table):
    """Rows that come for another partition change the row where it is; a key that was deleted is free.

    None of those that come for another partition takes back: Java would add it instead.
    """
    return moved(
        table,
        "partial-update",
        {"v": "STRING", "w": "INT"},
        [
            [["+I", k, f"v{k}", None, "ab"[k % 2]] for k in range(8)],
            [["+I", 0, None, 10, "b"], ["+I", 3, "new", None, "c"], ["+I", 9, None, 9, "c"], ["+I", 9, "x", None, "a"]],
            [["-D", 1, None, None, "b"], ["-D", 2, None, None, "a"], ["+I", 2, "same commit", None, "c"]],
            [["+I", 1, "next commit", 1, "c"], ["+U", 4, None, 44, "c"]],
        ],
        {"partial-update.remove-record-on-delete": "true"},
    )


def moved_aggregation(table):
    """Sums and the last texts of rows that came for any partition."""
    return moved(
        table,
        "aggregation",
        {"v": "STRING", "w": "INT"},
        [
            [["+I", k, f"v{k}", k, "ab"[k % 2]] for k in range(8)],
            [["+I", 0, "w", 10, "b"], ["+I", 3, None, 30, "c"], ["+I", 9, "x", 9, "c"], ["+I", 9, None, 1, "a"]],
            [["-U", 4, None, 3, "a"], ["+U", 4, None, 5, "b"], ["+I", 8, "y", 8, "a"]],
        ],
        {"fields.w.aggregate-function": "sum"},
    )


def moved_first_row(table):
    """The first row of a key stays, wherever the others come for."""
    return moved(
        table,
        "first-row",
        {"v": "STRING"},
        [
            [["+I", k, f"v{k}", "ab"[k % 2]] for k in range(8)],
            [["+I", 0, "late", "b"], ["+I", 2, "late", "a"], ["+I", 9, "first", "c"], ["+I", 9, "late", "a"]],
            [["+I", 9, "late", "c"], ["+I", 10, "first", "a"], ["+U", 11, "first", "b"]],
        ],
        {"write-only": "false"},
    )


def postponed(table):
    """Rows in real buckets, and rows that wait for theirs."""
    keyed(table, {"k": "BIGINT", "v": "STRING"}, {"bucket": -2})
    table.write(*inserts(6, lambda k: f"v{k}"), real_buckets=True)
    table.write([1, "new"], [3, "new"], real_buckets=True)
    table.write([0, "waits"], [50, "waits"])
    return states(table)


def changelog(table, producer):
    """A table that keeps a changelog beside its rows."""
    keyed(table, {"k": "BIGINT", "v": "STRING"}, {"changelog-producer": producer, "write-only": "false"})
    table.write([0, "a"], [1, "b"], compact=producer == "full-compaction")
    table.upsert(["+U", 1, "b2"], ["-D", 0, "a"], ["+I", 2, "c"])
    table.upsert(["-U", 1, "b2"], ["+U", 1, "b3"], ["+I", 0, "back"], compact=True)
    table.write([9, "top"], options={"write-only": "true"})
    return states(table)


def changelog_input(table):
    return changelog(table, "input")


def changelog_lookup(table):
    return changelog(table, "lookup")


def changelog_full_compaction(table):
    return changelog(table, "full-compaction")


def overwritten(table):
    """Overwriting partitions, one of them by name, and all."""
    keyed(table, {"k": "BIGINT", "v": "STRING", "p": "STRING"}, {"bucket": 2}, ["k", "p"], ["p"])
    table.write(*([k, f"v{k}", "abc"[k % 3]] for k in range(12)))
    table.write(*([k, "second", "abc"[k % 3]] for k in range(0, 12, 2)))
    table.write([0, "only a", "a"], [3, "only a", "a"], overwrite=True)
    table.write([1, "only b", "b"], overwrite={"p": "b"})
    table.upsert(["+U", 0, "after", "a"], ["-D", 2, None, "c"])
    return states(table)


def branched(table):
    """A branch that upserts on its own, tags, a rollback."""
    keyed(table, {"k": "BIGINT", "v": "STRING"})
    table.write(*inserts(6, lambda k: f"v{k}"))
    table.upsert(["-D", 0, "v0"], ["+U", 1, "one"])
    table.ask("tag", name="first", snapshot=1)
    table.ask("tag", name="second", snapshot=2)
    table.ask("branch", name="dev", tag="second")
    dev = table.on_branch("dev")
    dev.upsert(["+I", 0, "dev"], ["-D", 5, None])
    dev.compact()
    dev.write([6, "dev"])
    table.write([2, "lost"])
    table.ask("rollback", snapshot=2)
    table.upsert(["+U", 2, "two"], ["-D", 3, None])
    reads = [at(tag="first"), at(tag="second"), {"branch": "dev"}, {"branch": "dev", "filter": ["=", "v", "v5"]}]
    return states(table) + row_reads(table, *reads, {"branch": "dev", "read_optimized": True})


TABLES = [
    *(rescaled, dynamic, cross_partition, postponed, overwritten, branched, changelog_input),
    *(moved_deduplicate, moved_partial_update, moved_aggregation, moved_first_row),
    *(changelog_lookup, changelog_full_compaction),
]
