"""Commits of rows, to be killed: see `kills.py`."""

import pathlib

import pyarrow as pa
import pypaimon
import updates
import upserts
from appender import BLOB_BYTES, append
from kills import TABLE, Victim
from upserter import HOT, PLACES, STRIDE, batch_of, commits, own_keys

BEFORE, NEW, NEXT = [0, 1, 2], 1000, 2000


def make(warehouse: pathlib.Path, options: dict | None, *, keyed: bool) -> None:
    """A table of ids, or of ids and blobs."""
    catalog = pypaimon.CatalogFactory.create({"warehouse": str(warehouse)})
    catalog.create_database("reliability", True)
    columns = [pa.field("id", pa.int64(), nullable=not keyed)]
    if options == updates.OPTIONS:
        columns.append(pa.field("image", pa.large_binary()))
    key = ["id"] if keyed else None
    schema = pypaimon.Schema.from_pyarrow_schema(pa.schema(columns), primary_keys=key, options=options)
    catalog.create_table(TABLE, schema, False)
    for identity in BEFORE:
        append(catalog.get_table(TABLE), [identity])


def rows_of(table) -> list[int]:
    builder = table.new_read_builder()
    rows = builder.new_read().to_arrow(builder.new_scan().plan().splits())
    if "image" in rows.column_names and any(len(blob) < BLOB_BYTES - 9 for blob in rows["image"].to_pylist()):
        raise AssertionError("a blob is not whole")
    return sorted(rows["id"].to_pylist())


def upsert_again(table, keys: list[int]) -> list[tuple[int, int]]:
    """Writes all rows once more: each key must be found where it is."""
    stamp = 2 * STRIDE
    assert commits(table, "append", [{"id": key, "stamp": stamp, "kind": "+U", "place": PLACES[-1]} for key in keys])
    return [(key, stamp) for key in keys]


def victims(every: int) -> list[Victim]:
    """`every`: of the operations of commits with more than rows to write, each of this distance is killed."""

    def of_ids(name: str, options: dict | None = None, *, keyed: bool = False, overwrite: bool = False) -> Victim:
        script = ("appender.py", NEW, 1, *(["overwrite"] if overwrite else []))
        after = [NEW] if overwrite else [*BEFORE, NEW]

        def go_on(table, published: bool) -> list[int]:
            append(table, [NEXT])
            return [*(after if published else BEFORE), NEXT]

        return Victim(name, lambda warehouse: make(warehouse, options, keyed=keyed), script, rows_of, after, go_on)

    def of_upserts(name: str, options: dict, partition: tuple = ()) -> Victim:
        """Hot keys, and keys of its own, which move where there are partitions."""
        before = dict.fromkeys([*range(HOT), *own_keys(0)], 0)
        after = before | dict.fromkeys([*range(HOT), *own_keys(STRIDE)], STRIDE)

        def begin(warehouse: pathlib.Path) -> None:
            table = upserts.fresh_table(warehouse, {"rowkind.field": "kind"} | options, partition=partition)
            assert commits(table, "upsert", batch_of("upsert", 0, first=True))

        return Victim(
            name,
            begin,
            ("upserter.py", "upsert", STRIDE, 1),
            lambda table: sorted(upserts.rows_of(table)),
            sorted(after.items()),
            lambda table, published: upsert_again(table, sorted(after if published else before)),
            every,
        )

    hashed = {"bucket": "-1", "dynamic-bucket.target-row-num": "8"}
    return [
        of_ids("append"),
        of_ids("overwrite", overwrite=True),
        of_ids("upsert", {"bucket": "2"}, keyed=True),
        of_ids("blob", updates.OPTIONS),
        of_upserts("upsert with deletion vectors", {"bucket": "1", "deletion-vectors.enabled": "true"}),
        of_upserts("upsert into dynamic buckets", hashed),
        of_upserts("upsert of keys that move", hashed, partition=("place",)),
    ]
