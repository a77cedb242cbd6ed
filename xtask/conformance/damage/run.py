"""Damages tables, reads them, and says what came of it.

    python run.py --ours PYTHON --work FOLDER [--count 2000] [--seed 1] [--tables NAME,..] [--kind blob]

Every round copies a table, damages one of its files at random, and reads it in a process apart, some of those with keys
after a compaction, or after their newest rows were written again. What may come of it: the same rows, a clear error,
other rows, the rows of an older snapshot, a panic, the end of the process, no answer in 5 seconds, more than a gibibyte
of memory, or a compaction that fails and is published. The last six never may; other rows only where no checksum, size
or count that the format has could tell.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import queue
import random
import select
import shutil
import subprocess
import sys
import time

import corruptions
import tables

HERE = pathlib.Path(__file__).parent
MOST_SECONDS = 5
MOST_BYTES = 1 << 30
NAMED = 0.95
NEVER = ["stale", "panic", "signal", "hang", "memory", "published", "wrong, could be told"]


class Reader:
    """A process that reads tables; it is started anew when it ends or does not answer."""

    def __init__(self, python: str):
        self.python = python
        self.process = None

    def read(self, warehouse: pathlib.Path, route: str, column: str | None, snapshot: int | None = None) -> dict:
        if self.process is None:
            command = [self.python, str(HERE / "worker.py")]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        request = {"warehouse": str(warehouse), "route": route, "column": column, "snapshot": snapshot}
        started = time.monotonic()
        print(json.dumps(request), file=self.process.stdin, flush=True)
        # The first answer waits for imports as well.
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        seconds = time.monotonic() - started
        line = self.process.stdout.readline() if ready else ""
        if line:
            return {**json.loads(line), "seconds": seconds}
        self.process.kill()
        _, text = self.process.communicate()
        code, self.process = self.process.returncode, None
        return {"died": code if ready else None, "error": text[-2000:], "seconds": seconds}

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()


def kind_of(path: pathlib.Path) -> str:
    name, folder = path.name, path.parent.name
    if folder == "manifest":
        kinds = ["manifest-list", "index-manifest", "manifest"]
        return next(kind for kind in kinds if name.startswith(kind))
    if folder in ("snapshot", "schema", "index"):
        return "hint" if name in ("LATEST", "EARLIEST") else folder
    return "file-index" if name.endswith(".index") else path.suffix[1:] or folder


def has_checksums(table: str, kind: str) -> bool:
    """Whether all values of such a file are under a checksum. Other implementations leave it out of Parquet files."""
    if kind == "blob":  # those of elements of arrays and maps are over the whole value, which nobody reads
        return table not in tables.NESTED_BLOBS
    if table == "dynamic" and kind == "index":
        return False
    return kind in ("index",) or (kind == "parquet" and not table.startswith(("java", "pypaimon")))


SIZED = {"manifest", "manifest-list", "index", "parquet", "avro", "orc", "blob"}


def moves_blobs(data: bytes, damaged: bytes | None) -> bool:
    """Whether only the index of a blob file is another, by more than one bit, and still fills the file.

    It says which row has which value, under no checksum: such lengths may give a value to another row, and nothing in
    the file tells.
    """
    index = len(data) - 5 - int.from_bytes(data[-5:-1], "little")
    if damaged is None or len(damaged) != len(data) or damaged[:index] != data[:index]:
        return False
    return sum((old ^ new).bit_count() for old, new in zip(data, damaged, strict=True)) > 1


def classify(case: dict, answer: dict, expected: dict) -> str:
    if "died" in answer:
        return "hang" if answer["died"] is None else "signal"
    if answer["seconds"] > MOST_SECONDS + case["patience"]:
        return "hang"
    if answer["bytes"] > MOST_BYTES:
        return "memory"
    if answer.get("published"):
        return "published"
    if "rows" not in answer:
        return "panic" if answer["kind"] == "PanicException" or "panicked" in answer["error"] else "error"
    if answer["rows"] == expected["rows"]:
        return "correct"
    if answer["rows"] in expected["older"]:
        return "stale"
    hashes = case["table"] == "dynamic" and case["kind"] == "index"  # of which each is as good as any other
    told = (
        (has_checksums(case["table"], case["kind"]) and not case["moves_blobs"])
        or (case["kind"] in SIZED and case["new_size"] != case["old_size"])
        or (len(answer["rows"]) != len(expected["rows"]) and not hashes)
    )
    return "wrong, could be told" if told else "wrong"


class Damage:
    def __init__(self, arguments):
        self.arguments = arguments
        self.readers = queue.SimpleQueue()
        for _ in range(arguments.processes):
            self.readers.put(Reader(arguments.ours))
        self.expected = {}
        self.columns = {}

    def reading(self, *request) -> dict:
        reader = self.readers.get()
        try:
            return reader.read(*request)
        finally:
            self.readers.put(reader)

    def prepare(self, name: str, make) -> bool:
        """Makes a table and reads it undamaged; false when it cannot be read yet."""
        warehouse = self.arguments.work / "tables" / name
        shutil.rmtree(warehouse, ignore_errors=True)
        warehouse.mkdir(parents=True)
        try:
            make(warehouse)
        except NotImplementedError as error:
            print(f"{name}: cannot be written yet: {str(error).splitlines()[0]}")
            return False
        folder = warehouse / tables.DATABASE / "t"
        newest = max(folder.glob("schema/schema-*"), key=lambda path: int(path.name.split("-")[1]))
        fields = [field["name"] for field in json.loads(newest.read_text())["fields"]]
        snapshots = sorted(int(path.name.split("-")[1]) for path in folder.glob("snapshot/snapshot-*"))
        self.columns[name] = fields
        for column in [None, fields[0]]:
            answers = [self.reading(warehouse, "core", column, snapshot) for snapshot in [None, *snapshots[:-1]]]
            if "rows" not in answers[0]:
                print(f"{name}: cannot be read yet: {answers[0]['error'].splitlines()[0]}")
                return False
            rows = answers[0]["rows"]
            older = [a["rows"] for a in answers[1:] if a.get("rows") not in (None, rows)]
            self.expected[name, column] = {"rows": rows, "older": older}
        return True

    def has_kind(self, name: str) -> bool:
        files = (self.arguments.work / "tables" / name).rglob("*.*")
        return self.arguments.kind is None or any(kind_of(path) == self.arguments.kind for path in files)

    def round(self, number: int, names: list[str]) -> dict:
        dice = random.Random(self.arguments.seed * 1_000_000 + number)
        ours = [name for name in names if name in tables.OURS]
        name = dice.choice(dice.choice([part for part in (ours, names) if part]))
        source = self.arguments.work / "tables" / name
        warehouse = self.arguments.work / "rounds" / f"{number}"
        shutil.copytree(source, warehouse)
        files = [path for path in warehouse.rglob("*") if path.is_file() and path.stat().st_size]
        kinds = collections.defaultdict(list)
        for path in sorted(files):
            if self.arguments.kind in (None, kind_of(path)):
                kinds[kind_of(path)].append(path)
        path = dice.choice(kinds[dice.choice(sorted(kinds))])
        data = path.read_bytes()
        another = dice.choice([p for p in sorted(files) if p != path]).read_bytes()
        corruption = dice.choice(corruptions.ALL)
        damaged = corruption(dice, data, another)
        if damaged is None:
            path.unlink()
        else:
            path.write_bytes(damaged)
        # Daft has references where blobs are in arrays and maps.
        route = "daft" if dice.random() < self.arguments.daft and name not in tables.NESTED_BLOBS else "core"
        if name in tables.KEYED:
            route = dice.choice(["compact", "upsert", route])
        column = dice.choice([None, self.columns[name][0]])
        case = {
            "number": number,
            "table": name,
            "kind": kind_of(path),
            "file": path.name,
            "corruption": corruption.__name__,
            "route": route,
            "column": column,
            "old_size": len(data),
            "new_size": len(damaged or b""),
            "moves_blobs": kind_of(path) == "blob" and moves_blobs(data, damaged),
            "patience": 5 * (self.arguments.processes > 1),
        }
        answer = self.reading(warehouse, route, column)
        case["outcome"] = classify(case, answer, self.expected[name, column])
        case["unchanged"] = damaged == data
        case["error"] = answer.get("error", "")
        case["error_kind"] = answer.get("kind", "")
        case["named"] = path.name in case["error"]
        case["seconds"] = answer["seconds"]
        if case["outcome"] in ("correct", "error"):
            shutil.rmtree(warehouse)
        return case

    def run(self) -> list[dict]:
        makers = {**tables.OURS, **tables.golden()}
        wanted = self.arguments.tables.split(",") if self.arguments.tables else list(makers)
        names = [name for name in wanted if self.prepare(name, makers[name]) and self.has_kind(name)]
        shutil.rmtree(self.arguments.work / "rounds", ignore_errors=True)
        with concurrent.futures.ThreadPoolExecutor(self.arguments.processes) as pool:
            numbers = self.arguments.only or range(self.arguments.count)
            cases = list(pool.map(lambda number: self.round(number, names), numbers))
        while not self.readers.empty():
            self.readers.get().close()
        return cases


def report(cases: list[dict]) -> list[str]:
    outcomes = collections.Counter(case["outcome"] for case in cases)
    print(f"{len(cases)} corruptions:", ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common()))
    kinds = sorted({case["kind"] for case in cases})
    for kind in kinds:
        counts = collections.Counter(case["outcome"] for case in cases if case["kind"] == kind)
        print(f"  {kind:15}", ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())))
    wrong = collections.Counter(
        (case["table"], case["kind"], case["corruption"]) for case in cases if case["outcome"] == "wrong"
    )
    for place, count in sorted(wrong.items()):
        print("  other rows, which nothing in the format tells:", *place, count)
    errors = [case for case in cases if case["outcome"] == "error"]
    named = sum(case["named"] for case in errors) / max(1, len(errors))
    print(f"{len(errors)} errors, of which {named:.1%} name the file; the slowest answer took", end=" ")
    print(f"{max(case['seconds'] for case in cases):.1f} s")
    problems = [f"{outcomes[outcome]} times: {outcome}" for outcome in NEVER if outcomes[outcome]]
    if named < NAMED:
        problems.append(f"only {named:.1%} of errors name the file")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--daft", type=float, default=0.15, help="part of the reads that go through Daft")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--tables", help="names, separated by commas")
    parser.add_argument("--kind", help="the only kind of file to damage")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of rounds to run again")
    arguments = parser.parse_args()
    arguments.work = arguments.work.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)

    cases = Damage(arguments).run()
    with open(arguments.work / "cases.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(case) + "\n" for case in cases)
    problems = report(cases)
    for case in cases:
        if case["outcome"] in NEVER:
            print(json.dumps({**case, "error": case["error"][-300:]}), file=sys.stderr)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
