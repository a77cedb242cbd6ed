"""Java Paimon as a peer of blob_worker.py: the same requests in those of its driver (see ../java)."""

import pathlib

from java_peer import JavaPeer, Table, answer_to, create


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
    return answer_to(table.system("row_tracking"), question)


def blob_java(jar: pathlib.Path) -> JavaPeer:
    """Answers what `blob_worker.py` answers of writing and reading, and compacts."""
    return JavaPeer(jar, create=create, step=step, read=read)
