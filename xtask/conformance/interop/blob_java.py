"""Java Paimon as a peer of blob_worker.py: the same requests in those of its driver (see ../java)."""

import json
import pathlib

from java_peer import NESTED, JavaPeer, Table


def create(table: Table, plan: dict) -> dict:
    types = {column["name"]: NESTED.get(column["type"], column["type"]) for column in plan["columns"]}
    table.create(types, plan["partition"], plan["options"])
    return {}


def step(table: Table, step: dict, columns: list[dict], **_) -> dict:
    if step["do"] == "alter":
        table.alter({key: value for key, value in step.items() if key not in ("do", "by", "id")})
    elif step["do"] == "tag":
        table.ask("tag", name=step["name"])
    elif step["do"] == "compact":
        table.compact()
    else:
        names = {column["id"]: column["name"] for column in columns}
        some = {"columns": [names[id] for id in step["columns"]]} if len(step["columns"]) < len(columns) else {}
        table.write(*step["rows"], overwrite=step["do"] == "overwrite", **some)
    return {}


def read(table: Table, question: dict) -> dict:
    names = [column["name"] for column in question["columns"]]
    asked = {"columns": names}
    if question["filters"]:
        asked["filter"] = ["and", *question["filters"]]
    if question["tag"]:
        asked["options"] = {"scan.tag-name": question["tag"]}
    answer = table.system("row_tracking").ask("read", **asked)
    order = [answer["columns"].index(name) for name in names]
    return {"rows": [json.dumps([row[i] for i in order], ensure_ascii=False) for row in answer["rows"]]}


def blob_java(jar: pathlib.Path) -> JavaPeer:
    """Answers what `blob_worker.py` answers of writing and reading, and compacts."""
    return JavaPeer(jar, create=create, step=step, read=read)
