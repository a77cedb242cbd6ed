"""The table of the point look-up: 200 files whose statistics overlap, with bloom filters, written by our package.

    python points.py WAREHOUSE

`points` keeps its filters beside the data files, `points_inside` in the manifests. Every file has ids from the whole
range, so that only a filter tells which of them holds one.
"""

import pathlib
import sys

import pyarrow as pa
import pypaimon

FILES, ROWS = 200, 500
SCHEMA = pa.schema([("id", pa.int64()), ("name", pa.string())])
FILTER = {
    "file-index.bloom-filter.columns": "id",
    "file-index.bloom-filter.id.items": str(ROWS),
    "file-index.bloom-filter.id.fpp": "0.001",
}


def main(warehouse: pathlib.Path) -> None:
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("bench", True)
    for name, threshold in (("points", "1 b"), ("points_inside", "8 kb")):
        if name in catalog.list_tables("bench"):
            continue
        options = {**FILTER, "file-index.in-manifest-threshold": threshold}
        catalog.create_table(f"bench.{name}", pypaimon.Schema.from_pyarrow_schema(SCHEMA, options=options), False)
        table = catalog.get_table(f"bench.{name}")
        for file in range(FILES):
            ids = list(range(file, FILES * ROWS, FILES))
            builder = table.new_batch_write_builder()
            write, commit = builder.new_write(), builder.new_commit()
            write.write_arrow(pa.table({"id": ids, "name": [f"row {number}" for number in ids]}, schema=SCHEMA))
            commit.commit(write.prepare_commit())
            write.close()
            commit.close()


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
