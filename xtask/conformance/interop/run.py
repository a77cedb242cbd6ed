"""Random append tables, written here and read there, in both directions.

For each seed a plan is drawn (`plan.py`): columns of all types, a file format, partitions with hostile values, and
steps: appends, overwrites, schema changes, deletes, tags. One implementation carries the plan out, all of them read the
result, its tags and some filters of it, and a naive model that fits on a screen says which rows are right. Differences
that are the peer's own defects are declared in `defects.py`, each with a reproduction that runs without us; everything
else fails the run. Then we compact the table, and so does Java when it is there, and all read the same again.

    python run.py --ours PYTHON --peers PYTHON --work FOLDER --first-seed 1 --seeds 60 [--java DRIVER.JAR]

With `--java`, Java Paimon writes and reads in place of the Python peers. With `--without-us` the peers are left to each
other, which shows their own defects.
"""

import pathlib
import shutil
import sys

import defects
from java_peer import java_peer
from peer import arguments_of, started
from plan import draw_plan, expected

# Who writes, and who reads what was written: (writer, readers).
PYTHON = [("ours", ["ours", "pypaimon", "pypaimon-rust"]), ("pypaimon", ["ours"]), ("pypaimon-rust", ["ours"])]
JAVA = [("ours", ["java"]), ("java", ["ours"])]
PYTHON_WITHOUT_US = [("pypaimon", ["pypaimon", "pypaimon-rust"]), ("pypaimon-rust", ["pypaimon", "pypaimon-rust"])]
JAVA_WITHOUT_US = [("java", ["java", "pypaimon", "pypaimon-rust"]), ("pypaimon", ["java"])]

# Who compacts what was written, one after the other.
COMPACTING = ["ours", "java"]


class Exchange:
    """Tables that go from one implementation to others, and what was found in them."""

    def __init__(self, workers: dict):
        self.workers = workers
        self.checked = self.declared = 0
        self.problems: list[str] = []

    def table(self, seed: int, writer: str, readers: list[str], warehouse: pathlib.Path) -> None:
        plan, before = draw_plan(seed, writer, readers), len(self.problems)
        shutil.rmtree(warehouse, ignore_errors=True)
        where = f"seed {seed}: written by {writer}"
        if self.done(where, writer, do="write", warehouse=str(warehouse), plan=plan):
            self.read(plan, readers, str(warehouse), where)
            for compacting in COMPACTING:
                by = f"{where}, compacted by {compacting}"
                able = compacting in self.workers and compacts(compacting, writer, plan)
                if able and self.done(by, compacting, do="compact", warehouse=str(warehouse)):
                    self.read(plan, readers, str(warehouse), by)
        if len(self.problems) == before:
            shutil.rmtree(warehouse, ignore_errors=True)

    def done(self, where: str, who: str, **request) -> bool:
        """Whether a request was carried out."""
        answer = self.workers[who].ask(**request)
        if "error" in answer:
            self.problems.append(f"{where}: {who} could not {request['do']}: {answer['error']}")
        return "error" not in answer

    def read(self, plan: dict, readers: list[str], warehouse: str, where: str) -> None:
        wanted = expected(plan)
        for reader in readers:
            answer = self.workers[reader].ask(do="read", warehouse=warehouse, plan=plan)
            self.checked += 1
            wrong = difference(wanted, answer)
            defect = wrong and defects.explains(reader, plan, wrong)
            if defect:
                self.declared += 1
                print(f"{where}, read by {reader}: declared: {defect.what}")
            elif wrong:
                self.problems.append(f"{where}, read by {reader}: {wrong}")


def compacts(who: str, writer: str, plan: dict) -> bool:
    """Whether `who` compacts such a table: Java's coordinator takes none with buckets; others' local times differ."""
    if who == "java":
        return not plan["buckets"]
    local_times = any(column["type"].endswith("LOCAL TIME ZONE") for column in plan["columns"])
    return writer == "ours" or plan["format"] != "orc" or not local_times


def difference(wanted: dict, answer: dict) -> str | None:
    """What is wrong with an answer, in one line; None when it is right. A reader may leave a part unread."""
    if "error" in answer:
        return f"error: {answer['error']}"
    for part in answer:
        if answer[part] == wanted[part]:
            continue
        if part != "rows":
            return f"{part}: {wanted[part]} wanted, {answer[part]} found"
        missing = [row for row in wanted["rows"] if row not in answer["rows"]][:2]
        extra = [row for row in answer["rows"] if row not in wanted["rows"]][:2]
        return f"{len(wanted['rows'])} rows wanted, {len(answer['rows'])} found; missing {missing}, extra {extra}"
    return None


def main() -> int:
    arguments = arguments_of(__doc__, seeds=12)
    directions = JAVA if arguments.java else PYTHON
    if arguments.without_us:
        directions = JAVA_WITHOUT_US if arguments.java else PYTHON_WITHOUT_US
    names = {name for writer, readers in directions for name in (writer, *readers)}
    workers = started(arguments, names, java=java_peer)
    run = Exchange(workers)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    for seed in seeds:
        for writer, readers in directions:
            run.table(seed, writer, readers, arguments.work / f"{writer}-{seed}")
    for worker in workers.values():
        worker.close()
    for problem in run.problems:
        print(problem, file=sys.stderr)
    print(
        f"{len(seeds)} seeds, {run.checked} readings: {len(run.problems)} differences, "
        f"{run.declared} declared as the peers' own defects (xtask/conformance/interop/defects.py)"
    )
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
