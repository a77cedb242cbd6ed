"""Random histories of one kind of tables: carried out step by step, read by all, and judged."""

import argparse
import collections
import json
import pathlib
import shutil
import sys
from collections.abc import Callable

import keyed_defects
from keyed_plan import spelt, unordered
from peer import OURS, started
from plan import apply_change


class Run:
    """Histories, and what was found in them.

    Subclasses say what kind of tables they are: `draw_plan` draws a plan, `title` says in a word what it is about.
    """

    kind: str

    def __init__(self, workers: dict, work: pathlib.Path):
        self.workers, self.work = workers, work
        self.counts = collections.Counter()
        self.problems: list[str] = []
        self.declared: dict[str, list[str]] = {}

    def draw_plan(self, seed: int, writers: list[str], readers: list[str]) -> dict:
        raise NotImplementedError

    def title(self, plan: dict) -> str:
        raise NotImplementedError

    def history(self, seed: int, writers: list[str], readers: list[str]) -> None:
        plan = self.draw_plan(seed, writers, readers)
        warehouse = self.work / f"{self.kind}-{'-'.join(writers)}-{seed}"
        shutil.rmtree(warehouse, ignore_errors=True)
        where = f"seed {seed}: {self.title(plan)} written by {', '.join(writers)}"
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
        """Carries a plan out; whether all of it could be done."""
        columns = [dict(column) for column in plan["columns"]]
        self.begin(plan)
        requests = [(plan["steps"][0]["by"], {"do": "create", "plan": plan})]
        requests += [(step["by"], {"do": "step", "step": step}) for step in plan["steps"]]
        for number, (writer, request) in enumerate(requests):
            step = request.get("step")
            if step:
                request |= {"key": plan.get("key"), "columns": [dict(column) for column in columns]}
                self.before_step(step)
            done = self.workers[writer].ask(warehouse=warehouse, **request)
            if "error" in done:
                self.judge(plan, f"{where}: step {number} by {writer}", writer, f"cannot write: {done['error']}")
                return False
            if step and step["do"] == "alter":
                apply_change(columns, step)
            if step and not self.after_step(plan, warehouse, f"{where}: after step {number} by {writer}", step):
                return False
        return True

    def begin(self, plan: dict) -> None:
        """What is to be known of a plan before its first step."""

    def before_step(self, step: dict) -> None:
        """Adds to a step what only its history tells."""

    def after_step(self, plan: dict, warehouse: str, where: str, step: dict) -> bool:
        """Looks at what is to hold after each step; whether there is a point in going on."""
        return True

    def questions(self, plan: dict, reader: str) -> list[dict]:
        """What a reader is asked at the end."""
        return plan["questions"]

    def read(self, plan: dict, warehouse: str, where: str, reader: str) -> None:
        for question in self.questions(plan, reader):
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


def workers_of(arguments: argparse.Namespace, directions: list, script: str, java: Callable) -> dict:
    """A worker for each implementation that writes or reads."""
    return started(arguments, (name for sides in directions for names in sides for name in names), script, java)


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
