"""The main job, on a local warehouse: Daft writes a Paimon table and reads it back.

Run by `cargo xtask demo`, which builds the wheel and installs it beside Daft first.
"""

import pathlib
import shutil
import sys

import daft
import pypaimon
from daft import col
from daft.functions import file
from daft.io.partitioning import PartitionField
from pypaimon.daft import PaimonCatalog, explain_paimon_scan, read_blob, read_paimon, write_paimon

GOLDEN = pathlib.Path(__file__).parents[1] / "conformance" / "cases" / "read" / "pypaimon-2.1.0-orders"


def show(title: str, frame: daft.DataFrame) -> None:
    print(f"\n{title}")
    frame.show()


def main(warehouse: pathlib.Path) -> None:
    daft.set_runner_native()
    shutil.rmtree(warehouse, ignore_errors=True)
    options = {"warehouse": str(warehouse)}
    print(f"pypaimon {pypaimon.__version__} ({pypaimon.__implementation__}), Daft {daft.__version__}")
    print(f"warehouse: {warehouse}")

    inner = pypaimon.CatalogFactory.create(options)
    catalog = PaimonCatalog(inner, name="demo")
    catalog.create_namespace("shop")
    first = daft.from_pydict(
        {
            "id": [1, 2, 3, 4],
            "name": ["alice", "bob", "charlie", None],
            "paid": [12.5, 7.25, 0.0, 99.0],
            "dt": ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02"],
        }
    )
    schema = first.schema()
    catalog.create_table("shop.orders", schema, partition_fields=[PartitionField.create(schema["dt"])])

    show("write_paimon: two partitions", write_paimon(first, "shop.orders", options))
    inner.get_table("shop.orders").create_tag("opening")
    second = daft.from_pydict({"id": [5], "name": ["dora"], "paid": [3.5], "dt": ["2024-01-02"]})
    replaced = write_paimon(second, "shop.orders", options, mode="overwrite")
    show("write_paimon, mode='overwrite': only the partition that the rows are in", replaced)

    everything = read_paimon("shop.orders", options)
    show("read_paimon", everything.sort("id"))
    show(
        "filtered, projected, limited",
        everything.where((col("dt") == "2024-01-01") & (col("paid") > 1)).select("id", "name").limit(1),
    )
    show("as of snapshot 1", read_paimon("shop.orders", options, snapshot_id=1).sort("id"))
    show("as of tag 'opening'", read_paimon("shop.orders", options, tag_name="opening").sort("id"))
    print(f"\ncount_rows(), from metadata alone: {everything.count_rows()}")
    print(f"\n{explain_paimon_scan('shop.orders', options, partition_filters=col('dt') == '2024-01-01')}")

    stock = daft.from_pydict({"id": [1, 2], "name": ["tea", "coffee"], "left": [10, 20]})
    catalog.create_table("shop.stock", stock.schema(), properties={"primary_keys": ["id"], "bucket": "2"})
    write_paimon(stock, "shop.stock", options)
    sold = daft.from_pydict({"id": [2, 3], "name": ["coffee", "cocoa"], "left": [18, 5]})
    write_paimon(sold, "shop.stock", options)
    changes = daft.from_pydict({"id": [1, 3], "name": ["tea", None], "left": [9, None], "op": ["+U", "-D"]})
    write_paimon(changes, "shop.stock", options, row_kind_column="op")
    show(
        "a primary-key table: two rows, two upserted, one updated and one deleted by row kind",
        read_paimon("shop.stock", options).sort("id"),
    )
    print(f"\ncount_rows(), after the merge: {read_paimon('shop.stock', options).count_rows()}")
    summary = catalog.get_table("shop.stock").compact(full=True, progress=print)
    show(
        "compacted: at most one file for each bucket, without what was replaced or deleted; and the manifests",
        summary.select("bucket", "work", "files_before", "files_after", "rows_before", "rows_after"),
    )

    labels = warehouse / "labels"
    labels.mkdir()
    for name in ("tea", "coffee"):
        (labels / f"{name}.txt").write_text(f"{name}, 500 g")
    paths = [str(labels / f"{name}.txt") for name in ("tea", "coffee")]
    labelled = daft.from_pydict({"id": [1, 2], "path": paths}).select("id", file(col("path")).alias("label"))
    catalog.create_table("shop.labels", labelled.schema())
    write_paimon(labelled, "shop.labels", options)
    kept = read_paimon("shop.labels", options, row_tracking=True)
    title = "a table of files, copied into it from their paths: references, until read_blob fetches the bytes"
    show(title, kept.select("_ROW_ID", "id", "label", read_blob(col("label"), options, "shop.labels").alias("bytes")))

    shutil.copytree(GOLDEN / "table", warehouse / "golden.db" / "orders")
    title = "a table that Apache's pypaimon 2.1.0 wrote, its columns renamed, widened, dropped and added in between"
    show(title, read_paimon("golden.orders", options).sort("id"))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
