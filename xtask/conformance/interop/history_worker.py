"""One implementation behind JSON lines: carries out a history, or reads a state of it.

    python history_worker.py {ours,pypaimon}

Both run the same code on the same API, in different environments.
"""

import json
import sys
import time
import traceback

import pyarrow as pa
import pypaimon
from worker import append

TABLE = "history.t"
COLUMNS = pa.schema([("n", pa.int32()), ("p", pa.string())])


def get(warehouse: str, branch: str):
    catalog = pypaimon.CatalogFactory.create({"warehouse": warehouse})
    return catalog.get_table(f"{TABLE}$branch_{branch}" if branch else TABLE)


def write(warehouse: str, plan: dict) -> dict:
    catalog = pypaimon.CatalogFactory.create({"warehouse": warehouse})
    catalog.create_database("history", True)
    keys = ["p"] if plan["partitioned"] else []
    # Otherwise an overwrite replaces only the partitions that it writes.
    options = {"file.format": plan["format"], "dynamic-partition-overwrite": "false"}
    schema = pypaimon.Schema.from_pyarrow_schema(COLUMNS, partition_keys=keys, options=options)
    catalog.create_table(TABLE, schema, False)
    for step in plan["steps"]:
        table = get(warehouse, step.get("branch", ""))
        if step["do"] in ("append", "overwrite"):
            numbers, texts = zip(*step["rows"])
            append(table, pa.table([numbers, texts], schema=COLUMNS), step["do"] == "overwrite")
            time.sleep(0.002)  # so that each snapshot has a time of its own
        elif step["do"] == "tag":
            table.create_tag(step["name"], step["snapshot"])
        elif step["do"] == "branch":
            table.branch_manager().create_branch(step["name"], step["tag"])
        elif step["do"] == "rollback":
            table.rollback_to(step["target"])
        else:
            table.branch_manager().fast_forward(step["name"])
    return {}


def read(warehouse: str, question: dict) -> dict:
    table = get(warehouse, question["branch"])
    if "options" in question:
        table = table.copy(question["options"])
    builder = table.new_read_builder()
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits())
    return {"rows": sorted([list(row) for row in zip(*(rows[name].to_pylist() for name in COLUMNS.names))])}


def times(warehouse: str, branch: str) -> dict:
    return {"times": [snapshot.time_millis for snapshot in get(warehouse, branch).snapshot_manager().list_snapshots()]}


ACTIONS = {"write": write, "read": read, "times": times}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = ACTIONS[request.pop("do")](**request)
        except BaseException as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
