"""Declared defects of the peers on tables with row tracking: answers that differ although the table is right.

Each names the peer, says when it strikes, and which seed shows it without our wheel: `blob_run.py --without-us ...`.
"""

import defects
from keyed_defects import Defect


def _renamed(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 and pypaimon-rust 0.4.0 find no renamed column in files that say which columns they hold, Java 1.4
    gives values of other rows, or older ones.

    Without us: `--without-us --first-seed 6 --seeds 3`; with `--java DRIVER.JAR`, `--first-seed 30 --seeds 1`.
    """
    renamed = {step["to"] for step in plan["steps"] if step.get("change") == "rename"}
    return any(name in where.rsplit(": ", 1)[1] for name in renamed)


def _absent_columns(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 and Java 1.4 read no row of files that have none of the columns asked for.

    Without us: `--without-us --first-seed 6 --seeds 1`; with `--java DRIVER.JAR`, `--first-seed 4 --seeds 1`.
    """
    asked = set(where.rsplit(": ", 1)[1].split(" where ")[0].split(" of ")[0].split(","))
    return not asked & {"k", "p"} and wrong.endswith("extra []")


def _avro_partitions(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 reads partition columns of Avro files as NULL where they come first among those of a file.

    Without us: `--without-us --first-seed 60 --seeds 1`.
    """
    asked = where.rsplit(": ", 1)[1].split(" where ")[0].split(" of ")[0].split(",")
    return plan["format"] == "avro" and bool(plan["partition"]) and "p" in asked and "k" not in asked


def _overwritten_vectors(plan: dict, where: str, wrong: str) -> bool:
    """Pypaimon 2.1.0 keeps the deletion vectors of files that an overwrite took away, and deletes no row after that.

    Without us: `--without-us --first-seed 130 --seeds 1`.
    """
    return any(step["do"] == "overwrite" for step in plan["steps"]) and "Deletion vector index conflict" in wrong


def _no_data_file(plan: dict, where: str, wrong: str) -> bool:
    """Java 1.4 fails, or mixes rows up, where of the columns asked for their data file has none, but others are blobs.

    Without us: `--without-us --java DRIVER.JAR --first-seed 18 --seeds 5`.
    """
    asked = where.rsplit(": ", 1)[1].split(" where ")[0].split(" of ")[0].split(",")
    return "row count exceed the expect -1" in wrong or all(name.startswith(("b", "_ROW_ID")) for name in asked)


DEFECTS: list[Defect] = [
    Defect("pypaimon", "renamed columns", _renamed),
    Defect("pypaimon-rust", "renamed columns", _renamed),
    Defect("pypaimon", "columns that no file has", _absent_columns),
    Defect("java", "columns that no file has", _absent_columns),
    Defect("java", "blobs without a column of the data file", _no_data_file),
    Defect("java", "renamed columns", _renamed),
    Defect("pypaimon", "partition columns of Avro files", _avro_partitions),
    Defect("pypaimon", "deletes after an overwrite", _overwritten_vectors),
]


def explains(who: str, plan: dict, where: str, wrong: str) -> Defect | None:
    """The declared defect that explains a difference, if one does."""
    own = (defect for defect in DEFECTS if defect.who == who and defect.strikes(plan, where, wrong))
    return next(own, None) or defects.explains(who, plan, wrong)
