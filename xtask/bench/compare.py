"""Runs workloads A B C A B C ... and prints medians and ratios to the floor, beside the machine they ran on.

python compare.py --ours PYTHON --peers PYTHON --work FOLDER [--workloads R1,W1] [--rounds 5] [--scale 1]
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
IMPLEMENTATIONS = ["ours", "pypaimon", "pypaimon-native", "pypaimon-rust", "floor"]
#: What took this long in all is not asked again: its peers are faster by a factor, not by the noise.
LONG_ENOUGH = 60.0  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--workloads")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0)
    arguments = parser.parse_args()

    os.environ["PAIMON_BENCH_SCALE"] = str(arguments.scale)
    os.environ |= {"DAFT_PROGRESS_BAR": "0", "DAFT_ANALYTICS_ENABLED": "0"}
    from workloads import WORKLOADS

    warehouse = arguments.work / f"warehouse-{arguments.scale:g}"
    subprocess.run([arguments.peers, str(HERE / "tables.py"), str(warehouse)], check=True)
    names = arguments.workloads.split(",") if arguments.workloads else list(WORKLOADS)
    pythons = {"ours": arguments.ours, "floor": arguments.ours}

    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"\n{machine}, scale {arguments.scale:g}, medians of {arguments.rounds} rounds")
    print("x floor: CPU over the floor's, round by round; MB read: through read calls; MB more: memory above the input")
    print(f"n: rounds, fewer where they took more than {LONG_ENOUGH:.0f} s together\n")
    columns = f"{'cpu s':>8} {'wall s':>8} {'x floor':>8} {'MB read':>9} {'MB more':>8} {'n':>2}  target"
    header = f"{'':5} {'work':48} {'who':15} {columns}"
    print(header)
    for name in names:
        runs: dict[str, list[dict]] = {implementation: [] for implementation in IMPLEMENTATIONS}
        for _ in range(arguments.rounds):
            for implementation in IMPLEMENTATIONS:
                if sum(run.get("seconds", 0) for run in runs[implementation]) > LONG_ENOUGH:
                    continue
                python = pythons.get(implementation, arguments.peers)
                runs[implementation].append(measure(python, implementation, name, warehouse, arguments.work))
        report(WORKLOADS[name], runs)


def measure(python: str, implementation: str, name: str, warehouse: pathlib.Path, work: pathlib.Path) -> dict:
    command = [python, str(HERE / "measure.py"), implementation, name, str(warehouse), str(work / "output")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:200] if done.stderr else f"exit {done.returncode}"}
    return json.loads(done.stdout.strip().splitlines()[-1])


def report(workload, runs: dict[str, list[dict]]) -> None:
    floor = [run.get("cpu") for run in runs["floor"]]
    # The floor of a merge merges nothing, so it is not asked.
    answers = {name: sorted({run["rows"] for run in runs[name] if "rows" in run}) for name in runs if name != "floor"}
    for implementation, measured in runs.items():
        good = [run for run in measured if "cpu" in run]
        what, target = (workload.what, workload.target) if implementation == "ours" else ("", "")
        label = workload.name if implementation == "ours" else ""
        if not good:
            reason = next((run["failed"] for run in measured if "failed" in run), None)
            if reason:
                print(f"{label:5} {what:48} {implementation:15} failed: {reason}")
            continue
        ratios = [run["cpu"] / base for run, base in zip(measured, floor) if base and "cpu" in run]
        ratio = f"{statistics.median(ratios):8.2f}" if ratios else " " * 8
        median = {key: statistics.median(run[key] for run in good) for key in ("cpu", "seconds", "read_mb", "extra_mb")}
        print(
            f"{label:5} {what:48} {implementation:15} {median['cpu']:8.3f} {median['seconds']:8.3f} {ratio} "
            f"{median['read_mb']:9.2f} {median['extra_mb']:8.0f} {len(good):2}  {target}",
            flush=True,
        )
    if len({rows for counts in answers.values() for rows in counts}) > 1:
        print(f"      answers differ in rows: {answers}")


if __name__ == "__main__":
    sys.exit(main())
