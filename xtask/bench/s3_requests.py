"""Counts the HTTP requests of whole queries on object storage, and how many of them follow one another.

    python s3_requests.py --ours PYTHON [--peers PYTHON] --tables WAREHOUSE --report FOLDER [--queries R0,R2] [--trace]

Runs with a Python that has moto and boto3. Each query runs in a process of its own that knows nothing yet: opening the
catalog and the table is part of it, and so are requests that find nothing. Depth is how much later it answers when
each request takes 100 ms longer, in units of these 100 ms (a query on another table has warmed the process up).
"""

import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

HERE = pathlib.Path(__file__).parent
DELAY_SECONDS = 0.1
KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
TABLES = ["tiny", "scan", "scan_nostats", "many", "parts", "snapshots", "points", "points_inside"]
#: Implementation, whose Python, and how ours reads: both its routes are reported.
IMPLEMENTATIONS = [("ours", "auto"), ("ours, own reader", "paimon"), ("pypaimon", "auto"), ("pypaimon-rust", "sql")]
#: Data files that a look-up may open of 200: the one that holds the row, and those whose filter errs.
MOST_OPENED = {"B": 3, "Bi": 3}
#: Most requests, and most of them in sequence, that ours may take by default.
BOUNDS = {"R0": (10, 8), "R2": (30, 8), "R9": (18, 8), "R7f": (108, 8)}


class Server:
    """An S3 of this process that keeps a log and can be slow."""

    def __init__(self) -> None:
        self.log: list[tuple[str, str, str]] = []
        self.delay = 0.0
        log, application = self.log, DomainDispatcherApplication(create_backend_app)

        class Handler(WSGIRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_request(self, code="-", size="-"):
                path, _, query = self.path.partition("?")
                listing = self.command == "GET" and ("list-type" in query or "prefix=" in query)
                log.append(("LIST" if listing else self.command, path, str(int(code))))

            def log(self, *_):
                pass

        def slow(environ, start_response):
            time.sleep(self.delay)
            return application(environ, start_response)

        self._server = make_server("127.0.0.1", 0, slow, threaded=True, request_handler=Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def upload(self, warehouse: pathlib.Path) -> None:
        names = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=self.endpoint, **names)
        client.create_bucket(Bucket="bench")
        for table in TABLES:
            for path in sorted((warehouse / "bench.db" / table).rglob("*")):
                if path.is_file():
                    key = f"warehouse/{path.relative_to(warehouse)}"
                    client.put_object(Bucket="bench", Key=key, Body=path.read_bytes())

    def close(self) -> None:
        self._server.shutdown()


def measure(server: Server, python: str, route: str, query: str, delay: float | None = None) -> dict:
    """One query in a process of its own, cold; with a delay, the process has run another query before."""
    environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": server.endpoint, "DAFT_RUNNER": "native"}
    warm_up = [] if delay is None else ["--warm-up"]
    command = [python, str(HERE / "s3_query.py"), route, query, server.endpoint, *warm_up]
    server.delay = 0.0
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
        process.stdout.readline()  # it is ready
        server.log.clear()
        server.delay = delay or 0.0
        output, errors = process.communicate("go\n", timeout=300)
    if process.returncode:
        return {"failed": (errors.strip().splitlines() or [f"exit {process.returncode}"])[-1][:200]}
    return {**json.loads(output.strip().splitlines()[-1]), "log": list(server.log)}


def depth(server: Server, python: str, route: str, query: str, rounds: int = 3) -> float:
    """How many requests follow one another."""

    def seconds(delay: float) -> float:
        runs = [measure(server, python, route, query, delay) for _ in range(rounds)]
        return min((run["seconds"] for run in runs if "seconds" in run), default=float("nan"))

    return (seconds(DELAY_SECONDS) - seconds(0.0)) / DELAY_SECONDS


def kind(path: str) -> str:
    """What an object is for."""
    parts = {
        ".index": "index",
        "bucket-": "data",
        "/manifest": "manifest",
        "/snapshot": "snapshot",
        "/schema": "schema",
    }
    return next((name for part, name in parts.items() if part in path), "other")


def row(query: str, who: str, run: dict, sequence: float) -> tuple[list[str], bool]:
    """A row of the table, and whether it keeps within the bounds."""
    if "failed" in run:
        return [query, who, "failed", run["failed"], "", "", ""], False
    methods = collections.Counter(method for method, *_ in run["log"])
    kinds = collections.Counter(kind(path) for _, path, _ in run["log"])
    missing = sum(code == "404" for *_, code in run["log"])
    most, deepest = BOUNDS.get(query, (None, None)) if who == "ours" else (None, None)
    count = len(run["log"])
    good = most is None or (count <= most and sequence < deepest + 0.5)
    opened = len({path for _, path, _ in run["log"] if path.endswith(".parquet")})
    if query in MOST_OPENED and who.startswith("ours"):
        good &= opened <= MOST_OPENED[query]
    by_method = "/".join(str(methods.pop(method, 0)) for method in ("GET", "HEAD", "LIST"))
    if methods:
        by_method += f" and {dict(methods)}"
    by_kind = ", ".join(f"{count} {name}" for name, count in sorted(kinds.items())) + f"; {opened} data files"
    bound = "" if most is None else f"{most} / {deepest}{'' if good else ' MISSED'}"
    return [query, who, str(count), f"{by_method} ({missing} absent)", f"{sequence:.1f}", bound, by_kind], good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--peers")
    parser.add_argument("--tables", type=pathlib.Path, required=True)
    parser.add_argument("--report", type=pathlib.Path, required=True)
    parser.add_argument("--queries", default="R0,R2,R2n,R9,R3,R7f,B,Bi")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trace", action="store_true", help="print every request")
    arguments = parser.parse_args()

    if arguments.peers:
        small = {**os.environ, "PAIMON_BENCH_SCALE": "0.01"}
        subprocess.run([arguments.peers, str(HERE / "tables.py"), str(arguments.tables)], check=True, env=small)
    subprocess.run([arguments.ours, str(HERE / "points.py"), str(arguments.tables)], check=True)
    server = Server()
    server.upload(arguments.tables)
    rows = [["query", "who", "requests", "GET/HEAD/LIST", "in sequence", "bound", "of what"]]
    all_good = True
    for query in arguments.queries.split(","):
        answers = {}
        for who, route in IMPLEMENTATIONS:
            python = arguments.ours if who.startswith("ours") else arguments.peers
            if python is None:
                continue
            run = measure(server, python, route, query)
            sequence = depth(server, python, route, query, arguments.rounds) if "log" in run else float("nan")
            cells, good = row(query, who, run, sequence)
            rows.append(cells)
            all_good &= good or not who.startswith("ours")
            answers[who] = run.get("rows")
            print("  ".join(cells), flush=True)
            if arguments.trace:
                print("\n".join(f"      {' '.join(entry)}" for entry in run.get("log", [])))
        if len(set(answers.values()) - {None}) > 1:
            all_good = False
            print(f"answers differ in rows: {answers}")
    server.close()
    arguments.report.mkdir(parents=True, exist_ok=True)
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    (arguments.report / "requests.md").write_text("\n".join(["# Requests on object storage", "", *lines, ""]))
    sys.exit(0 if all_good else 1)


if __name__ == "__main__":
    main()
