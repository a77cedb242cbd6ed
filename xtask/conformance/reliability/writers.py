"""Starting writers as processes, and what they say is committed."""

import os
import pathlib
import subprocess
from collections.abc import Callable, Sequence

HERE = pathlib.Path(__file__).parent


def start(python: str, script: str, *arguments: object, environment: dict | None = None) -> subprocess.Popen:
    """A writer, which waits for `go`."""
    return subprocess.Popen(
        [python, str(HERE / script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )


def go(process: subprocess.Popen) -> None:
    process.stdin.write("go\n")
    process.stdin.flush()


def acknowledged(process: subprocess.Popen) -> list[int]:
    """What it was told is committed, once it has ended."""
    output, _ = process.communicate()
    return [int(line.split()[1]) for line in output.splitlines() if line.startswith("ack")]


def together(processes: Sequence[subprocess.Popen], meanwhile: Callable[[], None] | None = None) -> list[list[int]]:
    """Lets writers go at the same time; gives what each was told is committed.

    `meanwhile` is called again and again as long as one of them runs.
    """
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        go(process)
    while meanwhile and any(process.poll() is None for process in processes):
        meanwhile()
    return [acknowledged(process) for process in processes]
