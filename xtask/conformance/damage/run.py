"""Damages tables, reads them, and says what came of it.

    python run.py --ours PYTHON --work FOLDER [--count 2000] [--seed 1] [--tables NAME,..] [--kinds blob,hashes,..]

Every round copies a table, damages one of its files at random, or a piece of a compaction on its way between processes,
and reads the table in a process apart, some after more rows were written or deleted, or after a compaction
(`routes.py`). What may come of it: the same rows as without the damage, a clear error, other rows, the rows of an older
snapshot, a panic, the end of the process, no answer in 5 seconds, more than a gibibyte of memory, a change that fails
and is published, or that fails and leaves files behind. The last seven never may; other rows only where no checksum,
size or count that the format has could tell.
"""

import argparse
import collections
import concurrent.futures
import json
import pathlib
import queue
import random
import shutil
import sys
import threading

import corruptions
import routes
import tables
from judge import CARRIED, NEVER, classify, kind_of, moves_blobs
from reader import Reader

NAMED = 0.95


class Damage:
    def __init__(self, arguments):
        self.arguments = arguments
        self.readers = queue.SimpleQueue()
        for _ in range(arguments.processes):
            self.readers.put(Reader(arguments.ours))
        self.first_column: dict[str, str] = {}
        self.expected: dict[tuple, dict] = {}
        self.lock = threading.Lock()

    def ask(self, warehouse: pathlib.Path, route: str, column: str | None, *, snapshot=None, damage=None) -> dict:
        reader = self.readers.get()
        request = {"warehouse": str(warehouse), "route": route, "column": column}
        try:
            return reader.ask({**request, "snapshot": snapshot, "damage": damage})
        finally:
            self.readers.put(reader)

    def prepare(self, name: str, make) -> bool:
        """Makes a table; whether something of it can be damaged."""
        warehouse = self.arguments.work / "tables" / name
        shutil.rmtree(warehouse, ignore_errors=True)
        warehouse.mkdir(parents=True)
        make(warehouse)
        newest = max(warehouse.glob("*.db/t/schema/schema-*"), key=number_of)
        self.first_column[name] = json.loads(newest.read_text())["fields"][0]["name"]
        return bool(self.damageable(name, warehouse))

    def damageable(self, name: str, warehouse: pathlib.Path) -> dict[str, list[pathlib.Path]]:
        """Files by kind; of what is carried between processes none."""
        kinds = collections.defaultdict(list)
        for path in sorted(warehouse.rglob("*")):
            if path.is_file() and path.stat().st_size:
                kinds[kind_of(path)].append(path)
        if name in tables.CHANGED:
            kinds |= {kind: [] for kind in CARRIED}
        wanted = self.arguments.kinds and self.arguments.kinds.split(",")
        return {kind: paths for kind, paths in kinds.items() if not wanted or kind in wanted}

    def expect(self, name: str, route: str, column: str | None) -> dict:
        """The rows of an undamaged table after what a route does; and those if there were only older snapshots."""
        with self.lock:
            if (name, route, column) not in self.expected:
                self.expected[name, route, column] = self.learn(name, route, column)
            return self.expected[name, route, column]

    def learn(self, name: str, route: str, column: str | None) -> dict:
        source = self.arguments.work / "tables" / name
        snapshots = sorted(map(number_of, source.glob("*.db/t/snapshot/snapshot-*")))
        if route in ("core", "daft"):
            answers = [self.ask(source, "core", column, snapshot=snapshot) for snapshot in [None, *snapshots[:-1]]]
        else:
            answers = [self.after(source, route, column, snapshot) for snapshot in reversed(snapshots)]
        rows = answers[0].get("rows")
        return {"rows": rows, "older": [a["rows"] for a in answers[1:] if a.get("rows") not in (None, rows)]}

    def after(self, source: pathlib.Path, route: str, column: str | None, snapshot: int) -> dict:
        """What a table has when `snapshot` is its last before a route changes it."""
        copy = self.arguments.work / "undamaged"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy)
        for path in copy.glob("*.db/t/snapshot/*"):
            if path.name in ("LATEST", "EARLIEST") or number_of(path) > snapshot:
                path.unlink()
        return self.ask(copy, route, column)

    def route(self, dice: random.Random, name: str, kind: str, column: str | None) -> str:
        if kind in CARRIED:
            return "compact"
        if kind == "hashes" and name in tables.CHANGED and dice.random() < 0.5:
            return "upsert"  # nobody else looks at them
        # Daft has references where blobs are in arrays and maps.
        reads = "daft" if dice.random() < self.arguments.daft and name not in tables.NESTED_BLOBS else "core"
        changes = [*routes.ROUTES] if name in tables.CHANGED else ["compact", reads, reads]
        route = dice.choice([*changes, reads])
        # Some tables of others can be read, and not be compacted.
        return route if self.expect(name, route, column)["rows"] is not None else reads

    def round(self, number: int, names: list[str]) -> dict:
        dice = random.Random(self.arguments.seed * 1_000_000 + number)
        ours = [name for name in names if name in tables.OURS]
        name = dice.choice(dice.choice([part for part in (ours, names) if part]))
        warehouse = self.arguments.work / "rounds" / f"{number}"
        shutil.copytree(self.arguments.work / "tables" / name, warehouse)
        kinds = self.damageable(name, warehouse)
        kind = dice.choice(sorted(kinds))
        column = dice.choice([None, self.first_column[name]])
        route = self.route(dice, name, kind, column)
        case = {"number": number, "table": name, "kind": kind, "route": route, "column": column, "moves_blobs": False}
        case |= {"patience": 5 * (self.arguments.processes > 1), "file": "", "old_size": 0, "new_size": 0}
        damage = None
        if kind in CARRIED:
            damage = [kind, dice.randrange(2**32)]
            case |= {"corruption": "on its way", "unchanged": False, "replaced_by": None}
        else:
            case |= damage_one(dice, kinds[kind], warehouse)
        answer = self.ask(warehouse, route, column, damage=damage)
        case["outcome"] = classify(case, answer, self.expect(name, route, column))
        case["error"] = answer.get("error", "")
        case["error_kind"] = answer.get("kind", "")
        case["litter"] = answer.get("litter", [])
        case["named"] = case["file"] in case["error"]
        case["seconds"] = answer["seconds"]
        if case["outcome"] in ("correct", "error"):
            shutil.rmtree(warehouse)
        return case

    def run(self) -> list[dict]:
        makers = {**tables.OURS, **tables.golden()}
        wanted = self.arguments.tables.split(",") if self.arguments.tables else list(makers)
        names = [name for name in wanted if self.prepare(name, makers[name])]
        shutil.rmtree(self.arguments.work / "rounds", ignore_errors=True)
        with concurrent.futures.ThreadPoolExecutor(self.arguments.processes) as pool:
            numbers = self.arguments.only or range(self.arguments.count)
            cases = list(pool.map(lambda number: self.round(number, names), numbers))
        while not self.readers.empty():
            self.readers.get().close()
        return cases


def number_of(path: pathlib.Path) -> int:
    return int(path.name.split("-")[1])


def damage_one(dice: random.Random, paths: list[pathlib.Path], warehouse: pathlib.Path) -> dict:
    """Damages one of some files, rather one of the newest, which the table still has; says how."""
    by_age = sorted(paths, key=lambda path: path.stat().st_mtime_ns)
    path, corruption = dice.choice(dice.choice([by_age, by_age[-3:], by_age[-1:]])), dice.choice(corruptions.ALL)
    others = [other for other in sorted(warehouse.rglob("*")) if other.is_file() and other != path]
    data, other = path.read_bytes(), dice.choice(others)
    damaged = corruption(dice, data, other.read_bytes())
    moved = kind_of(path) == "blob" and moves_blobs(data, damaged)
    if damaged is None:
        path.unlink()
    else:
        path.write_bytes(damaged)
    replaced_by = kind_of(other) if corruption is corruptions.other else None
    case = {"file": path.name, "corruption": corruption.__name__, "unchanged": damaged == data, "moves_blobs": moved}
    return {**case, "replaced_by": replaced_by, "old_size": len(data), "new_size": len(damaged or b"")}


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
    errors = [case for case in cases if case["outcome"] == "error" and case["file"]]
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
    parser.add_argument("--kinds", help="the only kinds of files to damage, separated by commas")
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
