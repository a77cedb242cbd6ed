"""Tables that show new rows only above level 0, written by us alone: everybody sees the rows after every step.

The steps are the same for all tables: appends, upserts, deletes, an overwrite, compactions, and upserts after these.
Only deduplicated rows are deleted. What a peer reads wrongly of any table is declared (`keyed_defects.py`).

    python visible.py --ours PYTHON --peers PYTHON --work FOLDER [--java DRIVER.JAR]
"""

import json
import pathlib
import shutil
import sys

import keyed_defects
from keyed_java import keyed_java
from peer import OURS, PEERS, arguments_of, started

COLUMNS = [{"name": "k", "type": "BIGINT"}, {"name": "v", "type": "STRING"}, {"name": "n", "type": "BIGINT"}]
VECTORS = {"deletion-vectors.enabled": "true"}
DYNAMIC = {"bucket": "-1", "dynamic-bucket.target-row-num": "4"}
TABLES = {
    "deletion vectors": VECTORS,
    "first-row": {"merge-engine": "first-row"},
    "deletion vectors and partial-update": {**VECTORS, "merge-engine": "partial-update"},
    "deletion vectors and aggregation": {
        **VECTORS,
        "merge-engine": "aggregation",
        "fields.n.aggregate-function": "sum",
    },
    "deletion vectors of 64 bits": {**VECTORS, "deletion-vectors.bitmap64": "true"},
    "deletion vectors in dynamic buckets": {**VECTORS, **DYNAMIC},
    "first-row in dynamic buckets": {"merge-engine": "first-row", **DYNAMIC},
    "deletion vectors in postponed buckets": {**VECTORS, "bucket": "-2"},
    "deletion vectors and a changelog": {**VECTORS, "changelog-producer": "lookup"},
}
STEPS = [
    ("append", [[key, "a", 1] for key in range(8)]),
    ("append", [[key, "b", 2] for key in range(4, 12)]),
    ("compact", False),
    ("delete", [[key, None, None] for key in (0, 5, 11)]),
    ("append", [[0, None, 3], [20, "c", 3]]),
    ("compact", True),
    ("append", [[key, "d", 4] for key in range(3, 21, 3)]),
    ("overwrite", [[1, "e", 5], [2, "e", 5]]),
    ("append", [[2, "f", 6], [3, "f", 6]]),
    ("delete", [[key, None, None] for key in (2, 20)]),
    ("compact", True),
    ("append", [[1, "g", 7]]),
    ("delete", [[1, None, None]]),
]


def merged(engine: str, old: list | None, new: list) -> list:
    """What a key holds after one more row."""
    if old is None or engine == "deduplicate":
        return new
    if engine == "first-row":
        return old
    value = old[1] if new[1] is None else new[1]
    return [new[0], value, old[2] + new[2] if engine == "aggregation" else new[2]]


def request_of(what: str, given) -> dict:
    """A step as `keyed_worker.py` knows it."""
    if what == "compact":
        step = {"do": what, "full": given}
    else:
        kind = "-D" if what == "delete" else "+I"
        step = {"do": "write" if what == "delete" else what, "rows": given, "kinds": [kind] * len(given)}
    return {"do": "step", "step": step, "key": ["k"], "columns": COLUMNS}


def carry_out(options: dict, warehouse: pathlib.Path, workers: dict) -> list[str]:
    """Writes one table, and lets all read it after each step; what they saw wrongly."""
    shutil.rmtree(warehouse, ignore_errors=True)
    place = {"warehouse": str(warehouse)}
    plan = {"format": "parquet", "columns": COLUMNS, "partition": [], "key": ["k"], "steps": []}
    plan["options"] = {"bucket": "2", **options}
    ours, problems, rows = workers["ours"], [], {}
    engine = options.get("merge-engine", "deduplicate")
    if "error" in (done := ours.ask(**place, do="create", plan=plan)):
        return [done["error"]]
    question = {"columns": COLUMNS, "filters": [], "tag": None}
    for number, (what, given) in enumerate(STEPS, 1):
        if what == "delete" and engine != "deduplicate":
            continue
        if "error" in (done := ours.ask(**place, **request_of(what, given))):
            return [*problems, f"step {number}: {done['error']}"]
        if what == "overwrite":
            rows.clear()
        for row in given if what != "compact" else []:
            if what == "delete":
                rows.pop(row[0], None)
            else:
                rows[row[0]] = merged(engine, rows.get(row[0]), row)
        for name, worker in workers.items():
            answer = worker.ask(do="read", question=question, **place)
            found = sorted(map(json.loads, answer["rows"])) if "rows" in answer else answer
            wrong = f"after step {number} ({what}), read by {name}: {sorted(rows.values())}, found {found}"
            if found != sorted(rows.values()) and not keyed_defects.explains(name, plan, wrong, wrong):
                problems.append(wrong)
    return problems


def main() -> int:
    arguments = arguments_of(__doc__, seeds=0)
    names = [*OURS, *PEERS, *(["java"] if arguments.java else [])]
    workers = started(arguments, names, "keyed_worker.py", keyed_java)
    wrong = 0
    for number, (name, options) in enumerate(TABLES.items()):
        for problem in carry_out(options, arguments.work / f"visible-{number}", workers):
            print(f"{name}: {problem}", file=sys.stderr)
            wrong += 1
    for worker in workers.values():
        worker.close()
    print(f"{len(TABLES)} tables, {len(STEPS)} steps, read by {', '.join(workers)}: {wrong} differences")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
