"""Declared defects of the peers on tables with a primary key: answers that differ although the table is right.

Each names the peer, says when it strikes, and which seed shows it without our wheel: `keyed_run.py --without-us ...`.
"""

import dataclasses
from collections.abc import Callable

import defects


@dataclasses.dataclass(frozen=True)
class Defect:
    """One defect of one peer."""

    who: str
    what: str
    strikes: Callable[[dict, str, str], bool]


def _partition_alone(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 reads no row of an Avro table when only its partition column is asked for.

    Without us: `--without-us --first-seed 60 --seeds 1`.
    """
    return plan["format"] == "avro" and where.endswith("read by pypaimon: p")


def _compared_floats(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 takes the maximum and minimum of floats as Python does, for which -0 is 0 and NaN nothing.

    Without us: `--without-us --java DRIVER.JAR --first-seed 670 --seeds 1`.
    """
    return any(
        plan["options"].get(f"fields.{column['name']}.aggregate-function") in ("max", "min")
        for column in plan["columns"]
        if column["type"] in ("FLOAT", "DOUBLE")
    )


def _wide_vectors(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 knows deletion vectors of 32 bits only.

    Without us: it refuses the table of `../cases/read/java-1.4.2-keyed-deletions-v2`.
    """
    return plan["options"].get("deletion-vectors.bitmap64") == "true" and "Invalid magic number" in wrong


def _absent_columns(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 reads no row of files that have none of the columns asked for.

    Without us: `--without-us --first-seed 72 --seeds 1`.
    """
    asked = where.rsplit(": ", 1)[1].split(" where ")[0].split(" of ")[0].split(",")
    added = {step["name"] for step in plan["steps"] if step["do"] == "alter" and step["change"] == "add"}
    return set(asked) <= added and wrong.endswith("extra []")


def _maps(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 mixes two spellings of maps where it folds some rows of a MAP and not others.

    Without us: `--without-us --first-seed 34 --seeds 1`.
    """
    return defects.has(plan, "MAP") and "ArrowTypeError: Could not convert" in wrong


def _removing_group(plan: dict, where: str, wrong: str) -> bool:
    """Java 1.4 removes no record by a sequence group of which no column is asked for.

    Without us: `--without-us --java DRIVER.JAR --first-seed 69 --seeds 1`.
    """
    asked = where.rsplit(": ", 1)[1].split(" where ")[0].split(",")
    return "partial-update.remove-record-on-sequence-group" in plan["options"] and "g0s0" not in asked


def _decimal_filters(plan: dict, where: str, wrong: str) -> bool:
    """Java 1.4 pushes filters on decimals into Parquet files for integers, whatever type the file has.

    Without us: `--without-us --java DRIVER.JAR --first-seed 617 --seeds 1`.
    """
    return plan["format"] == "parquet" and "ValidTypeMap" in wrong


def _levels_twice(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 aggregates rows of all levels, also where each level holds what those below it had.

    Without us: of a table with `sum` and the producer `lookup`, to which Java wrote (1, 1), compacted it fully, wrote
    (1, 10) and compacted it again, Java reads (1, 11) and pypaimon (1, 12).
    """
    options = plan["options"]
    looks_up = options.get("changelog-producer") == "lookup" or options.get("force-lookup") == "true"
    return looks_up and options.get("merge-engine") == "aggregation"


DEFECTS: list[Defect] = [
    Defect("pypaimon", "the partition column alone", _partition_alone),
    Defect("pypaimon", "the order of -0 and NaN", _compared_floats),
    Defect("pypaimon", "deletion vectors of 64 bits", _wide_vectors),
    Defect("pypaimon", "columns that no file has", _absent_columns),
    Defect("pypaimon", "two spellings of maps", _maps),
    Defect("pypaimon", "values that were aggregated before", _levels_twice),
    Defect("java", "records that a sequence group removes", _removing_group),
    Defect("java", "filters on decimals stored as bytes", _decimal_filters),
]


def refuses(wrong: str) -> bool:
    """Whether a peer says itself that it does not do this."""
    return "NotImplementedError" in wrong


def explains(who: str, plan: dict, where: str, wrong: str) -> Defect | None:
    """The declared defect that explains a difference, if one does."""
    own = (defect for defect in DEFECTS if defect.who == who and defect.strikes(plan, where, wrong))
    return next(own, None) or defects.explains(who, plan, wrong)
