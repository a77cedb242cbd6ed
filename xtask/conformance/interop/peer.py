"""Implementations in processes of their own, and the arguments that say where they are."""

import argparse
import json
import pathlib
import subprocess
from collections.abc import Callable, Iterable

HERE = pathlib.Path(__file__).parent

#: Whose interpreter is whose.
OURS = ["ours", "daft"]
PEERS = ["pypaimon", "pypaimon-rust"]


class Worker:
    """One implementation in a process of its own; requests and answers are JSON lines."""

    def __init__(self, implementation: str, python: str, script: str = "worker.py"):
        self.implementation = implementation
        self.process = subprocess.Popen(
            [python, str(HERE / script), implementation],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.implementation} died with exit code {self.process.wait()} at {request}")
        answer = json.loads(line)
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def arguments_of(description: str, *, seeds: int) -> argparse.Namespace:
    """The arguments that all runs of random tables take; `seeds`: how many by default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--java", type=pathlib.Path)
    parser.add_argument("--without-us", action="store_true")
    return parser.parse_args()


def started(
    arguments: argparse.Namespace, names: Iterable[str], script: str = "worker.py", java: Callable | None = None
) -> dict:
    """A worker for each implementation, by name; `java` makes that of Java."""
    pythons = {name: arguments.ours for name in OURS} | {name: arguments.peers for name in PEERS}
    return {
        name: java(arguments.java) if name == "java" else Worker(name, pythons[name], script)
        for name in sorted(set(names))
    }
