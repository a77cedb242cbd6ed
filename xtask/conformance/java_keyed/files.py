"""Levels, deletion vectors, formats and statistics of files, and schemas that changed between them."""

from java_values import at, f64

from java_keyed.tables import aggregation, inserts, keyed, row_reads, states, twin


def levels(table):
    """Files on several levels at once, as a writer that compacts leaves them."""
    options = {"write-only": "false", "num-sorted-run.compaction-trigger": 3, "file.compression": "none"}
    keyed(table, {"k": "BIGINT", "v": "STRING"}, options)
    table.write(*inserts(600, lambda k: f"base {k * 7919 % 1000003}"), compact=True)
    for commit in range(7):
        ages = range(commit, 200, 11 + commit * 9)
        table.upsert(*(["-D" if k % 5 == 0 else "+U", k, f"{commit} {k}"] for k in ages), ["+I", 1000 + commit, "new"])
    return row_reads(table, at(snapshot=3), {"read_optimized": True}, {"filter": ["<", "k", 30]})


def deletions(table, **options):
    """Deletion vectors that compaction made, on several levels, with newer files on level 0 above them."""
    settings = {"deletion-vectors.enabled": "true", "write-only": "false", "bucket": 2, **options}
    keyed(table, {"k": "BIGINT", "v": "STRING", "n": "INT"}, settings)
    table.write(*inserts(60, lambda k: f"base {k}", lambda k: k), compact=True)
    table.upsert(*(["+U", k, "once", k] for k in range(0, 60, 7)), ["-D", 3, None, None], ["+I", 100, "new", 0])
    table.upsert(["+U", 7, "twice", 7], ["-D", 100, "new", 0], ["+I", 3, "back", None])
    table.ask("tag", name="compacted")
    table.upsert(["+U", 0, "above", 0], ["-D", 1, None, None], ["+I", 200, "above", 2], options={"write-only": "true"})
    table.upsert(["+U", 200, "above all", 2], ["+U", 14, "above", 2], options={"write-only": "true"})
    return states(table) + row_reads(table, at(tag="compacted"), {"filter": ["=", "v", "base 14"]})


def deletions_v1(table):
    return deletions(table)


def deletions_v2(table):
    return deletions(table, **{"deletion-vectors.bitmap64": "true", "file.format": "orc"})


def deletions_merged(table, **options):
    """Newer files on level 0 merged with what deletion vectors leave of the others.

    Java 1.4 does not know this option, and passes over level 0. What a twin without deletion vectors gives is right.
    """
    deletions(table, **{"deletion-vectors.merge-on-read": "true"}, **options)
    deletions(twin(table), **{"deletion-vectors.enabled": "false"}, **options)
    asked = [["=", "v", "base 14"], ["=", "v", "above"], ["=", "v", "once"], ["=", "k", 200], ["is null", "n"]]
    return row_reads(twin(table), at(tag="compacted"), *({"filter": filter} for filter in asked))


def deletions_v2_merged(table):
    return deletions_merged(table, **{"deletion-vectors.bitmap64": "true", "file.format": "avro"})


def deletions_aggregated(table):
    """Deletion vectors under a function that needs all rows."""
    settings = {"deletion-vectors.enabled": "true", "write-only": "false"}
    aggregation(table, {"n": ("INT", "sum"), "v": ("STRING", "last_non_null_value")}, settings)
    table.write(*([k, k, f"v{k}"] for k in range(20)), compact=True)
    table.write(*([k, 100, None] for k in range(0, 20, 3)))
    table.write([0, 1, "hidden"], [50, 1, "hidden"], options={"write-only": "true"})
    return states(table)


def format_per_level(table):
    """A format for each level."""
    options = {"file.format.per.level": "0:avro,5:orc", "file.compression.per.level": "0:snappy,5:zlib"}
    keyed(table, {"k": "BIGINT", "v": "STRING", "n": "DOUBLE"}, {"bucket": 2, **options})
    table.write(*inserts(10, lambda k: f"v{k}", lambda k: f64(k / 4)))
    table.compact()
    table.upsert(["-D", 1, None, None], ["+U", 2, "two", None], ["+I", 30, None, f64(0.0)])
    return states(table)


def indexed_values(table):
    """Indexes and statistics of values, which say nothing of what a newer file holds of a key."""
    options = {"file-index.bloom-filter.columns": "v,n", "file-index.bitmap.columns": "n", "bucket": 2}
    options |= {f"file-index.bloom-filter.{name}.items": 20 for name in ("v", "n")}
    keyed(table, {"k": "BIGINT", "v": "STRING", "n": "INT"}, options)
    table.write(*inserts(20, lambda k: f"v{k % 5}", lambda k: k % 3))
    table.write(*inserts(20, lambda k: "new", lambda k: 9)[::2])
    table.upsert(*(["-D", k, None, None] for k in range(0, 20, 5)))
    asked = [["=", "v", "v0"], ["=", "v", "new"], ["=", "n", 9], ["<", "n", 9], ["is null", "v"], ["=", "k", 5]]
    asked += [["and", ["=", "k", 2], ["=", "v", "v2"]], ["or", ["=", "k", 1], ["=", "v", "v3"]], ["in", "n", 0, 1]]
    asked += [["<>", "v", "new"], ["and", [">", "k", 3], ["<", "k", 9]], ["or", ["=", "k", 0], ["=", "k", 3]]]
    return states(table) + row_reads(table, *({"filter": filter} for filter in asked))


def statistics(table):
    """Keys whose files tell little of their values."""
    options = {"metadata.stats-mode": "none", "metadata.stats-keep-first-n-columns": 1, "bucket": 2}
    keyed(table, {"k": "STRING NOT NULL", "v": "STRING"}, options)
    table.write(*([f"{'long key ' * 6}{k}", f"v{k}"] for k in range(8)))
    table.upsert(*(["-D" if k % 2 else "+U", f"{'long key ' * 6}{k}", "x"] for k in range(4)))
    return states(table)


def many_runs(table):
    """Twelve overlapping runs, and files beside them that overlap with none."""
    keyed(table, {"k": "BIGINT", "v": "INT", "w": "STRING"})
    for commit in range(12):
        table.upsert(*(["-D" if (k + commit) % 13 == 0 else "+U", k, commit, f"{k}"] for k in range(commit, 60, 3)))
    table.write(*inserts(5, lambda k: k, str, first=500))
    table.write(*inserts(5, lambda k: k, str, first=600))
    table.write(*inserts(5, lambda k: -k, str, first=604))
    return row_reads(table, at(snapshot=6), {"filter": [">", "k", 590]}, {"filter": ["=", "v", 5]})


def emptied(table):
    """All rows deleted, then compacted away, and one row at last."""
    keyed(table, {"k": "BIGINT", "v": "STRING"})
    table.write([0, "a"], [1, "b"])
    table.upsert(["-D", 0, "a"], ["-D", 1, None])
    table.compact()
    table.upsert(["-D", 5, None])
    table.write([2, "alone"])
    return states(table)


def evolved(table, **options):
    """Columns renamed, added, dropped, added again and widened between files that are merged."""
    columns = {"k": "INT", "old": "STRING", "n": "INT", "gone": "INT", "d": "DECIMAL(9, 2)", "t": "TIMESTAMP(3)"}
    keyed(table, columns, {"bucket": 2, **options})
    table.write(*([k, f"s{k}", k, k, f"{k}.25", k * 1000] for k in range(10)))
    table.compact()
    table.write(*([k, None, k + 100, None, None, None] for k in range(0, 10, 3)))
    table.alter({"change": "rename", "name": "old", "to": "new"}, {"change": "drop", "name": "gone"})
    table.alter({"change": "add", "name": "gone", "type": "STRING"}, {"change": "widen", "name": "n", "type": "BIGINT"})
    table.alter({"change": "widen", "name": "d", "type": "DECIMAL(18, 4)"})
    table.alter({"change": "widen", "name": "t", "type": "TIMESTAMP(6)"})
    table.write([0, "now", 2**40, "1.2345", 1, "g"], [1, None, None, None, None, None], [20, "n", 1, None, -1, "x"])
    table.alter({"change": "add", "name": "last", "type": {"type": "ARRAY", "element": "INT"}})
    table.write([3, None, 5, "0.0001", None, None, [1, None]], [21, "m", None, None, 7, None, []])
    return states(table)


def evolved_deduplicate(table):
    return evolved(table)


def evolved_partial_update(table):
    return evolved(table, **{"merge-engine": "partial-update", "file.format": "orc"})


def evolved_aggregation(table):
    options = {"merge-engine": "aggregation", "fields.n.aggregate-function": "sum", "file.format": "avro"}
    return evolved(table, **options, **{"fields.d.aggregate-function": "max"})


def evolved_sequence(table):
    """A sequence field that was widened, so that older files hold it in fewer bits."""
    keyed(table, {"k": "BIGINT", "s": "INT", "v": "STRING"}, {"sequence.field": "s"})
    table.write([0, 5, "five"], [1, 7, "seven"], [2, None, "null"])
    table.alter({"change": "widen", "name": "s", "type": "BIGINT"}, {"change": "add", "name": "w", "type": "INT"})
    table.write([0, 2**33, "large", 1], [1, 6, "six", 2], [2, -(2**33), "small", 3])
    table.write([0, 6, "late", 1], [3, None, "alone", None])
    return states(table)


TABLES = [
    *(levels, deletions_v1, deletions_v2, deletions_merged, deletions_v2_merged, deletions_aggregated),
    *(format_per_level, indexed_values, statistics, many_runs, emptied, evolved_deduplicate),
    *(evolved_partial_update, evolved_aggregation, evolved_sequence),
]
