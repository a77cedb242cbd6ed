"""Threads, forks and signals."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import Tables, append, read
from pypaimon.table.file_store_table import FileStoreTable

ROWS = 300_000


@pytest.fixture
def table(tables: Tables) -> FileStoreTable:
    made = tables.create({"n": pa.int64(), "s": pa.string()})
    append(made, pa.table({"n": range(ROWS), "s": [f"row {n}" for n in range(ROWS)]}))
    return made


def in_child(work: Any) -> str:
    """What `work` gives in a forked child: its value, or its exception, as text; fails after 20 seconds."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            answer = f"value: {work()}"
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writer, answer.encode()[:4000])
        os._exit(0)
    os.close(writer)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            with os.fdopen(reader) as answers:
                return answers.read()
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the child hangs")


pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def test_a_forked_child_reads_and_writes_after_its_parent_did(table: FileStoreTable) -> None:
    assert read(table).num_rows == ROWS
    assert in_child(lambda: read(table).num_rows) == f"value: {ROWS}"
    assert in_child(lambda: append(table, {"n": [1], "s": ["x"]})) == "value: 2"
    assert read(table).num_rows == ROWS + 1


def test_readers_and_writers_of_the_parent_are_refused_in_the_child(table: FileStoreTable) -> None:
    native = table.native
    stream = native.read(native.plan().splits)
    assert stream.read_next() is not None
    while stream.read_next() is not None:
        pass
    write = table.new_batch_write_builder().new_write()
    assert in_child(stream.read_next).startswith("RuntimeError: this process was forked")
    refused = in_child(lambda: write.write_arrow(pa.table({"n": [1], "s": ["x"]})))
    assert refused.startswith("RuntimeError: this process was forked")
    write.close()


def test_a_fork_while_a_read_is_running_is_refused_or_works(table: FileStoreTable) -> None:
    native = table.native
    stream = native.read(native.plan().splits, batch_rows=100)
    answer = in_child(lambda: read(table).num_rows)
    assert answer.startswith("RuntimeError: this process was forked")
    assert "spawn" in answer
    stream.close()


def test_threads_share_a_table(table: FileStoreTable) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert {count for count in pool.map(lambda _: read(table).num_rows, range(16))} == {ROWS}


def test_threads_share_a_writer(tables: Tables) -> None:
    table = tables.create({"n": pa.int64()}, "shared")
    builder = table.new_batch_write_builder()
    with builder.new_write() as write, builder.new_commit() as commit, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda part: write.write_arrow(pa.table({"n": [part] * 1000})), range(20)))
        commit.commit(write.prepare_commit())
    assert sorted(read(table)["n"].to_pylist()) == sorted(list(range(20)) * 1000)


@contextmanager
def longest_pause() -> Iterator[list[float]]:
    """Measures the longest time, in seconds, for which another Python thread did not come to run."""
    pauses = [0.0]
    done = threading.Event()

    def tick() -> None:
        last = time.perf_counter()
        while not done.is_set():
            time.sleep(0.002)
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield pauses
    finally:
        done.set()
        thread.join()


def test_other_python_threads_go_on_during_a_read_and_a_write(tables: Tables) -> None:
    table = tables.create({"n": pa.int64(), "s": pa.string()}, "busy")
    rows = pa.table({"n": range(ROWS), "s": [f"row {n}" for n in range(ROWS)]})
    with longest_pause() as pauses:
        for _ in range(3):
            append(table, rows)
        assert read(table).num_rows == 3 * ROWS
    # The bar is 100 ms; a loaded machine may not give the thread its turn in time.
    assert max(pauses) < 0.5


def test_a_closed_stream_does_not_look_like_one_at_its_end(table: FileStoreTable) -> None:
    native = table.native
    stream = native.read(native.plan().splits, batch_rows=1000)
    stream.close()
    with pytest.raises(ValueError, match="closed or interrupted"):
        stream.read_next()
    with pytest.raises(ValueError, match="read again"):
        pa.RecordBatchReader.from_stream(stream)


def test_a_stream_is_given_once(table: FileStoreTable) -> None:
    native = table.native
    stream = native.read(native.plan().splits)
    assert pa.table(stream).num_rows == ROWS
    with pytest.raises(ValueError, match="consumed"):
        pa.table(stream)


@pytest.mark.parametrize(
    "work",
    [
        # A pipe that nobody writes to: storage that does not answer.
        "read(hung)",
        "hung.new_read_builder().new_scan().plan()",
        "for _ in range(10_000): read(table)",
        "for _ in range(10_000): append(table, {'n': [1], 's': ['x']})",
        "reader = stream(hung); reader.read_all()",
    ],
)
def test_ctrl_c_stops_work_within_half_a_second(table: FileStoreTable, tmp_path: Path, work: str) -> None:
    latest = table.snapshot_manager().get_latest_snapshot()
    assert latest is not None
    script = textwrap.dedent(f"""
        import os, pathlib, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from conftest import append, read
        from pypaimon import CatalogFactory

        table = CatalogFactory.create({{"warehouse": {str(tmp_path / "warehouse")!r}}}).get_table("db.t")
        hung = CatalogFactory.create({{"warehouse": {str(tmp_path / "hung")!r}, "cache-enabled": "false"}})
        hung = hung.get_table("db.t")

        def stream(table):
            builder = table.new_read_builder()
            return builder.new_read().to_arrow_batch_reader(builder.new_scan().plan().splits())

        read(table)
        print("ready", flush=True)
        {work}
    """)
    import shutil

    shutil.copytree(tmp_path / "warehouse", tmp_path / "hung")
    stuck = tmp_path / "hung/db.db/t/manifest" / latest.delta_manifest_list
    stuck.unlink()
    os.mkfifo(stuck)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)
        assert process.poll() is None, process.stderr.read().decode()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        seen = b""
        while b"KeyboardInterrupt" not in seen and process.poll() is None:
            seen += process.stderr.readline()
        took = time.monotonic() - began
        process.kill()
        seen += process.stderr.read()
    assert b"KeyboardInterrupt" in seen, seen.decode()
    assert took < 0.5 + 1.0, f"took {took:.2f} s"


def test_a_split_of_a_plan_carries_its_table_once(tables: Tables) -> None:
    table = tables.create({"n": pa.int64()}, "many", options={"source.split.target-size": "1 b"})
    for part in range(10):
        append(table, {"n": [part]})
    splits = table.new_read_builder().new_scan().plan().splits()
    assert len(splits) == 10
    schema = table.native.schema_json().encode()
    assert pickle.dumps(splits).count(schema) == 1


def test_a_first_read_imports_nothing_that_it_does_not_need(table: FileStoreTable, tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys
        from pypaimon import CatalogFactory

        builder = CatalogFactory.create({{"warehouse": {str(tmp_path / "warehouse")!r}}}).get_table("db.t")
        builder = builder.new_read_builder()
        assert builder.new_read().to_arrow(builder.new_scan().plan().splits()).num_rows == {ROWS}
        assert not {{"pandas", "duckdb", "daft", "ray"}} & set(sys.modules)
    """)
    subprocess.run([sys.executable, "-c", script], check=True)
