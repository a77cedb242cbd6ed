"""Dynamic buckets as Java assigns them: the same rows in many commits, ours from several Daft tasks each.

Afterwards the buckets of both tables have the same hashes, every key is in one bucket, and there are as many keys in a
bucket as hashes in its index. Then each goes on in the table of the other. Where the number of buckets is bounded, rows
of new keys go to any full one, so that only the hashes of a partition are the same.

    python dynamic_buckets.py --java DRIVER.JAR --work FOLDER --first-seed 1 --seeds 4
"""

import argparse
import collections
import functools
import itertools
import pathlib
import random
import shutil
import sys

import daft
from java_peer import Driver, Table
from pypaimon import CatalogFactory
from pypaimon.daft import write_paimon

COMMITS = 20
TASKS = 4
COLUMNS = {"k": "INT", "p": "STRING", "v": "INT"}


class Comparison:
    """The tables of one seed, one of which each writes first, and the rows that both have."""

    def __init__(self, driver: Driver, warehouse: pathlib.Path, seed: int):
        self.warehouse, self.seed, self.random = warehouse, seed, random.Random(seed)
        self.catalog = CatalogFactory.create({"warehouse": str(warehouse)})
        self.tables = {first: Table(driver, warehouse, f"db.{first}{seed}") for first in ("ours", "java")}
        self.partitions = ["a", "b/1", ""][: self.random.randint(1, 3)]
        self.target = self.random.choice([1, 5, 40])
        options = {"bucket": "-1", "dynamic-bucket.target-row-num": self.target, "write-only": "true"}
        if self.random.random() < 0.3:
            options["dynamic-bucket.max-buckets"] = 5
        self.bounded = "dynamic-bucket.max-buckets" in options
        for table in self.tables.values():
            table.create(COLUMNS, ["p"], options, ["k", "p"])
        self.rows: dict[tuple, list] = {}
        self.homes: dict[str, dict[tuple, int]] = {first: {} for first in self.tables}

    def problems(self) -> list[str]:
        found = []
        for changed_hands in (False, True):
            for _ in range(COMMITS):
                self.commit(changed_hands)
            indexes = {first: self.indexes(table) for first, table in self.tables.items()}
            for first in self.tables:
                found += [f"seed {self.seed}, {first} first: {what}" for what in self.wrong(first, indexes[first])]
            ours, java = (self.comparable(each) for each in indexes.values())
            if ours != java:
                found.append(f"seed {self.seed}: other hashes: ours {ours}, Java's {java}")
        return found

    def commit(self, changed_hands: bool) -> None:
        rows = [
            [self.random.randrange(200), self.random.choice(self.partitions), self.random.randrange(100)]
            for _ in range(self.random.choice([1, 10, 30]))
        ]
        rows = list({tuple(row[:2]): row for row in rows}.values())
        parts = [rows[task::TASKS] for task in range(min(TASKS, len(rows)))]
        self.rows |= {tuple(row[:2]): row for row in rows}
        for first, table in self.tables.items():
            if (first == "ours") != changed_hands:
                frames = [daft.from_pydict(dict(zip(COLUMNS, map(list, zip(*part))))) for part in parts]
                frame = functools.reduce(daft.DataFrame.concat, frames)
                write_paimon(frame, table.name, {"warehouse": str(self.warehouse)})
            else:
                table.write(*itertools.chain(*parts))

    def indexes(self, table: Table) -> dict[str, list[list[int]]]:
        """By partition, the hashes of each bucket."""
        found = collections.defaultdict(list)
        for index in sorted(table.ask("indexes")["indexes"], key=lambda index: index["bucket"]):
            found[index["partition"][0]].append(index["hashes"])
        return dict(found)

    def comparable(self, indexes: dict[str, list[list[int]]]) -> dict[str, list]:
        """What both tables must have: of each partition the sets of hashes, by bucket where that is known."""
        if self.bounded:
            return {partition: sorted(itertools.chain(*buckets)) for partition, buckets in indexes.items()}
        return {partition: [sorted(bucket) for bucket in buckets] for partition, buckets in indexes.items()}

    def wrong(self, first: str, indexes: dict[str, list[list[int]]]):
        """What is wrong with one table."""
        for partition, buckets in indexes.items():
            hashes = list(itertools.chain(*buckets))
            if len(set(hashes)) != len(hashes):
                yield f"a hash of partition {partition!r} is in two buckets, or twice in one"
            if not self.bounded and any(len(bucket) > self.target for bucket in buckets):
                yield f"more than {self.target} hashes in a bucket of partition {partition!r}"
        homes, keys = {}, collections.defaultdict(collections.Counter)
        builder = self.catalog.get_table(self.tables[first].name).new_read_builder()
        for split in builder.new_scan().plan().splits():
            for row in builder.new_read().to_arrow([split]).to_pylist():
                key = (row["k"], row["p"])
                if key in homes:
                    yield f"key {key} is in the buckets {homes[key]} and {split.bucket}"
                homes[key] = split.bucket
                keys[row["p"]][split.bucket] += 1
                if row != dict(zip(COLUMNS, self.rows.get(key, []))):
                    yield f"{row} instead of {self.rows.get(key)}"
        if len(homes) != len(self.rows):
            yield f"{len(homes)} keys of {len(self.rows)}"
        moved = {key for key, home in self.homes[first].items() if homes.get(key) != home}
        if moved:
            yield f"keys that left their bucket: {sorted(moved)[:5]}"
        self.homes[first] = homes
        sizes = {partition: sorted(map(len, buckets)) for partition, buckets in indexes.items()}
        if sizes != {partition: sorted(counts.values()) for partition, counts in keys.items()}:
            yield f"buckets of {dict(keys)} keys have indexes of {sizes} hashes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--java", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_args()

    warehouse = arguments.work / "dynamic-buckets"
    shutil.rmtree(warehouse, ignore_errors=True)
    warehouse.mkdir(parents=True)
    driver = Driver(arguments.java)
    problems = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        problems += Comparison(driver, warehouse, seed).problems()
    driver.close()
    for problem in problems:
        print(problem, file=sys.stderr)
    print(
        f"{arguments.seeds} tables of dynamic buckets in {2 * COMMITS} commits: {len(problems)} differences from Java"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
