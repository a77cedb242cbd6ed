"""Random histories of a table: appends, overwrites, tags, branches, fast-forwards and rollbacks.

One implementation carries a history out. Then all of them read every state of it: each branch, each snapshot, each
tag, and what was appended between two snapshots. A model that keeps rows in Python lists says what is right. The union
of all increments of a table that was only appended to is the whole table.

    python history.py --ours PYTHON --peers PYTHON --work FOLDER --first-seed 1 --seeds 10
"""

import copy
import itertools
import random
import shutil
import sys

from peer import arguments_of, started

# Who writes, and who reads what was written. pypaimon 2.1.0 does not delete what a fast-forward replaces, so its own
# histories are without.
DIRECTIONS = [("ours", ["ours", "pypaimon"]), ("pypaimon", ["ours", "pypaimon"])]


class Line:
    """The snapshots of the table or of a branch: for each id its rows, and the rows it appended."""

    def __init__(self):
        self.snapshots: dict[int, tuple[list, list | None]] = {}
        self.tags: dict[str, int] = {}

    def rows(self) -> list:
        return self.snapshots[max(self.snapshots)][0] if self.snapshots else []

    def commit(self, rows: list, appended: list | None) -> None:
        self.snapshots[max(self.snapshots, default=0) + 1] = (rows, appended)

    def forget_from(self, first: int) -> None:
        self.snapshots = {id: state for id, state in self.snapshots.items() if id < first}
        self.tags = {name: id for name, id in self.tags.items() if id < first}


def draw_history(seed: int, writer: str) -> tuple[dict, dict[str, Line]]:
    """What to do, and the lines that come of it; ``None`` names the main one."""
    draw = random.Random(f"{seed} {writer}")
    only_appends = seed % 3 == 0
    lines = {"": Line()}
    steps = []
    for number in range(draw.randint(4, 12)):
        branch = draw.choice(sorted(lines))
        line = lines[branch]
        kinds = ["append"] * 4
        if not only_appends:
            kinds += ["overwrite", "tag", "tag", "branch", "branch", "rollback"]
            kinds += ["fast-forward"] * 2 if writer == "ours" else []
        kind = draw.choice(kinds)
        if kind in ("append", "overwrite"):
            rows = [[draw.randrange(100), draw.choice("abc")] for _ in range(draw.randint(1, 5))]
            steps.append({"do": kind, "branch": branch, "rows": rows})
            if kind == "append":
                line.commit(line.rows() + rows, rows)
            else:
                line.commit(rows, None)
        elif kind == "tag" and line.snapshots:
            name = f"tag-{number}"
            line.tags[name] = draw.choice(sorted(line.snapshots))
            steps.append({"do": kind, "branch": branch, "name": name, "snapshot": line.tags[name]})
        elif kind == "branch" and lines[""].tags:
            name, tag = f"b{number}", draw.choice(sorted(lines[""].tags))
            made, id = Line(), lines[""].tags[tag]
            if id not in lines[""].snapshots:
                continue
            made.snapshots[id], made.tags[tag] = lines[""].snapshots[id], id
            lines[name] = made
            steps.append({"do": kind, "name": name, "tag": tag})
        elif kind == "rollback" and line.snapshots:
            by_tag = draw.random() < 0.5 and bool(line.tags)
            target = draw.choice(sorted(line.tags)) if by_tag else draw.choice(sorted(line.snapshots))
            line.forget_from((line.tags[target] if by_tag else target) + 1)
            steps.append({"do": kind, "branch": branch, "target": target})
        elif kind == "fast-forward" and branch:
            main = lines[""]
            main.forget_from(min(line.snapshots))
            main.snapshots |= copy.deepcopy(line.snapshots)
            main.tags |= line.tags
            steps.append({"do": kind, "name": branch})
    plan = {
        "format": draw.choice(["parquet", "avro", "orc"]),
        "partitioned": draw.random() < 0.5,
        "steps": steps,
    }
    return plan, lines


def questions(lines: dict[str, Line], draw: random.Random):
    """What to read, by whom (``None``: everybody), and the rows that are right."""
    for branch, line in lines.items():
        yield {"branch": branch}, None, line.rows()
        for id, (rows, _) in line.snapshots.items():
            yield {"branch": branch, "options": {"scan.snapshot-id": str(id)}}, None, rows
        for name, id in line.tags.items():
            yield {"branch": branch, "options": {"scan.tag-name": name}}, None, line.snapshots[id][0]
        ids = sorted(line.snapshots)
        for _ in range(3 if ids else 0):
            first, last = sorted(draw.choices([ids[0] - 1, *ids], k=2))
            appended = [row for id in ids if first < id <= last for row in line.snapshots[id][1] or []]
            yield {"branch": branch, "options": {"incremental-between": f"{first},{last}"}}, "ours", appended


def wrong(wanted: list, answer: dict) -> str | None:
    if "error" in answer:
        return f"error: {answer['error']}"
    if sorted(wanted) == answer["rows"]:
        return None
    return f"wanted {sorted(wanted)}, found {answer['rows']}"


def main() -> int:
    arguments = arguments_of(__doc__, seeds=10)
    workers = started(arguments, ["ours", "pypaimon"], "history_worker.py")
    readings = unions = 0
    problems = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for writer, readers in DIRECTIONS:
            plan, lines = draw_history(seed, writer)
            warehouse = arguments.work / f"history-{writer}-{seed}"
            shutil.rmtree(warehouse, ignore_errors=True)
            before = len(problems)
            where = f"seed {seed}: written by {writer}"
            done = workers[writer].ask(do="write", warehouse=str(warehouse), plan=plan)
            if "error" in done:
                problems.append(f"{where}: {done['error']}")
                continue
            for question, only, rows in questions(lines, random.Random(seed)):
                for reader in [only] if only else readers:
                    readings += 1
                    answer = workers[reader].ask(do="read", warehouse=str(warehouse), question=question)
                    if reason := wrong(rows, answer):
                        problems.append(f"{where}, read by {reader}: {question}: {reason}")
            # Times are what pypaimon has instead of `incremental-between`: it must see the increments that we see.
            for branch in lines:
                times = workers["ours"].ask(do="times", warehouse=str(warehouse), branch=branch)["times"]
                for first, last in itertools.pairwise(times):
                    options = {"incremental-between-timestamp": f"{first},{last}"}
                    answers = {
                        reader: workers[reader].ask(
                            do="read", warehouse=str(warehouse), question={"branch": branch, "options": options}
                        )
                        for reader in readers
                    }
                    readings += len(answers)
                    if len({str(answer) for answer in answers.values()}) > 1 or "error" in answers["ours"]:
                        problems.append(f"{where}: {branch or 'main'} {options}: {answers}")
            # One increment for each snapshot, together, is the table, where nothing was overwritten.
            snapshots = lines[""].snapshots
            appended = [row for _, rows in snapshots.values() for row in rows or []]
            if sorted(appended) == sorted(lines[""].rows()):
                unions += 1
                union = []
                for id in snapshots:
                    question = {"branch": "", "options": {"incremental-between": f"{id - 1},{id}"}}
                    answer = workers["ours"].ask(do="read", warehouse=str(warehouse), question=question)
                    union += answer.get("rows", [answer])
                whole = workers["pypaimon"].ask(do="read", warehouse=str(warehouse), question={"branch": ""})
                if reason := wrong(union, whole):
                    problems.append(f"{where}: the union of increments is not what pypaimon reads: {reason}")
            if len(problems) == before:
                shutil.rmtree(warehouse, ignore_errors=True)
    for worker in workers.values():
        worker.close()
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{arguments.seeds} histories each way, {readings} readings, {unions} unions: {len(problems)} differences")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
