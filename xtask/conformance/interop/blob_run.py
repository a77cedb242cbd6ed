"""Random histories of tables with row tracking, data evolution and blobs, written by one or two and read by all.

For each seed and each set of writers a plan is drawn (`blob_plan.py`): columns of scalars and of blobs, rolled files,
and steps: rows, of all columns or some, updates of columns by row id, deletes, overwrites, rows that arrive meanwhile,
schema changes, tags. A naive model (`blob_model.py`) says what each question about the table is to answer. Row ids are
learnt from the table after each step and must be those that follow, in the order of the rows, and stay. Defects of
peers are declared in `blob_defects.py`, each with a reproduction that runs without us; everything else fails the run.

    python blob_run.py --ours PYTHON --peers PYTHON --work FOLDER --first-seed 1 --seeds 60 [--java DRIVER.JAR]
"""

import json
import shutil
import sys

import blob_defects
from blob_java import blob_java
from blob_model import Model
from blob_plan import ROW_ID, draw_plan
from keyed_run import Run, carry_out, parse, started
from plan import apply_change

DIRECTIONS = [
    (["ours"], ["ours", "daft", "pypaimon", "pypaimon-rust"]),
    (["pypaimon"], ["ours", "daft"]),
    (["ours", "pypaimon"], ["ours", "daft", "pypaimon"]),
]
JAVA = [(["ours"], ["java"]), (["java"], ["ours", "daft", "java"]), (["ours", "java"], ["ours", "daft", "java"])]
WITHOUT_US = [(["pypaimon"], ["pypaimon", "pypaimon-rust"])]
JAVA_WITHOUT_US = [(["pypaimon"], ["java"]), (["java"], ["pypaimon", "java"]), (["pypaimon", "java"], ["java"])]


class BlobRun(Run):
    """Histories, the row ids of the rows of the one under way, and what was found in all."""

    ids: dict[int, int]

    def history(self, seed: int, writers: list[str], readers: list[str]) -> None:
        plan = draw_plan(seed, writers, readers)
        warehouse = self.work / f"blob-{'-'.join(writers)}-{seed}"
        shutil.rmtree(warehouse, ignore_errors=True)
        where = f"seed {seed}: {plan['format']} written by {', '.join(writers)}"
        before = len(self.problems)
        if self.write(plan, str(warehouse), where):
            self.counts["histories"] += 1
            for question in plan["questions"]:
                self.fill_in(question)
            for reader in readers:
                self.read(plan, str(warehouse), where, reader)
        if len(self.problems) == before:
            shutil.rmtree(warehouse, ignore_errors=True)
        else:
            (warehouse / "plan.json").write_text(json.dumps(plan, ensure_ascii=False, indent=1), encoding="utf-8")

    def write(self, plan: dict, warehouse: str, where: str) -> bool:
        columns = [dict(column) for column in plan["columns"]]
        self.ids, self.next_id = {}, 0
        self.all_ids: dict[int, int] = {}
        model = Model(plan)
        steps = [(plan["steps"][0]["by"], {"do": "create", "plan": plan})]
        steps += [(step["by"], {"do": "step", "step": step}) for step in plan["steps"]]
        for number, (writer, request) in enumerate(steps):
            step = request.get("step", {})
            if request["do"] == "step":
                request["columns"] = [dict(column) for column in columns]
                if "keys" in step:
                    step["row_ids"] = [self.ids[key] for key in step["keys"]]
            done = self.workers[writer].ask(warehouse=warehouse, **request)
            if "error" in done:
                self.judge(plan, f"{where}: step {number} by {writer}", writer, f"cannot write: {done['error']}")
                return False
            if step.get("do") == "alter":
                apply_change(columns, step)
            if step:
                model.step(step)
            arrived = step if step.get("do") in ("write", "overwrite", "compact") else step.get("meanwhile")
            if arrived and not self.learn(
                plan, warehouse, f"{where}: step {number} by {writer}", writer, model, arrived
            ):
                return False
        return True

    def learn(self, plan: dict, warehouse: str, where: str, writer: str, model: Model, arrived: dict) -> bool:
        """Asks for the row ids after rows arrived, or a compaction moved them; whether they are those that must be."""
        reader = "ours" if "ours" in self.workers else "pypaimon"
        answer = self.workers[reader].ask(do="ids", warehouse=warehouse)
        if "error" in answer:
            self.judge(plan, f"{where}: row ids read by {reader}", reader, f"error: {answer['error']}")
            return False
        found = dict(answer["ids"])
        rows = [dict(zip(arrived["columns"], values)) for values in arrived.get("rows", [])]
        new = [row[model.key] for row in rows]
        expected = list(range(self.next_id, self.next_id + len(new)))
        ordered = [found.get(key) for key in new]
        follow = ordered == expected if not plan["partition"] else sorted(ordered, key=str) == sorted(expected, key=str)
        stayed = all(self.ids.get(key, id) == id for key, id in found.items())
        if len(answer["ids"]) != len(found) or set(found) != set(model.rows) or not follow or not stayed:
            self.judge(plan, where, writer, f"row ids {ordered[:9]} instead of {expected[:9]}; others stayed: {stayed}")
            return False
        self.next_id += len(new)
        self.ids = found
        self.all_ids |= found
        return True

    def fill_in(self, question: dict) -> None:
        """Row ids where a question of the plan names rows by their `k`."""
        for position, column in enumerate(question["columns"]):
            if column["id"] == ROW_ID["id"]:
                for row in question["rows"]:
                    row[position] = self.all_ids[row[position]]
        for filter in question["filters"]:
            if filter[1] == ROW_ID["name"]:
                filter[2:] = [self.all_ids[key] for key in filter[2:]]

    def read(self, plan: dict, warehouse: str, where: str, reader: str) -> None:
        asked = [question for question in plan["questions"] if reader in question.get("readers", [reader])]
        super().read({**plan, "questions": asked}, warehouse, where, reader)

    def explains(self, who: str, plan: dict, where: str, wrong: str):
        return blob_defects.explains(who, plan, where, wrong)


def main() -> int:
    arguments = parse(__doc__)
    directions = JAVA if arguments.java else DIRECTIONS
    if arguments.without_us:
        directions = JAVA_WITHOUT_US if arguments.java else WITHOUT_US
    run = BlobRun(started(arguments, directions, "blob_worker.py", blob_java), arguments.work)
    return carry_out(run, directions, arguments.first_seed, arguments.seeds, "tables with row tracking")


if __name__ == "__main__":
    sys.exit(main())
