"""Plans one of 1,000 partitions of tables of up to a million files, and draws what it costs.

    python planning.py --planner PROGRAM --ours PYTHON --work FOLDER --report FOLDER [--sizes 1000,1000000] [--rounds 3]

The tables exist as manifests only, written by PROGRAM (`planning` in xtask/conformance). Three ways are measured, each
in a process of its own that knows nothing yet: the crates alone, `plan()` of the Python package, and the scan that Daft
would run (`explain_paimon_scan`). CPU is that of all threads, with what the first use of a package imports
late; memory is the peak of the process. The report is a table (planning.md) and a picture (planning.svg).
"""

import argparse
import json
import pathlib
import subprocess
import sys

from chart import Chart, Points, line_through, picture

HERE = pathlib.Path(__file__).parent
SIZES = [1_000, 10_000, 100_000, 250_000, 500_000, 750_000, 1_000_000]
WAYS = {"crates": "#2a6f97", "plan()": "#c1121f", "Daft": "#588157"}
#: What planning a million files may take.
CPU_SECONDS, PEAK_MB = 2.0, 500


def run(command: list[str], rounds: int) -> dict:
    """The run of the least CPU."""
    runs = []
    for _ in range(rounds):
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        runs.append(json.loads(output.strip().splitlines()[-1]))
    return min(runs, key=lambda measured: measured["cpu"])


def measure(arguments: argparse.Namespace, files: int, order: str) -> dict[str, dict]:
    """What planning the table of so many files costs, by way."""
    warehouse = arguments.work / order
    folder = warehouse / "bench.db" / f"files_{files}"
    if not (folder / "snapshot").exists():
        folder.mkdir(parents=True)
        subprocess.run([arguments.planner, "write", folder, str(files), order], check=True)
    query = [arguments.ours, str(HERE / "planning_query.py"), str(warehouse), f"bench.files_{files}"]
    commands = {
        "crates": [arguments.planner, "plan", str(folder)],
        "plan()": [*query, "plan"],
        "Daft": [*query, "daft"],
    }
    measured = {way: run(command, arguments.rounds) for way, command in commands.items()}
    kept = {way: values["kept"] for way, values in measured.items()}
    if len(set(kept.values())) != 1:
        sys.exit(f"the plans of {files} files differ: {kept}")
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planner", required=True)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--report", type=pathlib.Path, required=True)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    sizes = [int(size) for size in arguments.sizes.split(",")]
    header = ["files", "order", "way", "kept", "CPU s", "wall s", "peak MB"]
    rows = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    series: dict[str, Points] = {way: [] for way in WAYS}
    missed = []
    for files, order in [(size, "scattered") for size in sizes] + [(sizes[-1], "ordered")]:
        for way, values in measure(arguments, files, order).items():
            cells = [
                f"{files:,}",
                order,
                way,
                f"{values['kept']:,}",
                f"{values['cpu']:.3f}",
                f"{values['seconds']:.3f}",
            ]
            rows.append("| " + " | ".join([*cells, f"{values['peak_mb']:.0f}"]) + " |")
            print(rows[-1], flush=True)
            if values["cpu"] > CPU_SECONDS or values["peak_mb"] > PEAK_MB:
                missed.append(f"{files:,} files by {way}: over {CPU_SECONDS} s or {PEAK_MB} MB")
            if order == "scattered":
                series[way].append((files, values["cpu"]))
    notes = []
    if len(sizes) > 1:
        for way, points in series.items():
            slope, start, fit = line_through(points)
            notes.append(f"{way}: {slope * 1e6:.3f} s for a million files and {start * 1000:.0f} ms; R² {fit:.4f}")
    arguments.report.mkdir(parents=True, exist_ok=True)
    text = ["# Planning", "", *rows, "", *notes, "", "![CPU seconds by number of files](planning.svg)", ""]
    (arguments.report / "planning.md").write_text("\n".join(text))
    title = "CPU seconds to plan one of 1,000 partitions, by files in the table"
    chart = Chart(title, {way: (points, WAYS[way]) for way, points in series.items()})
    (arguments.report / "planning.svg").write_text(picture(chart))
    print("\n".join([*notes, *missed, f"report: {arguments.report / 'planning.md'}"]))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
