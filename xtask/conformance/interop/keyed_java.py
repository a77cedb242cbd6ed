"""Java Paimon as a peer of keyed_worker.py: the same requests in those of its driver (see ../java)."""

import json
import pathlib

from java_peer import JavaPeer, Table, answer_to, create


def step(table: Table, step: dict, **_) -> dict:
    if step["do"] == "alter":
        table.alter({key: value for key, value in step.items() if key not in ("do", "by", "id")})
    elif step["do"] == "tag":
        table.ask("tag", name=step["name"])
    elif step["do"] == "compact":
        table.compact(full=step["full"])
    else:
        table.write(*step["rows"], kinds=step["kinds"], overwrite=step["do"] == "overwrite")
        if step["do"] == "concurrent":  # the driver writes one commit after the other
            table.write(*step["other_rows"], kinds=step["other_kinds"])
    return {}


def changelog(table: Table, columns: list[str]) -> dict:
    """The changes that each snapshot has in its changelog."""
    changes = {}
    last = max(int(path.name.removeprefix("snapshot-")) for path in (table.folder / "snapshot").glob("snapshot-*"))
    for snapshot in range(1, last + 1):
        between = {"incremental-between": f"{snapshot - 1},{snapshot}", "incremental-between-scan-mode": "changelog"}
        answer = table.ask("read", options=between, columns=columns, kinds=True)
        if answer["rows"]:
            changes[snapshot] = [json.dumps(row, ensure_ascii=False) for row in answer["rows"]]
    return {"changes": changes}


def keyed_java(jar: pathlib.Path) -> JavaPeer:
    """Answers what `keyed_worker.py` answers."""
    return JavaPeer(jar, create=create, step=step, read=answer_to, changelog=changelog)
