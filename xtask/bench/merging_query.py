"""Reads a table and prints what it cost as JSON, for `merging.py`.

python merging_query.py WAREHOUSE TABLE [CORES]
"""

import json
import os
import resource
import sys
import time


def main(warehouse: str, table: str, cores: int | None) -> None:
    if cores is not None:  # before anything starts threads for the cores it sees
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    import daft
    from pypaimon.daft import read_paimon

    daft.set_runner_native()
    frame = read_paimon(table, {"warehouse": warehouse})
    frame.limit(1).to_arrow()  # threads and late imports
    started, cpu = time.perf_counter(), time.process_time()
    kept = frame.to_arrow().num_rows
    measured = {"kept": kept, "cpu": time.process_time() - cpu, "seconds": time.perf_counter() - started}
    print(json.dumps(measured | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else None)
