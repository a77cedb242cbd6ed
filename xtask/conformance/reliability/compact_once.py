"""Compacts a table fully, once, and says so: a line `ack 0` on standard output when that is acknowledged.

python compact_once.py WAREHOUSE TABLE
"""

import sys
import uuid

import pypaimon


def compact(table) -> None:
    """As `table.compact(full=True)`, in this thread."""
    native = table.native
    identity = native.identity()
    plan = native.plan_compaction(full=True)
    made = [task.run(native) for task in plan.tasks]
    plan.commit(made, user=uuid.uuid4().hex, identity=identity)


def main(warehouse: str, name: str) -> None:
    table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(name)
    print("ready", flush=True)
    sys.stdin.readline()
    compact(table)
    print("ack 0", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
