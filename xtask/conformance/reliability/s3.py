"""Writers that meet on S3, over a good connection and over a bad one.

    python s3.py --ours PYTHON [--writers 8] [--commits 10] [--faulty 500] [--seed 1]

The store is `moto_server`, started here on a free port. First `--writers` processes append `--commits` rows each to one
table, at the same time. Then `--faulty` commits are made by four processes through `faults.FaultProxy`: of their
requests 10 % are refused with 503, 5 % are reset before and 10 % after they took effect, and 5 % get half of an answer.

Each row is a commit. Afterwards the acknowledged commits, the snapshots and the rows must be the same in number, and
each row must be there once.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from contextlib import contextmanager

import boto3
import pyarrow as pa
import pypaimon
from faults import FaultProxy
from run import start
from writers import together

TABLE = "reliability.t"
WEATHER = {"busy": 0.10, "reset_before": 0.05, "reset_after": 0.10, "truncated": 0.05}


@contextmanager
def store():
    """An S3 on a free port, while it is entered."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        for line in process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise RuntimeError("moto_server did not start: is moto[server] installed?")
        # What it goes on to write must be read by somebody.
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        yield int(found[1])
        drain.terminate()
        drain.wait()
    finally:
        process.terminate()
        process.wait()


def options_for(port: int, name: str) -> dict:
    return {
        "warehouse": f"s3://reliability/{name}",
        "s3.endpoint": f"http://127.0.0.1:{port}",
        "s3.access-key": "key",
        "s3.secret-key": "secret",
    }


def run(python: str, options: dict, writers: int, commits: list[int]) -> tuple[list[int], list[int]]:
    """Lets processes append; gives what was acknowledged, and the exit codes."""
    firsts = [sum(commits[:number]) for number in range(writers)]
    warehouse = json.dumps(options)
    processes = [start(python, warehouse, first, count) for first, count in zip(firsts, commits, strict=True)]
    acks = [identity for ack in together(processes) for identity in ack]
    return sorted(acks), [process.returncode for process in processes]


def create(options: dict) -> None:
    catalog = pypaimon.CatalogFactory.create(options)
    catalog.create_database("reliability", True)
    catalog.create_table(TABLE, pypaimon.Schema.from_pyarrow_schema(pa.schema([("id", pa.int64())])), False)


def rows_of(options: dict) -> list[int]:
    builder = pypaimon.CatalogFactory.create(options).get_table(TABLE).new_read_builder()
    return sorted(builder.new_read().to_arrow(builder.new_scan().plan().splits())["id"].to_pylist())


def snapshots_of(client, name: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket="reliability", Prefix=f"{name}/reliability.db/t/snapshot/snapshot-"
    )
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def check(name: str, client, options: dict, acks: list[int], codes: list[int], wanted: int) -> list[str]:
    rows, snapshots = rows_of(options), snapshots_of(client, name)
    print(
        f"  {len(acks)} acknowledged, {len(snapshots)} snapshots, {len(rows)} rows, {len(set(rows))} of them different"
    )
    if any(codes) or not (len(acks) == len(snapshots) == wanted and rows == acks):
        return [f"{name}: {wanted} commits, {len(acks)} acknowledged, {len(snapshots)} snapshots, {len(rows)} rows"]
    return []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ours", required=True)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--commits", type=int, default=10)
    parser.add_argument("--faulty", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    problems = []
    with store() as port:
        keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **keys)
        client.create_bucket(Bucket="reliability")

        began = time.monotonic()
        direct = options_for(port, "good")
        create(direct)
        acks, codes = run(arguments.ours, direct, arguments.writers, [arguments.commits] * arguments.writers)
        print(f"S3: {arguments.writers} writers x {arguments.commits} commits, {time.monotonic() - began:.1f} s")
        problems += check("good", client, direct, acks, codes, arguments.writers * arguments.commits)

        began = time.monotonic()
        direct = options_for(port, "bad")
        shares = [arguments.faulty // 4 + (number < arguments.faulty % 4) for number in range(4)]
        with FaultProxy(port, WEATHER, arguments.seed) as proxy:
            through = options_for(proxy.port, "bad")
            create(through)
            acks, codes = run(arguments.ours, through, 4, shares)
        print(f"S3: {arguments.faulty} commits in bad weather, {time.monotonic() - began:.1f} s: {dict(proxy.counts)}")
        problems += check("bad", client, direct, acks, codes, arguments.faulty)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
