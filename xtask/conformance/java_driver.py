"""Java Paimon in a process of its own, behind JSON lines (see java/)."""

import json
import pathlib
import subprocess


class Driver:
    """One JVM. Build its jar with `mvn package` in java/."""

    def __init__(self, jar: pathlib.Path, zone: str = "UTC"):
        self.process = subprocess.Popen(
            ["java", "-XX:TieredStopAtLevel=1", f"-Duser.timezone={zone}", "-jar", str(jar)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, do: str, **request) -> dict:
        """The answer to one request, which may have `error` in it."""
        self.process.stdin.write(json.dumps({"do": do, **request}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the Java driver died with exit code {self.process.wait()} at {do}")
        return json.loads(line)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Table:
    """One table behind a driver; an `error` in an answer is raised."""

    def __init__(self, driver: Driver, warehouse: pathlib.Path, name: str):
        self.driver, self.warehouse, self.name = driver, warehouse, name
        self.commits: list[dict] = []  # those that others are to make again, with the rows that are there then

    @property
    def folder(self) -> pathlib.Path:
        database, table = self.name.split(".")
        return self.warehouse / f"{database}.db" / table

    def on_branch(self, branch: str) -> "Table":
        return Table(self.driver, self.warehouse, f"{self.name}$branch_{branch}")

    def ask(self, do: str, **request) -> dict:
        answer = self.driver.ask(do, warehouse=str(self.warehouse), table=self.name, **request)
        if "error" in answer:
            raise RuntimeError(f"{do} of {self.name}: {answer['error']}")
        return answer

    def system(self, name: str) -> "Table":
        """A system table of it: `ro`, `audit_log`."""
        return Table(self.driver, self.warehouse, f"{self.name}${name}")

    def create(self, columns: dict, partition=(), options=None, primary_key=()) -> "Table":
        """`columns`: name to type."""
        spelt = {key: str(value) for key, value in (options or {}).items()}
        listed = [{"name": name, "type": kind} for name, kind in columns.items()]
        self.ask("create", columns=listed, partition=list(partition), primary_key=list(primary_key), options=spelt)
        return self

    def write(self, *rows, overwrite=False, **how) -> None:
        """One commit. `how`: `kinds`, `buckets`, `compact`, `real_buckets`, `options` (see java/)."""
        self.ask("write", rows=rows, overwrite=overwrite, **how)

    def upsert(self, *rows, **how) -> None:
        """One commit of rows that name their kind in front: `["+I", 1, "a"]`."""
        self.write(*(values for _, *values in rows), kinds=[kind for kind, *_ in rows], **how)

    def compact(self, full=True) -> None:
        self.ask("compact", full=full)

    def alter(self, *changes: dict) -> None:
        self.ask("alter", changes=changes)

    def rows(self, **read) -> list[str]:
        """Rows spelt as in `expected.rows`, sorted."""
        rows = self.ask("read", **read)["rows"]
        return sorted(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
