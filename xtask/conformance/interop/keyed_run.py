"""Random histories of tables with a primary key, written by one or several implementations and read by all.

For each seed and each set of writers a plan is drawn (`keyed_plan.py`): a merge engine and its options, keys of every
type, and steps: inserts, updates and deletes, in and out of order, overwrites, concurrent commits, schema changes,
tags and, where Java is there, compactions. A naive model (`keyed_model.py`) says what each question about the table is
to answer. Differences that are a peer's own defects are declared in `keyed_defects.py`, each with a reproduction that
runs without us; everything else fails the run.

    python keyed_run.py --ours PYTHON --peers PYTHON --work FOLDER --first-seed 1 --seeds 60 [--java DRIVER.JAR]
"""

import argparse
import collections
import json
import pathlib
import shutil
import sys
from collections.abc import Callable

import keyed_defects
from keyed_java import keyed_java
from keyed_plan import draw_plan, spelt, unordered
from plan import apply_change
from run import Worker

# Who writes, each step by one of them, and who reads.
PEERS = ["pypaimon", "pypaimon-rust"]
OURS = ["ours", "daft"]
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


class Run:
    """Histories, and what was found in them."""

    def __init__(self, workers: dict, work: pathlib.Path):
        self.workers, self.work = workers, work
        self.counts = collections.Counter()
        self.problems: list[str] = []
        self.declared: dict[str, list[str]] = {}

    kind, draw_plan = "keyed", staticmethod(draw_plan)

    def history(self, seed: int, writers: list[str], readers: list[str]) -> None:
        plan = self.draw_plan(seed, writers, readers)
        warehouse = self.work / f"{self.kind}-{'-'.join(writers)}-{seed}"
        shutil.rmtree(warehouse, ignore_errors=True)
        where = f"seed {seed}: {plan['options']['merge-engine']} written by {', '.join(writers)}"
        before = len(self.problems)
        if self.write(plan, str(warehouse), where):
            self.counts["histories"] += 1
            for reader in readers:
                self.read(plan, str(warehouse), where, reader)
        if len(self.problems) == before:
            shutil.rmtree(warehouse, ignore_errors=True)
        else:
            (warehouse / "plan.json").write_text(json.dumps(plan, ensure_ascii=False, indent=1), encoding="utf-8")

    def write(self, plan: dict, warehouse: str, where: str) -> bool:
        columns = [dict(column) for column in plan["columns"]]
        first = plan["steps"][0]["by"]
        steps = [(first, {"do": "create", "plan": plan})]
        steps += [(step["by"], {"do": "step", "step": step, "key": plan["key"]}) for step in plan["steps"]]
        for number, (writer, request) in enumerate(steps):
            if request["do"] == "step":
                request["columns"] = [dict(column) for column in columns]
            done = self.workers[writer].ask(warehouse=warehouse, **request)
            if "error" in done:
                self.judge(plan, f"{where}: step {number} by {writer}", writer, f"cannot write: {done['error']}")
                return False
            if request["do"] == "step" and request["step"]["do"] == "alter":
                apply_change(columns, request["step"])
            self.after_step(plan, warehouse, f"{where}: after step {number} by {writer}", request.get("step"))
        return True

    def after_step(self, plan: dict, warehouse: str, where: str, step: dict | None) -> None:
        """What is to hold after each step; None is the making of the table."""

    def read(self, plan: dict, warehouse: str, where: str, reader: str) -> None:
        for question in plan["questions"]:
            if question["tag"] and reader == "pypaimon-rust":  # its SQL has no name for a tag
                continue
            self.counts["readings"] += 1
            asked = {key: value for key, value in question.items() if key != "rows"}
            answer = self.workers[reader].ask(do="read", warehouse=warehouse, question=asked)
            if wrong := difference(plan, question, answer):
                self.judge(plan, f"{where}, read by {reader}: {describe(question)}", reader, wrong)

    def judge(self, plan: dict, where: str, who: str, wrong: str) -> None:
        """A refusal, a declared defect or a problem."""
        if who not in OURS and keyed_defects.refuses(wrong):
            self.counts[f"refused by {who}"] += 1
        elif defect := self.explains(who, plan, where, wrong):
            self.counts["declared"] += 1
            self.declared.setdefault(f"{who}: {defect.what}", []).append(where)
        else:
            self.problems.append(f"{where}: {wrong}")
            print(self.problems[-1], file=sys.stderr, flush=True)

    def explains(self, who: str, plan: dict, where: str, wrong: str) -> keyed_defects.Defect | None:
        return keyed_defects.explains(who, plan, where, wrong)


def difference(plan: dict, question: dict, answer: dict) -> str | None:
    """What is wrong with an answer, in one line; None when it is right."""
    if "error" in answer:
        return f"error: {answer['error']}"
    loose = unordered(plan)
    wanted = spelt(question["rows"], question["columns"], loose)
    found = spelt([json.loads(row) for row in answer["rows"]], question["columns"], loose)
    if wanted == found:
        return None
    missing = list((collections.Counter(wanted) - collections.Counter(found)).elements())
    extra = list((collections.Counter(found) - collections.Counter(wanted)).elements())
    return f"{len(wanted)} rows wanted, {len(found)} found; missing {missing[:2]}, extra {extra[:2]}"


def describe(question: dict) -> str:
    names = ",".join(column["name"] for column in question["columns"])
    filters = f" where {question['filters']}" if question["filters"] else ""
    return names + filters + (f" of {question['tag']}" if question["tag"] else "")


def carry_out(run: Run, directions: list, first_seed: int, seeds: int, what: str) -> int:
    """All histories of the seeds; says what was found, and gives the exit code."""
    for seed in range(first_seed, first_seed + seeds):
        for writers, readers in directions:
            run.history(seed, writers, readers)
    for worker in run.workers.values():
        worker.close()
    for defect, places in sorted(run.declared.items()):
        print(f"declared, {len(places)} times: {defect}; first at {places[0]}")
    counted = ", ".join(f"{count} {what}" for what, count in sorted(run.counts.items()))
    print(f"{seeds} seeds of {what}: {counted}: {len(run.problems)} differences")
    return 1 if run.problems else 0


def parse(description: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--java", type=pathlib.Path)
    parser.add_argument("--without-us", action="store_true")
    return parser.parse_args()


def started(arguments: argparse.Namespace, directions: list, script: str, java: Callable) -> dict:
    """A worker for each implementation that writes or reads."""
    pythons = {name: arguments.ours for name in OURS} | {name: arguments.peers for name in PEERS}
    names = sorted({name for writers, readers in directions for name in (*writers, *readers)})
    return {name: java(arguments.java) if name == "java" else Worker(name, pythons[name], script) for name in names}


def main() -> int:
    arguments = parse(__doc__)
    directions = JAVA if arguments.java else PYTHON
    if arguments.without_us:
        directions = JAVA_WITHOUT_US if arguments.java else PYTHON_WITHOUT_US
    run = Run(started(arguments, directions, "keyed_worker.py", keyed_java), arguments.work)
    return carry_out(run, directions, arguments.first_seed, arguments.seeds, "tables with keys")


if __name__ == "__main__":
    sys.exit(main())
