"""The naive model of a table with row tracking: rows by their `k`, each a dictionary by column id."""

from keyed_plan import holds
from plan import apply_change


class Model:
    """The table after the steps so far."""

    def __init__(self, plan: dict):
        self.columns = [dict(column) for column in plan["columns"]]
        self.written = self.columns  # as the last commit knew them: a tag names a commit
        self.key = self.id_of("k")
        self.partition = self.id_of("p") if plan["partition"] else None
        self.rows: dict[int, dict] = {}
        self.tags: dict[str, tuple[list[dict], list[dict]]] = {}

    def id_of(self, name: str) -> int:
        return next(column["id"] for column in self.columns if column["name"] == name)

    def step(self, step: dict) -> None:
        if step["do"] == "alter":
            apply_change(self.columns, step)
            return
        if step["do"] == "tag":
            self.tags[step["name"]] = (self.written, [dict(row) for row in self.rows.values()])
            return
        self.written = [dict(column) for column in self.columns]
        if step["do"] == "compact":
            return
        if step["do"] == "update":
            self.update(step)
        elif step["do"] == "delete":
            for key in step["keys"]:
                del self.rows[key]
        elif step["do"] == "delete_where":
            column = self.id_of(step["filter"][1])
            gone = [key for key, row in self.rows.items() if holds(step["filter"], step["kind"], row.get(column))]
            for key in gone:
                del self.rows[key]
        else:
            self.write(step)

    def write(self, step: dict) -> None:
        rows = [dict(zip(step["columns"], values)) for values in step["rows"]]
        if step["do"] == "overwrite":
            replaced = {row.get(self.partition) for row in rows}
            kept = (
                row for row in self.rows.values() if self.partition is not None and row[self.partition] not in replaced
            )
            self.rows = {row[self.key]: row for row in kept}
        self.rows |= {row[self.key]: row for row in rows}

    def update(self, step: dict) -> None:
        if "meanwhile" in step:
            self.write(step["meanwhile"])
        for key, values in zip(step["keys"], step["rows"]):
            self.rows[key] |= dict(zip(step["columns"], values))
