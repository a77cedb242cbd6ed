"""Java Paimon as a peer: plans in the requests of its driver (see ../java)."""

import json
import pathlib
import sys
from collections.abc import Callable

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from java_driver import Driver, Table
from plan import final_columns

ROW = {
    "type": "ROW",
    "fields": [{"id": 0, "name": "x", "type": "INT"}, {"id": 1, "name": "y", "type": "STRING"}],
}
NESTED = {
    "ARRAY<INT>": {"type": "ARRAY", "element": "INT"},
    "ARRAY<ROW<x INT, y STRING>>": {"type": "ARRAY", "element": ROW},
    "MAP<STRING, BIGINT>": {"type": "MAP", "key": "STRING NOT NULL", "value": "BIGINT"},
    "ROW<x INT, y STRING>": ROW,
}


class JavaPeer:
    """Java in place of a worker: answers each request with the function of its name."""

    def __init__(self, jar: pathlib.Path, **answers: Callable[..., dict]):
        self.driver, self.answers = Driver(jar), answers

    def ask(self, do: str, warehouse: str, **request) -> dict:
        table = Table(self.driver, pathlib.Path(warehouse), "interop.t")
        try:
            return self.answers[do](table, **request)
        except RuntimeError as error:
            return {"error": str(error)}

    def close(self) -> None:
        self.driver.close()


def create(table: Table, plan: dict) -> dict:
    """Makes the table of a plan of steps."""
    types = {column["name"]: NESTED.get(column["type"], column["type"]) for column in plan["columns"]}
    table.create(types, plan["partition"], plan["options"], primary_key=plan.get("key", []))
    return {}


def answer_to(table: Table, question: dict) -> dict:
    """The rows that a question of a plan asks for."""
    names = [column["name"] for column in question["columns"]]
    asked = {"columns": names}
    if question["filters"]:
        asked["filter"] = ["and", *question["filters"]]
    if question["tag"]:
        asked["options"] = {"scan.tag-name": question["tag"]}
    answer = table.ask("read", **asked)
    order = [answer["columns"].index(name) for name in names]
    return {"rows": [json.dumps([row[i] for i in order], ensure_ascii=False) for row in answer["rows"]]}


def java_peer(jar: pathlib.Path) -> JavaPeer:
    """Answers what `worker.py` answers."""
    return JavaPeer(jar, write=write, read=read, compact=compact)


def compact(table: Table) -> dict:
    table.compact()
    return {}


def write(table: Table, plan: dict) -> dict:
    options = {"metadata.stats-mode": plan["statistics"]}
    options |= {"file.format": plan["format"], "file.compression": plan["compression"]}
    options |= {f"file-index.{kind}.columns": names for kind, names in plan["indexes"].items()}
    if plan["buckets"]:
        options |= {"bucket": plan["buckets"], "bucket-key": "k"}
    if any(step["do"] == "delete" for step in plan["steps"]):
        options["deletion-vectors.enabled"] = "true"
    types = {column["name"]: NESTED.get(column["type"], column["type"]) for column in plan["columns"]}
    table.create(types, [plan["partition"]] if plan["partition"] else [], options)
    for step in plan["steps"]:
        if step["do"] == "alter":
            table.alter({key: value for key, value in step.items() if key not in ("do", "id")})
        elif step["do"] == "delete":
            table.ask("delete", filter=["in", "k", *step["keys"]])
        elif step["do"] == "tag":
            table.ask("tag", name=step["name"])
        else:
            table.write(*step["rows"], overwrite=step["do"] == "overwrite")
    return {}


def read(table: Table, plan: dict) -> dict:
    names = [column["name"] for column in final_columns(plan)]
    answer = table.ask("read")
    order = [answer["columns"].index(name) for name in names]
    rows = [[row[i] for i in order] for row in answer["rows"]]
    tags = [step["name"] for step in plan["steps"] if step["do"] == "tag"]
    return {
        "rows": sorted(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows),
        "tags": {tag: keys(table.ask("read", options={"scan.tag-name": tag})) for tag in tags},
        "filters": [keys(table.ask("read", filter=filter)) for filter in plan["filters"]],
    }


def keys(answer: dict) -> list[int]:
    position = answer["columns"].index("k")
    return sorted(row[position] for row in answer["rows"])
