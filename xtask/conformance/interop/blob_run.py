"""Random histories of tables with row tracking, data evolution and blobs, written by one or two and read by all.

For each seed and each set of writers a plan is drawn (`blob_plan.py`): columns of scalars and of blobs, rolled files,
and steps: rows, of all columns or some, updates of columns by row id, deletes, overwrites, rows that arrive meanwhile,
compactions, schema changes, tags. A naive model (`blob_model.py`) says what each question about the table is to answer.
Row ids are learnt from the table after each step and must be those that follow, in the order of the rows, and stay.
Defects of peers are declared in `blob_defects.py`, each with a reproduction that runs without us; everything else fails
the run.

    python blob_run.py --ours PYTHON --peers PYTHON --work FOLDER --first-seed 1 --seeds 60 [--java DRIVER.JAR]
"""

import sys

import blob_defects
from blob_java import blob_java
from blob_model import Model
from blob_plan import ROW_ID, draw_plan
from histories import Run, carry_out, workers_of
from peer import OURS, PEERS, arguments_of

DIRECTIONS = [(["ours"], [*OURS, *PEERS]), (["pypaimon"], OURS), (["ours", "pypaimon"], [*OURS, "pypaimon"])]
JAVA = [(["ours"], ["java"]), (["java"], [*OURS, "java"]), (["ours", "java"], [*OURS, "java"])]
WITHOUT_US = [(["pypaimon"], ["pypaimon", "pypaimon-rust"])]
JAVA_WITHOUT_US = [(["pypaimon"], ["java"]), (["java"], ["pypaimon", "java"]), (["pypaimon", "java"], ["java"])]


class BlobRun(Run):
    """Histories, the row ids of the rows of the one under way, and what was found in all."""

    kind = "blob"
    ids: dict[int, int]
    all_ids: dict[int, int]

    def draw_plan(self, seed: int, writers: list[str], readers: list[str]) -> dict:
        return draw_plan(seed, writers, readers)

    def title(self, plan: dict) -> str:
        return plan["format"]

    def begin(self, plan: dict) -> None:
        self.ids, self.all_ids, self.next_id = {}, {}, 0
        self.model = Model(plan)

    def before_step(self, step: dict) -> None:
        if "keys" in step:
            step["row_ids"] = [self.ids[key] for key in step["keys"]]

    def after_step(self, plan: dict, warehouse: str, where: str, step: dict) -> bool:
        self.model.step(step)
        arrived = step if step["do"] in ("write", "overwrite", "compact") else step.get("meanwhile")
        return not arrived or self.learn(plan, warehouse, where, step["by"], arrived)

    def write(self, plan: dict, warehouse: str, where: str) -> bool:
        done = super().write(plan, warehouse, where)
        for question in plan["questions"] if done else []:
            self.fill_in(question)
        return done

    def learn(self, plan: dict, warehouse: str, where: str, writer: str, arrived: dict) -> bool:
        """Asks for the row ids after rows arrived, or a compaction moved them; whether they are those that must be."""
        reader = "ours" if "ours" in self.workers else "pypaimon"
        answer = self.workers[reader].ask(do="ids", warehouse=warehouse)
        if "error" in answer:
            self.judge(plan, f"{where}: row ids read by {reader}", reader, f"error: {answer['error']}")
            return False
        found = dict(answer["ids"])
        rows = [dict(zip(arrived["columns"], values)) for values in arrived.get("rows", [])]
        new = [row[self.model.key] for row in rows]
        expected = list(range(self.next_id, self.next_id + len(new)))
        ordered = [found.get(key) for key in new]
        follow = ordered == expected if not plan["partition"] else sorted(ordered, key=str) == sorted(expected, key=str)
        stayed = all(self.ids.get(key, id) == id for key, id in found.items())
        if len(answer["ids"]) != len(found) or set(found) != set(self.model.rows) or not follow or not stayed:
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

    def questions(self, plan: dict, reader: str) -> list[dict]:
        return [question for question in plan["questions"] if reader in question.get("readers", [reader])]

    def explains(self, who: str, plan: dict, where: str, wrong: str):
        return blob_defects.explains(who, plan, where, wrong)


def main() -> int:
    arguments = arguments_of(__doc__, seeds=8)
    directions = JAVA if arguments.java else DIRECTIONS
    if arguments.without_us:
        directions = JAVA_WITHOUT_US if arguments.java else WITHOUT_US
    run = BlobRun(workers_of(arguments, directions, "blob_worker.py", blob_java), arguments.work)
    return carry_out(run, directions, arguments.first_seed, arguments.seeds, "tables with row tracking")


if __name__ == "__main__":
    sys.exit(main())
