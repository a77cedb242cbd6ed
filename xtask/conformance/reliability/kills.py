"""Processes that are killed at their first file operation, their second, and so on (`shim.c`).

After each kill the table must be as it was, or changed: no row may be lost, doubled or seen half. Then whatever comes
next must work.
"""

import dataclasses
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable

import pypaimon
from writers import acknowledged, go, start

HERE = pathlib.Path(__file__).parent
TABLE = "reliability.t"


@dataclasses.dataclass(frozen=True)
class Victim:
    """What is killed, and the table that it changes.

    Attributes:
        name: Of the kind of change.
        make: Makes the table in a folder.
        script: What changes it: the file and its arguments after the table.
        rows: All rows of a table, sorted.
        after: These, once it is changed.
        go_on: Works on, and gives the rows that must be there then; it is told whether the change was published.
        every: Of the file operations, each of this distance is killed.
    """

    name: str
    make: Callable[[pathlib.Path], None]
    script: tuple
    rows: Callable
    after: list
    go_on: Callable
    every: int = 1


def build_shim(work: pathlib.Path) -> str:
    library = work / "shim.so"
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "shim.c"), "-ldl"], check=True)
    return str(library)


def table_at(warehouse: pathlib.Path):
    return pypaimon.CatalogFactory.create({"warehouse": str(warehouse)}).get_table(TABLE)


def latest_of(table) -> int:
    return table.snapshot_manager().get_latest_snapshot().id


def kills(victim: Victim, arguments, shim: str) -> list[str]:
    original, warehouse = arguments.work / "before", arguments.work / "kills"
    counter = arguments.work / "operations"
    shutil.rmtree(original, ignore_errors=True)
    victim.make(original)

    def attempt(kill_at: int):
        """Changes a copy of the table, and is killed."""
        shutil.rmtree(warehouse, ignore_errors=True)
        shutil.copytree(original, warehouse)
        environment = {
            "LD_PRELOAD": shim,
            "SHIM_ROOT": str(warehouse),
            "SHIM_KILL_AT": str(kill_at),
            "SHIM_COUNT_TO": str(counter),
        }
        script, *more = victim.script
        process = start(arguments.ours, script, warehouse, TABLE, *more, environment=environment)
        go(process)
        return acknowledged(process), table_at(warehouse)

    before, first = victim.rows(table_at(original)), latest_of(table_at(original))
    acks, table = attempt(0)
    assert acks and victim.rows(table) == victim.after, f"{victim.name}: {acks}, {victim.rows(table)}"
    operations = int(counter.read_text())
    problems, whole, nothing = [], 0, 0
    for kill_at in range(1, operations + 1, victim.every):
        where = f"{victim.name}, killed at operation {kill_at} of {operations}"
        acks, table = attempt(kill_at)
        rows, changed = victim.rows(table), latest_of(table) > first
        if rows not in (before, victim.after) or (acks and rows != victim.after):
            problems.append(f"{where}: acknowledged {acks}, rows {rows}")
        whole, nothing = whole + changed, nothing + (not changed)
        wanted = victim.go_on(table, changed)
        if victim.rows(table) != wanted:
            problems.append(f"{where}: what came next did not work: {victim.rows(table)} instead of {wanted}")
    print(
        f"{victim.name}: killed at {whole + nothing} of {operations} file operations: {nothing} times nothing, "
        f"{whole} times all of it",
        flush=True,
    )
    return problems
