"""One query on object storage, for `s3_requests.py`.

    python s3_query.py {auto,paimon,sql} QUERY ENDPOINT [--warm-up]

Says that it is ready, waits for a line, runs the query and prints its rows and seconds as JSON.
"""

import json
import sys
import time


def main(route: str, query: str, endpoint: str, warm: bool) -> None:
    options = {
        "warehouse": "s3://bench/warehouse",
        "s3.endpoint": endpoint,
        "s3.access-key": "testing",
        "s3.secret-key": "testing",
        "s3.region": "us-east-1",
        "s3.path-style-access": "true",
    }
    run = run_sql if route == "sql" else run_frame
    if warm:
        run("W", options, route)
    print("ready", flush=True)
    sys.stdin.readline()
    started = time.perf_counter()
    rows = run(query, options, route)
    print(json.dumps({"rows": rows, "seconds": time.perf_counter() - started}))


def run_frame(query: str, options: dict, route: str) -> int:
    """Through the Daft connector: ours, or Apache's."""
    from daft import col
    from pypaimon.daft import read_paimon

    def read(table):
        reader = {} if route == "auto" else {"reader": route}
        return read_paimon(f"bench.{table}", options, **reader)

    frame = {
        "B": lambda: read("points").where(col("id") == 77_777),
        "Bi": lambda: read("points_inside").where(col("id") == 77_777),
        "W": lambda: read("snapshots").limit(1),
        "R0": lambda: read("tiny"),
        "R2": lambda: read("scan").where((col("id") >= 20_010) & (col("id") < 21_010)).select("id", "v"),
        "R2n": lambda: read("scan_nostats").where((col("id") >= 20_010) & (col("id") < 21_010)).select("id", "v"),
        "R3": lambda: read("parts").where(col("dt") == "p0003"),
        "R7f": lambda: read("many").where(col("id") == -1),
        "R9": lambda: read("scan").limit(10),
    }[query]()
    return frame.to_arrow().num_rows


def run_sql(query: str, options: dict, _route: str) -> int:
    """Through the SQL interface of the Rust peer."""
    import pypaimon_rust.datafusion as rust

    session = rust.SQLContext()
    session.register_catalog("p", options, default_database="bench")
    session.set_current_catalog("p")
    session.set_current_database("bench")
    text = {
        "B": "select * from points where id = 77777",
        "Bi": "select * from points_inside where id = 77777",
        "W": "select * from snapshots limit 1",
        "R0": "select * from tiny",
        "R2": "select id, v from scan where id >= 20010 and id < 21010",
        "R2n": "select id, v from scan_nostats where id >= 20010 and id < 21010",
        "R3": "select * from parts where dt = 'p0003'",
        "R7f": "select * from many where id = -1",
        "R9": "select * from scan limit 10",
    }[query]
    return sum(batch.num_rows for batch in session.sql(text))


if __name__ == "__main__":
    main(*sys.argv[1:4], "--warm-up" in sys.argv)
