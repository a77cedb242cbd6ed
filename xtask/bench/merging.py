"""Reads merged tables of more and more rows, and of more and more runs, and draws what it costs.

    python merging.py --ours PYTHON --peers PYTHON --work FOLDER --report FOLDER [--scale 1] [--rounds 3]

The tables are written once by pypaimon's native writer (`merging_table.py`): rows from 1 to 20 million in six runs, and
two million rows in 2 to 50 runs, which all overlap. Each is read by `read_paimon` in a process of its own. CPU is that
of all threads. The report is a table (merging.md) and a picture (merging.svg).

Cost must grow linearly with rows and no worse than logarithmically with runs, and two cores must be of use.
"""

import argparse
import json
import math
import pathlib
import subprocess
import sys

from chart import Chart, line_through, picture

HERE = pathlib.Path(__file__).parent
ROWS, RUNS_OF_ROWS = [1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000], 6
RUNS, ROWS_OF_RUNS = [2, 4, 8, 16, 32, 50], 2_000_000
#: The cost of a row at most, as a multiple of that in the smallest table.
ROW_COST = 1.25
#: Seconds on two cores over seconds on one.
TWO_CORES = 0.7


def measure(arguments: argparse.Namespace, rows: int, runs: int, cores: int | None = None) -> dict:
    """The read of the least CPU (of the least time when `cores` are counted)."""
    warehouse = arguments.work / f"warehouse-{arguments.scale:g}"
    name = f"rows_{rows}_runs_{runs}"
    if not (warehouse / "bench.db" / name / "complete").exists():
        command = [arguments.peers, str(HERE / "merging_table.py"), str(warehouse), name, str(rows), str(runs)]
        subprocess.run(command, check=True)
    command = [arguments.ours, str(HERE / "merging_query.py"), str(warehouse), f"bench.{name}"]
    command += [] if cores is None else [str(cores)]
    measured = []
    for _ in range(arguments.rounds):
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        measured.append(json.loads(output.strip().splitlines()[-1]))
    return min(measured, key=lambda values: values["seconds" if cores else "cpu"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--report", type=pathlib.Path, required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    table = ["| rows | runs | cores | rows read | CPU s | wall s | ns of CPU a row | peak MB |", "|---" * 8 + "|"]

    def tell(rows: int, runs: int, cores: int | None = None) -> dict:
        rows = int(rows * arguments.scale)
        values = measure(arguments, rows, runs, cores)
        cells = [f"{rows:,}", str(runs), str(cores or "all"), f"{values['kept']:,}", f"{values['cpu']:.3f}"]
        cells += [f"{values['seconds']:.3f}", f"{values['cpu'] / rows * 1e9:.0f}", f"{values['peak_mb']:.0f}"]
        table.append("| " + " | ".join(cells) + " |")
        print(table[-1], flush=True)
        return values

    by_rows = [(rows * arguments.scale, tell(rows, RUNS_OF_ROWS)["cpu"]) for rows in ROWS]
    by_runs = [(runs, tell(ROWS_OF_RUNS, runs)["cpu"]) for runs in RUNS]
    one, two = (tell(ROWS[2], RUNS_OF_ROWS, cores)["seconds"] for cores in (1, 2))

    notes, missed = [], []

    def judge(text: str, value: float, most: float) -> None:
        notes.append(f"{text}: {value:.2f}, at most {most:.2f} wanted")
        if value > most:
            missed.append(f"missed: {notes[-1]}")

    slope, start, fit = line_through(by_rows)
    notes.append(f"{slope * 1e6:.3f} s for a million rows and {start * 1000:.0f} ms; R² of the line {fit:.4f}")
    (fewest, cheapest), (most, dearest) = by_rows[0], by_rows[-1]
    judge("a row of the largest table over one of the smallest", dearest / most / (cheapest / fewest), ROW_COST)
    (least, first), (most, last) = by_runs[0], by_runs[-1]
    judge(f"{most} runs over {least}", last / first, math.log2(most) / math.log2(least))
    judge("seconds on two cores over seconds on one", two / one, TWO_CORES)

    arguments.report.mkdir(parents=True, exist_ok=True)
    text = ["# Merging", "", *table, "", *(f"* {note}" for note in notes), "", "![CPU seconds](merging.svg)", ""]
    (arguments.report / "merging.md").write_text("\n".join(text))
    rows_chart = Chart("CPU seconds to merge 6 runs, by rows", {"read_paimon": (by_rows, "#2a6f97")})
    runs_title = f"CPU seconds to merge {int(ROWS_OF_RUNS * arguments.scale):,} rows, by runs (logarithmic)"
    runs_chart = Chart(runs_title, {"read_paimon": (by_runs, "#c1121f")}, ticks=RUNS, scale=math.log2)
    (arguments.report / "merging.svg").write_text(picture(rows_chart, runs_chart))
    print("\n".join([*notes, *missed, f"report: {arguments.report / 'merging.md'}"]))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
