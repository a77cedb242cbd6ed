"""Tables that show new rows only above level 0, written by us alone: everybody sees the rows after every step.

The steps are the same for all tables: appends, upserts, an overwrite, compactions, and upserts after these.

    python visible.py --ours PYTHON --peers PYTHON --work FOLDER [--java DRIVER.JAR]
"""

import argparse
import json
import pathlib
import shutil
import sys

from keyed_java import keyed_java
from run import Worker

COLUMNS = [{"name": "k", "type": "BIGINT"}, {"name": "v", "type": "STRING"}, {"name": "n", "type": "BIGINT"}]
VECTORS = {"deletion-vectors.enabled": "true"}
TABLES = {
    "deletion vectors": VECTORS,
    "first-row": {"merge-engine": "first-row"},
    "deletion vectors and partial-update": {**VECTORS, "merge-engine": "partial-update"},
    "deletion vectors and aggregation": {
        **VECTORS,
        "merge-engine": "aggregation",
        "fields.n.aggregate-function": "sum",
    },
    "deletion vectors in dynamic buckets": {**VECTORS, "bucket": "-1", "dynamic-bucket.target-row-num": "4"},
}
STEPS = [
    ("append", [[key, "a", 1] for key in range(8)]),
    ("append", [[key, "b", 2] for key in range(4, 12)]),
    ("compact", False),
    ("append", [[0, None, 3], [20, "c", 3]]),
    ("compact", True),
    ("append", [[key, "d", 4] for key in range(3, 21, 3)]),
    ("overwrite", [[1, "e", 5], [2, "e", 5]]),
    ("append", [[2, "f", 6], [3, "f", 6]]),
    ("compact", True),
    ("append", [[1, "g", 7]]),
]


def merged(engine: str, old: list | None, new: list) -> list:
    """What a key holds after one more row."""
    if old is None or engine == "deduplicate":
        return new
    if engine == "first-row":
        return old
    value = old[1] if new[1] is None else new[1]
    return [new[0], value, old[2] + new[2] if engine == "aggregation" else new[2]]


def carry_out(options: dict, warehouse: pathlib.Path, workers: dict) -> list[str]:
    """Writes one table, and lets all read it after each step; what they saw wrongly."""
    shutil.rmtree(warehouse, ignore_errors=True)
    place = {"warehouse": str(warehouse)}
    plan = {"columns": COLUMNS, "partition": [], "key": ["k"], "options": {"bucket": "2", **options}}
    ours, problems, rows = workers["ours"], [], {}
    steps = [{"do": "create", "plan": plan}]
    for what, given in STEPS:
        step = {"do": what, "full": given} if what == "compact" else {"do": what, "rows": given}
        step |= {"kinds": ["+I"] * len(given)} if what != "compact" else {}
        steps.append({"do": "step", "step": step, "key": ["k"], "columns": COLUMNS})
    question = {"columns": COLUMNS, "filters": [], "tag": None}
    for number, step in enumerate(steps):
        done = ours.ask(**place, **step)
        if "error" in done:
            return [*problems, f"step {number}: {done['error']}"]
        what, given = STEPS[number - 1] if number else ("create", [])
        if what == "overwrite":
            rows.clear()
        for row in given if what != "compact" else []:
            rows[row[0]] = merged(options.get("merge-engine", "deduplicate"), rows.get(row[0]), row)
        for name, worker in workers.items() if number else ():
            answer = worker.ask(do="read", question=question, **place)
            found = sorted(map(json.loads, answer["rows"])) if "rows" in answer else answer
            if found != sorted(rows.values()):
                problems.append(f"after step {number} ({what}), read by {name}: {sorted(rows.values())}, found {found}")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--java", type=pathlib.Path)
    arguments = parser.parse_args()
    pythons = {"ours": arguments.ours, "daft": arguments.ours}
    pythons |= {"pypaimon": arguments.peers, "pypaimon-rust": arguments.peers}
    workers = {name: Worker(name, python, "keyed_worker.py") for name, python in pythons.items()}
    if arguments.java:
        workers["java"] = keyed_java(arguments.java)
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
