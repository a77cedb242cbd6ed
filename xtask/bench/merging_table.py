"""Writes one table of overlapping runs for `merging.py`, with pypaimon's native writer.

python merging_table.py WAREHOUSE NAME ROWS RUNS
"""

import pathlib
import shutil
import sys

import data
from pypaimon import CatalogFactory
from tables import keyed_table


def main(warehouse: pathlib.Path, name: str, rows: int, runs: int) -> None:
    catalog = CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database(data.DATABASE, True)
    folder = warehouse / f"{data.DATABASE}.db" / name
    shutil.rmtree(folder, ignore_errors=True)  # an interrupted run left it half written
    versions = (data.upserted(rows // runs, int(0.6 * rows), 1000 + run) for run in range(runs))
    keyed_table(catalog, name, versions, data.KEYED_BUCKETS)
    (folder / "complete").touch()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
