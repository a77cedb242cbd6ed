"""Declared defects of the peers: readings that differ although the table is right.

Each entry names the peer, says when it strikes, and which seed shows it without our wheel, in a run of the peers among
themselves: `run.py --without-us ...`.
"""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Defect:
    """One defect of one peer."""

    reader: str
    what: str
    strikes: Callable[[dict, str], bool]


def has(plan: dict, kind: str) -> bool:
    """Whether a column of the plan has a type that starts so."""
    return any(column["type"].startswith(kind) for column in plan["columns"])


def _avro_rows(plan: dict, wrong: str) -> bool:
    """pypaimon-rust 0.4.0 reads ROW columns of Avro files as rows of NULLs, in some files.

    Without us: `--without-us --first-seed 28 --seeds 1`.
    """
    return plan["format"] == "avro" and (has(plan, "ROW") or has(plan, "ARRAY<ROW"))


def _selectivity(plan: dict, wrong: str) -> bool:
    """pypaimon-rust 0.4.0 gives its planner row counts that end in `Selectivity is out of limit: inf` under a filter.

    Without us: `--without-us --first-seed 31 --seeds 1`.
    """
    return "Selectivity is out of limit" in wrong


def _orc_selection(plan: dict, wrong: str) -> bool:
    """pypaimon-rust 0.4.0 panics in filtered reads of ORC files: `selection exceeds the number of selected rows`.

    Without us: `--without-us --first-seed 52 --seeds 1`.
    """
    return plan["format"] == "orc" and "selection exceeds the number of selected rows" in wrong


def _orc_times_of_rust(plan: dict, wrong: str) -> bool:
    """pypaimon-rust 0.4.0 reads all times of ORC files as nanoseconds in 64 bits and refuses others.

    Without us: `--without-us --first-seed 34 --seeds 1`.
    """
    return plan["format"] == "orc" and has(plan, "TIMESTAMP") and "Overflow while decoding timestamp" in wrong


def _orc_times_of_pyarrow(plan: dict, wrong: str) -> bool:
    """All times of ORC files are nanoseconds in 64 bits to pypaimon 2.1.0; others wrap around.

    Without us: `--without-us --first-seed 34 --seeds 1`.
    """
    wrapped = (-62135596800000000 * 1000 + 2**63) % 2**64 - 2**63
    return plan["format"] == "orc" and has(plan, "TIMESTAMP(6)") and str(-(-wrapped // 1000)) in wrong


def _parquet_nanoseconds(plan: dict, wrong: str) -> bool:
    """Java 1.4 writes TIMESTAMP(9) to Parquet as INT96 and takes 64-bit integers, which all others write, for
    microseconds whatever the file says.

    Without us: `--without-us --java DRIVER.JAR --first-seed 6 --seeds 1`.
    """
    return plan["format"] == "parquet" and has(plan, "TIMESTAMP(9)")


DEFECTS: list[Defect] = [
    Defect("pypaimon-rust", "ROW columns of Avro files", _avro_rows),
    Defect("pypaimon-rust", "filters and row counts", _selectivity),
    Defect("pypaimon-rust", "filters on ORC files", _orc_selection),
    Defect("pypaimon-rust", "times of ORC files that nanoseconds do not hold", _orc_times_of_rust),
    Defect("pypaimon", "times of ORC files that nanoseconds do not hold", _orc_times_of_pyarrow),
    Defect("java", "nanoseconds of Parquet files", _parquet_nanoseconds),
]


def explains(reader: str, plan: dict, wrong: str) -> Defect | None:
    """The declared defect that explains a difference, if one does."""
    return next((defect for defect in DEFECTS if defect.reader == reader and defect.strikes(plan, wrong)), None)
