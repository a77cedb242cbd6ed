"""Random histories of tables that are compacted, with every kind of buckets and of changelog.

As `keyed_run.py` has them, with compactions by us and by Java between and beside the commits (`compact_plan.py`). After
each step we read what the model (`compact_model.py`) has; at the end everybody answers the plan's questions, and the
changelog is read: rows as they were written, or changes of which each is one of what the changes before it left.

    python compact_run.py --ours PYTHON --peers PYTHON --work FOLDER --first-seed 1 --seeds 60 [--java DRIVER.JAR]
"""

import collections
import json
import sys

from compact_model import CompactModel, Replay
from compact_plan import draw_plan
from histories import Run, carry_out, difference, workers_of
from keyed_java import keyed_java
from keyed_plan import spelt, unordered
from peer import OURS, PEERS, arguments_of

DIRECTIONS = [(["ours"], [*OURS, *PEERS])]
JAVA = [(["ours", "java"], [*OURS, *PEERS, "java"])]
WITHOUT_US = [(["java"], [*PEERS, "java"])]


class CompactRun(Run):
    """Histories, the model of the one under way, and what was found in all."""

    kind = "compact"

    def draw_plan(self, seed: int, writers: list[str], readers: list[str]) -> dict:
        return draw_plan(seed, writers, readers)

    def title(self, plan: dict) -> str:
        return plan["options"]["merge-engine"]

    def begin(self, plan: dict) -> None:
        self.model = CompactModel(plan)

    def write(self, plan: dict, warehouse: str, where: str) -> bool:
        if not super().write(plan, warehouse, where):
            return False
        if plan["options"].get("changelog-producer"):
            for reader in sorted({"java", "pypaimon"} & set(self.workers)):
                self.read_changelog(plan, warehouse, f"{where}, changelog read by {reader}", reader)
        return True

    def after_step(self, plan: dict, warehouse: str, where: str, step: dict) -> bool:
        self.model.step(step)
        columns = self.model.columns
        rows = [[row.get(column["id"]) for column in columns] for row in self.model.rows()]
        question = {"columns": columns, "filters": [], "tag": None}
        reader = "ours" if "ours" in self.workers else "java"
        answer = self.workers[reader].ask(do="read", warehouse=warehouse, question=question)
        self.counts["readings"] += 1
        if wrong := difference(plan, question | {"rows": rows}, answer):
            names = ",".join(column["name"] for column in columns)
            self.judge(plan, f"{where} ({step['do']}), read by {reader}: {names}", reader, wrong)
        return True

    def read_changelog(self, plan: dict, warehouse: str, where: str, reader: str) -> None:
        columns = self.model.columns
        names = [column["name"] for column in columns]
        answer = self.workers[reader].ask(do="changelog", warehouse=warehouse, columns=names)
        self.counts["changelogs"] += 1
        wrong = f"error: {answer['error']}" if "error" in answer else self.wrong_changes(plan, answer["changes"])
        if wrong:
            self.judge(plan, where, reader, wrong)

    def wrong_changes(self, plan: dict, changes: dict[str, list[str]]) -> str | None:
        """What is wrong with a changelog: by snapshot, `[kind, value, ...]`, as text."""
        columns, loose = self.model.columns, unordered(plan)
        of_kind = [{"id": -1, "name": "kind", "type": "STRING"}, *columns]
        if plan["options"]["changelog-producer"] == "input":
            came = [[kind, *(row.get(column["id"]) for column in columns)] for kind, row in self.model.changes]
            told = [json.loads(row) for rows in changes.values() for row in rows]
            wanted, found = (collections.Counter(spelt(rows, of_kind, loose)) for rows in (came, told))
            missing, extra = list((wanted - found).elements()), list((found - wanted).elements())
            return f"changes missing {missing[:2]}, extra {extra[:2]}" if missing or extra else None
        key = [*self.model.fold.key, *self.model.partition]
        places = [place for place, column in enumerate(columns) if column["id"] in key]
        # Java 1.4 takes maps of another order for other ones.
        told_apart = not (self.dropped or loose or any(column["type"].startswith("MAP") for column in columns))
        deduplicated = plan["options"].get("changelog-producer.row-deduplicate") == "true"
        replay = Replay(places, self.model.fold.engine, deduplicated and told_apart, self.model.moves)
        for snapshot, rows in sorted(changes.items(), key=lambda item: int(item[0])):
            spelt_rows = [json.loads(row) for row in spelt([json.loads(row) for row in rows], of_kind, loose)]
            if wrong := replay.apply(int(snapshot), spelt_rows):
                return wrong
        rows = [[row.get(column["id"]) for column in columns] for row in self.model.rows()]
        wanted, found = spelt(rows, columns, loose), sorted(replay.rows.values())
        if wanted != found:
            missing, extra = (list(set(one) - set(other))[:2] for one, other in ((wanted, found), (found, wanted)))
            return f"the changelog leaves {len(found)} rows of {len(wanted)}; missing {missing}, extra {extra}"
        return None

    @property
    def dropped(self) -> bool:
        """Whether a column is gone in which rows differed."""
        return len({column["id"] for column in self.model.columns}) < len(self.model.fold.kinds)


def main() -> int:
    arguments = arguments_of(__doc__, seeds=8)
    directions = WITHOUT_US if arguments.without_us else JAVA if arguments.java else DIRECTIONS
    run = CompactRun(workers_of(arguments, directions, "keyed_worker.py", keyed_java), arguments.work)
    return carry_out(run, directions, arguments.first_seed, arguments.seeds, "tables that are compacted")


if __name__ == "__main__":
    sys.exit(main())
