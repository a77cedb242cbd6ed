"""Plans of tables with a primary key against Java's, for tables that Java wrote and compacted to random levels.

Without a condition the splits must be Java's: the same files in each, merged or not. With one, never more files than
Java reads, and the same rows. Increments must have the rows that Java gives as inserts and updates.

    python keyed_splits.py --java DRIVER.JAR --work FOLDER --first-seed 1 --seeds 20
"""

import argparse
import collections
import json
import pathlib
import random
import shutil
import sys

from java_peer import Driver, Table
from pypaimon import CatalogFactory

ENGINES = [
    {"merge-engine": "deduplicate"},
    {"merge-engine": "partial-update"},
    {"merge-engine": "aggregation", "fields.v.aggregate-function": "sum"},
    {"merge-engine": "first-row"},
    {"deletion-vectors.enabled": "true"},
]
SIZES = [
    {},
    {"source.split.target-size": "3kb", "source.split.open-file-cost": "1kb"},
    {"source.split.target-size": "1b"},
]
FILES = [
    {},
    {"target-file-size": "1kb"},
    {"file.format": "avro"},
    {"metadata.stats-mode": "none"},
    {"data-file.thin-mode": "true"},
    {"file-index.bloom-filter.columns": "k,v", "file-index.in-manifest-threshold": "1mb"},
]
CONDITIONS = [
    ["=", "k", 30],
    [">", "k", 70],
    [">", "v", 40],
    ["=", "w", "zz"],
    ["and", [">=", "k", 40], ["=", "v", 2]],
    ["and", ["=", "v", 1], ["=", "w", "b"]],
]
LEVELS = ["", "$ro"]


class Run:
    """What was compared, and what was found."""

    def __init__(self, driver: Driver, warehouse: pathlib.Path):
        self.driver, self.warehouse = driver, warehouse
        self.catalog = CatalogFactory.create({"warehouse": str(warehouse)})
        self.counts = collections.Counter()
        self.problems: list[str] = []

    def table(self, seed: int) -> None:
        draw = random.Random(seed)
        options = draw.choice(ENGINES) | draw.choice(SIZES) | draw.choice(FILES) | {"bucket": draw.choice([1, 2, 3])}
        table = Table(self.driver, self.warehouse, f"db.t{seed}")
        partition = draw.choice([[], ["p"]])
        table.create({"p": "INT", "k": "INT", "v": "INT", "w": "STRING"}, partition, options, [*partition, "k"])
        for _ in range(draw.randint(1, 7)):
            if draw.random() < 0.25:
                table.compact(full=draw.random() < 0.5)
            else:
                # What is `write-only` stays on level 0.
                how = {"options": {"write-only": "true"}} if draw.random() < 0.7 else {}
                table.upsert(*rows(draw, options), **how)
        for level in LEVELS:
            where = f"seed {seed}{level} {options}"
            self.whole(table.system(level[1:]) if level else table, where)
        self.increments(table, f"seed {seed} {options}", skips_level_0(options))

    def whole(self, table: Table, where: str) -> None:
        self.expect("plans", where, splits_of_java(table), self.splits(table.name))
        for condition in CONDITIONS:
            java, ours = splits_of_java(table, filter=condition), self.splits(table.name, condition)
            if files(ours) > files(java):
                self.problem(f"{where} {condition}: more files than {java}: {ours}")
            self.expect(
                "readings", f"{where} {condition}", table.rows(filter=condition), self.rows(table.name, condition)
            )

    def increments(self, table: Table, where: str, java_skips_level_0: bool) -> None:
        snapshots = (table.folder / "snapshot").glob("snapshot-*")
        last = max((int(path.name.removeprefix("snapshot-")) for path in snapshots), default=0)
        for first in range(1, last):
            between = {"incremental-between": f"{first},{last}", "incremental-between-scan-mode": "delta"}
            answer = [json.loads(row) for row in table.rows(options=between, kinds=True)]
            came = sorted(spell(row) for kind, *row in answer if kind in ("+I", "+U"))
            if java_skips_level_0 and not came:
                continue  # Java 1.4 leaves out what has just come; later releases do not.
            self.expect("increments", f"{where} {between}", came, self.rows(table.name, options=between))

    def read(self, name: str, condition: list | None, options: dict | None):
        builder = self.catalog.get_table(name).copy(options or {}).new_read_builder()
        if condition:
            builder = builder.with_filter(predicate(builder.new_predicate_builder(), condition))
        return builder.new_read(), builder.new_scan().plan().splits()

    def splits(self, name: str, condition: list | None = None) -> list:
        _, splits = self.read(name, condition, None)
        return sorted(
            [split.bucket, split.raw_convertible, sorted([file.file_name, file.level] for file in split.files)]
            for split in splits
        )

    def rows(self, name: str, condition: list | None = None, options: dict | None = None) -> list[str]:
        read, splits = self.read(name, condition, options)
        return sorted(spell(list(row.values())) for row in read.to_arrow(splits).to_pylist())

    def expect(self, what: str, where: str, java: list, ours: list) -> None:
        self.counts[what] += 1
        if java != ours:
            self.problem(f"{where}: Java has {java}, we have {ours}")

    def problem(self, what: str) -> None:
        self.problems.append(what)
        print(what, file=sys.stderr, flush=True)


def rows(draw: random.Random, options: dict) -> list[list]:
    deletes = options.get("merge-engine", "deduplicate") == "deduplicate"
    first, p = draw.randint(0, 60), draw.randint(0, 1)
    keys = draw.sample(range(first, first + 25), draw.randint(1, 12))
    kinds = [("-D" if deletes and draw.random() < 0.15 else "+I") for _ in keys]
    values = [None, 1, 2, 3, draw.randint(0, 50)]
    return [[kind, p, key, draw.choice(values), draw.choice([None, "a", "b", "zz"])] for kind, key in zip(kinds, keys)]


def skips_level_0(options: dict) -> bool:
    return options.get("merge-engine") == "first-row" or "deletion-vectors.enabled" in options


def splits_of_java(table: Table, **read) -> list:
    splits = table.ask("plan", **read)["splits"]
    return sorted([split["bucket"], split["raw"], sorted(split["files"])] for split in splits)


def files(splits: list) -> int:
    return sum(len(files) for *_, files in splits)


def spell(row: list) -> str:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))


def predicate(builder, condition: list):
    match condition:
        case ["and", *parts]:
            return builder.and_predicates([predicate(builder, part) for part in parts])
        case ["=", name, value]:
            return builder.equal(name, value)
        case [">", name, value]:
            return builder.greater_than(name, value)
        case [">=", name, value]:
            return builder.greater_or_equal(name, value)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--java", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()

    warehouse = arguments.work / "keyed-splits"
    shutil.rmtree(warehouse, ignore_errors=True)
    warehouse.mkdir(parents=True)
    driver = Driver(arguments.java)
    run = Run(driver, warehouse)
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        run.table(seed)
    driver.close()
    counted = ", ".join(f"{count} {what}" for what, count in sorted(run.counts.items()))
    print(f"{arguments.seeds} tables with keys planned as Java does: {counted}: {len(run.problems)} differences")
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
