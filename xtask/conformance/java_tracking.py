"""Golden tables with row tracking, made by Java Paimon: deletions, data evolution, blobs, and compactions of each.

A function of this module fills one table and gives the reads beyond that of the newest snapshot. Java 1.4 has no
deletion vectors where there is data evolution, and no blobs in arrays or maps; the golden tables of pypaimon have them.
"""

import json

from java_driver import Table
from java_values import at

TRACKED = {"row-tracking.enabled": "true", "compaction.min.file-num": "2"}
EVOLVING = {**TRACKED, "data-evolution.enabled": "true"}


def tracking(table: Table, *reads: dict) -> list[dict]:
    """Reads with `_ROW_ID` and `_SEQUENCE_NUMBER`: `reads`, and each snapshot."""
    snapshots = sorted(int(path.name.split("-")[1]) for path in table.folder.glob("snapshot/snapshot-*"))
    done = []
    for read in [*(at(snapshot=snapshot) for snapshot in snapshots), *reads]:
        rows = table.system("row_tracking").rows(**read)
        done.append({**read, "row_tracking": True, "rows": [json.loads(row) for row in rows]})
    return done


def blob(length: int) -> str:
    return "".join(f"{(length * 7 + i) % 256:02x}" for i in range(length))


def deletions(table: Table, file_format="parquet"):
    """Rows deleted, their files compacted: row ids stand in the new files and stay; more rows follow."""
    options = {**TRACKED, "deletion-vectors.enabled": "true", "file.format": file_format}
    table.create({"k": "BIGINT", "v": "STRING"}, options=options)
    for commit in range(4):
        table.write(*([commit * 5 + i, f"v{commit}"] for i in range(5)))
    table.ask("delete", filter=["in", "k", 1, 2, 11, 19])
    table.ask("tag", name="deleted")
    table.compact()
    table.write([20, "late"], [21, None])
    table.ask("delete", filter=["in", "k", 0, 20])
    asked = [["=", "v", "v1"], ["in", "k", 3, 12]]  # by row id it fails, once there are files with row ids in them
    return tracking(table, at(tag="deleted"), *({"filter": filter} for filter in asked))


def deletions_orc(table: Table):
    return deletions(table, "orc")


def partitioned(table: Table):
    """Row ids go partition by partition within a commit; an overwrite gives new ones."""
    table.create({"p": "STRING", "k": "BIGINT"}, ["p"], TRACKED)
    table.write(*(["bac"[k % 3], k] for k in range(7)))
    table.write(*(["cad"[k % 3], k] for k in range(7, 12)))
    table.write(["a", 20], ["a", 21], overwrite={"p": "a"})
    table.write(["b", 30], ["e", 31])
    return tracking(table, {"filter": ["=", "p", "c"]}, {"filter": ["=", "k", 8]})


def evolved(table: Table, file_format="parquet"):
    """Columns written again, apart from the others and from each other; added, renamed and widened ones; compacted."""
    columns = {"k": "BIGINT", "a": "INT", "b": "STRING", "c": "DOUBLE"}
    table.create(columns, options={**EVOLVING, "file.format": file_format})
    table.write(*([k, k * 10, f"b{k}", None] for k in range(6)))
    table.write(*([k, k * 10, f"b{k}", None] for k in range(6, 10)))
    table.write(["first", 0], ["", None], columns=["b", "a"])
    change(table, 0, ["b"], *(["new" if k % 2 else None] for k in range(6)))
    change(table, 6, ["c", "a"], *([4607182418800017408, k] for k in range(4)))
    table.alter(
        {"change": "add", "name": "d", "type": "STRING"},
        {"change": "rename", "name": "b", "to": "text"},
        {"change": "widen", "name": "a", "type": "BIGINT"},
    )
    change(table, 0, ["d", "a"], *([f"d{k}", 2**40 + k] for k in range(6)))
    change(table, 0, ["d"], *([None if k == 3 else f"e{k}"] for k in range(6)))
    table.write([20, 1, "late", None, "d"])
    asked = [["=", "a", 20], ["=", "a", 2**40 + 2], ["=", "text", "b1"], ["=", "text", "new"], ["=", "d", "d3"]]
    asked += [["is null", "d"], ["in", "_ROW_ID", 3, 8, 12], ["and", ["=", "text", "b7"], ["=", "a", 1]]]
    return tracking(table, *({"filter": filter} for filter in asked))


def evolved_avro(table: Table):
    return evolved(table, "avro")


def evolved_orc(table: Table):
    return evolved(table, "orc")


def evolved_compacted(table: Table):
    """The files of columns merged into one."""
    evolved(table)
    table.compact()
    table.write([30, 2, "later", None, None])
    change(table, 0, ["a"], *([k] for k in range(13)))
    return tracking(table, {"filter": ["=", "_ROW_ID", 7]}, {"filter": ["=", "a", 7]})


def blobs(table: Table):
    """Two columns of blobs in rolled files: empty, NULL, not written, of updated rows; compacted."""
    columns = {"k": "BIGINT", "image": "BLOB", "name": "STRING", "sound": "BLOB"}
    table.create(columns, options={**EVOLVING, "blob.target-file-size": "300 b"})
    table.write(*([k, None if k % 3 == 1 else blob(k * 20), f"n{k}", blob(k * 7)] for k in range(12)))
    table.write([12, blob(1), None, None], [13, None, "last", ""])
    change(table, 0, ["name"], *([f"new {k}"] for k in range(12)))
    table.ask("tag", name="updated")
    table.compact()
    table.write([14, blob(4), "after", blob(5)])
    table.write([15, "no blobs"], [16, None], columns=["k", "name"])  # no compaction after that: it loses count
    table.write([17, blob(3)], columns=["k", "sound"])
    return tracking(table, at(tag="updated"), {"filter": ["=", "k", 9]}, {"filter": ["=", "name", "last"]})


def blobs_partitioned(table: Table):
    """Blobs of several partitions in one commit, one of them overwritten."""
    options = {**EVOLVING, "blob.target-file-size": "40 b", "file.format": "orc"}
    table.create({"p": "INT", "b": "BLOB", "k": "BIGINT"}, ["p"], options)
    table.write(*([k % 3, blob(k * 5), k] for k in range(9)))
    table.write([1, blob(50), 10], [1, None, 11], overwrite={"p": "1"})
    table.write([1, "", 12], [2, blob(9), 13])
    return tracking(table, {"filter": ["=", "p", 1]}, {"filter": ["in", "_ROW_ID", 4, 9, 11]})


def change(table: Table, first_row_id: int, columns: list[str], *rows) -> None:
    """New values of these columns of the rows of one file."""
    table.write(*rows, columns=columns, first_row_id=first_row_id)


TABLES = (
    *(deletions, deletions_orc, partitioned, evolved, evolved_avro, evolved_orc, evolved_compacted),
    *(blobs, blobs_partitioned),
)
