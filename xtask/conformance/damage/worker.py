"""Reads tables, one after the other, as JSON lines on standard input say: {"warehouse", "route", "column", "snapshot",
"damage"}.

Each answer has `rows` (sorted, as text) or `error` and its `kind`; `bytes` is how much the memory grew at its peak. The
address space is bounded, so that a request for very much memory shows. The routes of `routes.py` change a table before
it is read; `damage` is what of a compaction is damaged on its way, and a seed. When such a change fails, `published` is
whether it left a snapshot all the same, and `litter` what files it left that no snapshot has.
"""

import json
import os
import pathlib
import resource
import sys

import daft
import pyarrow as pa
import pypaimon
import pypaimon.daft
import routes
from tables import TABLE

ADDRESS_SPACE = 6 << 30


def memory(key: str) -> int:
    with open("/proc/self/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith(key + ":"))
    return int(line.split()[1]) * 1024


def read(warehouse: str, route: str, column: str | None, snapshot: int | None) -> pa.Table:
    options = {"warehouse": warehouse}
    if route == "daft":
        frame = pypaimon.daft.read_paimon(TABLE, options, reader="paimon", snapshot_id=snapshot)
        if column:
            frame = frame.where(daft.col(column).not_null())
        return with_blobs(frame, options).to_arrow()
    table = pypaimon.CatalogFactory.create(options).get_table(TABLE)
    if snapshot:
        table = table.copy({"scan.snapshot-id": str(snapshot)})
    builder = table.new_read_builder()
    if column:
        builder = builder.with_filter(builder.new_predicate_builder().is_not_null(column))
    return builder.new_read().to_arrow(builder.new_scan().plan().splits())


def with_blobs(frame: daft.DataFrame, options: dict) -> daft.DataFrame:
    """The frame with the bytes of its files."""
    read_blob = pypaimon.daft.read_blob
    return frame.select(
        *(
            read_blob(daft.col(field.name), options, TABLE).alias(field.name)
            if field.dtype.is_file()
            else daft.col(field.name)
            for field in frame.schema()
        )
    )


def change(warehouse: str, route: str, damage: list | None) -> None:
    table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(TABLE)
    if damage:
        routes.carried(table, *damage)
    else:
        routes.ROUTES[route](table)


def files_of(warehouse: str) -> set[str]:
    """All files but hints."""
    paths = pathlib.Path(warehouse).rglob("*")
    return {str(path) for path in paths if path.is_file() and path.name not in ("LATEST", "EARLIEST")}


def answer_to(warehouse: str, route: str, column: str | None, snapshot: int | None, damage: list | None) -> dict:
    """Whoever asks for `snapshot` of a route wants the table as it was then, and has a copy of its own."""
    before, changed = files_of(warehouse), False
    try:
        if damage or route in routes.ROUTES:
            change(warehouse, route, damage)
            changed, snapshot = True, None
        return {"rows": rows_of(read(warehouse, route, column, snapshot))}
    except BaseException as error:  # a panic of Rust is no `Exception`
        answer = {"kind": type(error).__name__, "error": str(error)}
        if changed or answer["kind"] == "NotVisibleError":
            return answer
        left = files_of(warehouse) - before
        published = any("/snapshot/" in path for path in left)
        # Whoever carries pieces of a compaction has to delete what they came to.
        return {**answer, "published": published, "litter": [] if published or damage else sorted(left)}


def rows_of(table: pa.Table) -> list[str]:
    """Rows as text, sorted; times as numbers, because Python has not all years."""

    def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
        if pa.types.is_date32(column.type):
            return column.cast(pa.int32())
        return column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column

    return sorted(map(repr, pa.table([plain(column) for column in table.columns], table.column_names).to_pylist()))


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not get between the answers
    limit = memory("VmSize") + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        request = json.loads(line)
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        before = memory("VmRSS")
        answer = answer_to(**request)
        answer["bytes"] = memory("VmHWM") - before
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    main()
