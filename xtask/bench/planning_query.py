"""Plans partition p0500 of a table and prints what it cost as JSON, for `planning.py`.

python planning_query.py WAREHOUSE TABLE {plan,daft}
"""

import json
import resource
import sys
import time


def main(warehouse: str, table: str, way: str) -> None:
    plan = plan_package if way == "plan" else plan_daft
    prepared = plan(warehouse, table)
    started, cpu = time.perf_counter(), time.process_time()
    kept = prepared()
    measured = {"kept": kept, "cpu": time.process_time() - cpu, "seconds": time.perf_counter() - started}
    print(json.dumps(measured | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def plan_package(warehouse: str, table: str):
    """The package's own API; imports are done when this returns."""
    import pypaimon

    def plan() -> int:
        builder = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(table).new_read_builder()
        predicate = builder.new_predicate_builder().equal("dt", "p0500")
        splits = builder.with_filter(predicate).new_scan().plan().splits()
        return sum(len(split.files) for split in splits)

    return plan


def plan_daft(warehouse: str, table: str):
    """The scan that Daft would run; imports are done when this returns."""
    import daft
    import pypaimon.daft

    def plan() -> int:
        condition = daft.col("dt") == "p0500"
        options = {"warehouse": warehouse}
        explained = pypaimon.daft.explain_paimon_scan(table, options, partition_filters=condition, verbose=True)
        return sum(split.file_count for split in explained.splits)

    return plan


if __name__ == "__main__":
    main(*sys.argv[1:])
