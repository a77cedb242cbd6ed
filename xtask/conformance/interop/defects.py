"""Declared defects of the peers: readings that differ although the table is right.

Each entry names the peer, says when it strikes, and names a function here that reproduces it without our wheel.
"""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Defect:
    """One defect of one peer."""

    reader: str
    what: str
    strikes: Callable[[dict, str], bool]


def _avro_rows(plan: dict, wrong: str) -> bool:
    """pypaimon-rust 0.4.0 reads ROW columns of Avro files as rows of NULLs, in some files.

    Without us: let pypaimon create a table with `file.format` = avro and a ROW<x INT, y STRING> column, let
    pypaimon-rust append twenty rows to three buckets and some more, and read with pypaimon-rust's SQL.
    """
    return plan["format"] == "avro" and any(column["type"].startswith("ROW") for column in plan["columns"])


DEFECTS: list[Defect] = [
    Defect("pypaimon-rust", "ROW columns of Avro files", _avro_rows),
]


def explains(reader: str, plan: dict, wrong: str) -> Defect | None:
    """The declared defect that explains a difference, if one does."""
    return next((defect for defect in DEFECTS if defect.reader == reader and defect.strikes(plan, wrong)), None)
