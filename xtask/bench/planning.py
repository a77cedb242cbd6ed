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
import statistics
import subprocess
import sys

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


def line_through(points: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Slope and start of the line nearest to the points, and which part of their variance it explains."""
    slope, start = statistics.linear_regression(*zip(*points, strict=True))
    mean = statistics.fmean(y for _, y in points)
    left = sum((y - start - slope * x) ** 2 for x, y in points)
    return slope, start, 1 - left / (sum((y - mean) ** 2 for _, y in points) or 1)


def picture(series: dict[str, list[tuple[float, float]]]) -> str:
    """CPU seconds over files, as SVG."""
    width, height, left, right, bottom = 720, 420, 70, 50, 50
    most_x = max(x for points in series.values() for x, _ in points)
    highest = max(y for points in series.values() for _, y in points)
    # Five steps of a round number of hundredths.
    most_y = 5 * next(step for step in (s * 10**e / 100 for e in range(9) for s in (1, 2, 5)) if 5 * step >= highest)

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x / most_x * (width - left - right), height - bottom - y / most_y * (height - bottom - 30)

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">']
    parts.append(f'<rect width="{width}" height="{height}" fill="white"/>')
    for step in range(6):
        x, y = place(most_x * step / 5, most_y * step / 5)
        parts.append(f'<path d="M{left} {y:.1f}H{width - right}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{left - 8}" y="{y + 4:.1f}" font-size="12" text-anchor="end">{most_y * step / 5:.2f}</text>'
        )
        label = f"{most_x * step / 5:,.0f}"
        parts.append(f'<text x="{x:.1f}" y="{height - bottom + 18}" font-size="12" text-anchor="middle">{label}</text>')
    for number, (way, points) in enumerate(series.items()):
        slope, start, _ = line_through(points)
        (x1, y1), (x2, y2) = place(0, max(start, 0)), place(most_x, start + slope * most_x)
        color = WAYS[way]
        parts.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{color}" stroke-dasharray="4 4"/>')
        for point in points:
            x, y = place(*point)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>')
        parts.append(f'<text x="{left + 20}" y="{40 + 20 * number}" font-size="14" fill="{color}">{way}</text>')
    title = "CPU seconds to plan one of 1,000 partitions, by files in the table"
    parts.append(f'<text x="{width / 2}" y="{height - 12}" font-size="14" text-anchor="middle">{title}</text>')
    return "\n".join([*parts, "</svg>", ""])


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
    series: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
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
    (arguments.report / "planning.svg").write_text(picture(series))
    print("\n".join([*notes, *missed, f"report: {arguments.report / 'planning.md'}"]))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
