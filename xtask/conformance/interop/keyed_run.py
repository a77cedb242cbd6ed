"""Random histories of tables with a primary key, written by one or several implementations and read by all.

For each seed and each set of writers a plan is drawn (`keyed_plan.py`): a merge engine and its options, keys of every
type, and steps: inserts, updates and deletes, in and out of order, overwrites, concurrent commits, schema changes,
tags and, where Java is there, compactions. A naive model (`keyed_model.py`) says what each question about the table is
to answer. Differences that are a peer's own defects are declared in `keyed_defects.py`, each with a reproduction that
runs without us; everything else fails the run.

    python keyed_run.py --ours PYTHON --peers PYTHON --work FOLDER --first-seed 1 --seeds 60 [--java DRIVER.JAR]
"""

import sys

from histories import Run, carry_out, workers_of
from keyed_java import keyed_java
from keyed_plan import draw_plan
from peer import OURS, PEERS, arguments_of

# Who writes, each step by one of them, and who reads.
PYTHON = [
    (["ours"], [*OURS, *PEERS]),
    (["pypaimon"], OURS),
    (["pypaimon-rust"], OURS),
    (["ours", "pypaimon"], [*OURS, *PEERS]),
]
JAVA = [
    (["ours"], [*OURS, *PEERS, "java"]),
    (["java"], [*OURS, "java"]),
    (["ours", "java"], [*OURS, "java"]),
    (["ours", "java", "pypaimon"], [*OURS, *PEERS, "java"]),
]
PYTHON_WITHOUT_US = [(["pypaimon"], PEERS), (["pypaimon-rust"], PEERS), (PEERS, PEERS)]
JAVA_WITHOUT_US = [(["java"], [*PEERS, "java"]), (["pypaimon"], ["java"]), (["java", "pypaimon"], ["java"])]


class KeyedRun(Run):
    """Histories of tables with a primary key."""

    kind = "keyed"

    def draw_plan(self, seed: int, writers: list[str], readers: list[str]) -> dict:
        return draw_plan(seed, writers, readers)

    def title(self, plan: dict) -> str:
        return plan["options"]["merge-engine"]


def main() -> int:
    arguments = arguments_of(__doc__, seeds=8)
    directions = JAVA if arguments.java else PYTHON
    if arguments.without_us:
        directions = JAVA_WITHOUT_US if arguments.java else PYTHON_WITHOUT_US
    run = KeyedRun(workers_of(arguments, directions, "keyed_worker.py", keyed_java), arguments.work)
    return carry_out(run, directions, arguments.first_seed, arguments.seeds, "tables with keys")


if __name__ == "__main__":
    sys.exit(main())
