"""Ctrl-C in a compaction, and threads that are still at work when the interpreter ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import Tables, append, read

pytest.importorskip("daft")

from keyed_tables import COLUMNS, data_files, keyed, rows_of, snapshots

TESTS = Path(__file__).parent
#: By Python itself, or when Daft has its own hand on signals. Not by a crash.
ENDED_BY_CTRL_C = (-signal.SIGINT, 1)


def all_files(options: dict[str, str]) -> list[Path]:
    """Hidden ones too: files in the making are hidden."""
    return sorted(path for path in Path(options["warehouse"]).rglob("*") if path.is_file())


@contextmanager
def running(options: dict[str, str], script: str) -> Iterator[subprocess.Popen[str]]:
    """A process with the table ``db.t`` as ``table``, once it has said that it runs."""
    before = f"""
import os, signal, sys, threading, time
from pathlib import Path

from pypaimon import CatalogFactory

table = CatalogFactory.create({options!r}).get_table("db.t")
"""
    command = [sys.executable, "-c", before + textwrap.dedent(script)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=TESTS) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            assert process.stdout.readline() == "running\n", process.stderr.read()
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, float]:
    """What a process ends with, and after how many seconds."""
    began = time.monotonic()
    said, complaints = process.communicate(timeout=30)
    return process.returncode, said + complaints, time.monotonic() - began


class TestInterrupted:
    def test_between_two_tasks(self, tables: Tables, options: dict[str, str]) -> None:
        table = keyed(tables, buckets=2, write_only="true")
        for n in range(3):
            append(table, {"id": list(range(100)), "name": ["a"] * 100, "n": [n] * 100})
        before, last = all_files(options), snapshots(table)
        held = """
            interrupted = threading.Event()

            def hold(step):
                if step.tasks_done == 1:
                    print("running", flush=True)
                    assert interrupted.wait(20)

            try:
                table.compact(full=True, progress=hold)
            finally:
                interrupted.set()
        """
        with running(options, held) as process:
            process.send_signal(signal.SIGINT)
            code, said, seconds = ended(process)
        assert code in ENDED_BY_CTRL_C and "KeyboardInterrupt" in said, said
        assert seconds < 5
        assert (all_files(options), snapshots(table)) == (before, last)
        table.compact(full=True)
        assert snapshots(table) > last
        assert rows_of(read(table)) == [(id, "a", 2) for id in range(100)]

    @pytest.mark.parametrize("kind", ["keyed", "append", "evolving", "postponed"])
    def test_while_files_are_written(self, tables: Tables, options: dict[str, str], kind: str) -> None:
        ways = {
            "keyed": {"bucket": "1"},
            "append": {},
            "evolving": {"row-tracking.enabled": "true", "data-evolution.enabled": "true"},
            "postponed": {"bucket": "-2", "postpone.batch-write-fixed-bucket": "false", "write-buffer-size": "1 mb"},
        }
        key = {"primary_keys": ["id"]} if kind in ("keyed", "postponed") else {}
        many_files = {"write-only": "true", "target-file-size": "256 kb"}
        table = tables.create(COLUMNS, options={**ways[kind], **many_files}, **key)
        count = 400_000
        for n in range(2):
            rows = {"id": list(range(count)), "name": [f"name {id}" for id in range(count)], "n": [n] * count}
            append(table.copy({"target-file-size": "64 kb"}), rows)
        before, last = all_files(options), snapshots(table)
        while_writing = """
            folder = Path(table.table_path)
            there = {path.name for path in folder.rglob("data-*")}

            def interrupt():
                while {path.name for path in folder.rglob("data-*")} <= there:
                    time.sleep(0.001)
                print("running", flush=True)
                os.kill(os.getpid(), signal.SIGINT)

            threading.Thread(target=interrupt, daemon=True).start()
            table.compact(full=True)
            print("it came to its end")
        """
        with running(options, while_writing) as process:
            code, said, seconds = ended(process)
        assert code in ENDED_BY_CTRL_C and "KeyboardInterrupt" in said, said
        assert seconds < 5
        assert (all_files(options), snapshots(table)) == (before, last)
        table.compact(full=True)
        assert snapshots(table) > last

    def test_after_a_commit(self, tables: Tables, options: dict[str, str]) -> None:
        eager = {"num-sorted-run.compaction-trigger": "1", "target-file-size": "64 kb"}
        table = tables.create(COLUMNS, primary_keys=["id"], options={"bucket": "1", **eager})
        following_a_commit = """
            from conftest import append

            def interrupt():
                while not Path(table.table_path, "snapshot/snapshot-2").exists():
                    time.sleep(0.001)
                print("running", flush=True)
                os.kill(os.getpid(), signal.SIGINT)

            threading.Thread(target=interrupt, daemon=True).start()
            ids = list(range(400_000))
            for n in range(2):
                rows = {"id": ids, "name": [f"name {id}" for id in ids], "n": [n] * len(ids)}
                append(table.copy({"write-only": str(n == 0).lower()}), rows)
            print("it came to its end")
        """
        with running(options, following_a_commit) as process:
            code, said, _ = ended(process)
        assert code in ENDED_BY_CTRL_C and "KeyboardInterrupt" in said, said
        assert snapshots(table) == 2
        named = {file.path.rpartition("/")[2] for split in table.native.plan().splits for file in split.files}
        assert {path.name for path in data_files(options)} == named
        assert read(table)["n"].unique().to_pylist() == [1]


def test_threads_that_wait_when_the_interpreter_ends_are_called_back(tables: Tables, options: dict[str, str]) -> None:
    table = tables.create(COLUMNS)
    append(table, {"id": [1], "name": ["a"], "n": [1]})
    (file,) = data_files(options)
    file.unlink()
    os.mkfifo(file)  # storage that does not answer
    waiting = """
        builder = table.new_read_builder()
        splits = builder.new_scan().plan().splits()

        def hang():
            try:
                builder.new_read().to_arrow(splits)
            except BaseException as error:
                os.write(1, f"{type(error).__name__}: {error}".encode())

        for _ in range(3):
            threading.Thread(target=hang, daemon=True).start()
        time.sleep(0.5)
        print("running", flush=True)
    """
    with running(options, waiting) as process:
        code, said, seconds = ended(process)
    assert (code, said) == (0, "RuntimeError: the interpreter is shutting down" * 3)
    assert seconds < 2
