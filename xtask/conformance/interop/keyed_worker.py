"""One implementation behind JSON lines: a step of a plan of keyed_plan.py, or one of its questions.

python keyed_worker.py {ours,daft,pypaimon,pypaimon-rust}
"""

import functools
import sys
import threading

import pyarrow as pa
import pypaimon
from worker import (
    ARROW,
    TABLE,
    alter,
    array_of,
    prepare,
    prepare_rust,
    read_where,
    render_table,
    select_rust,
    serve,
    table_of,
)


def create(catalog, plan: dict) -> None:
    catalog.create_database(TABLE.split(".")[0], True)
    columns = [
        pa.field(column["name"], ARROW[column["type"]], nullable=column["name"] not in plan["key"])
        for column in plan["columns"]
    ]
    schema = pypaimon.Schema.from_pyarrow_schema(pa.schema(columns), plan["partition"], plan["key"], plan["options"])
    catalog.create_table(TABLE, schema, False)


def step(catalog, request: dict) -> None:
    step, columns = request["step"], request["columns"]
    if step["do"] == "alter":
        alter(catalog, columns, step)
    elif step["do"] == "tag":
        catalog.get_table(TABLE).create_tag(step["name"])
    elif step["do"] == "compact":
        catalog.get_table(TABLE).compact(full=step["full"])
    elif step["do"] == "beside":
        beside(catalog, request)
    elif step.get("through") == "daft":
        write_daft(request)
    else:
        overwrite = step["do"] == "overwrite"
        commits = [prepared(catalog, request, step["rows"], step["kinds"], overwrite)]
        if step["do"] == "concurrent":
            commits.append(prepared(catalog, request, step["other_rows"], step["other_kinds"], False))
        commits[0]()
        for commit in commits[1:]:
            try:
                commit()
            except Exception as error:
                # Where buckets are found as rows come, a writer that did not know the other one's has to start again.
                if type(error).__name__ != "CommitConflictError" or catalog.get_table(TABLE).total_buckets != -1:
                    raise
                prepared(catalog, request, step["other_rows"], step["other_kinds"], False)()


def beside(catalog, request: dict) -> None:
    """Rows that are committed while a compaction is under way, and another compaction when both are done."""
    failures = []

    def compact() -> None:
        try:
            catalog.get_table(TABLE).compact(full=True)
        except Exception as error:
            failures.append(error)

    commit = prepared(catalog, request, request["step"]["rows"], request["step"]["kinds"], False)
    thread = threading.Thread(target=compact)
    thread.start()
    commit()
    thread.join()
    compact()
    if failures:
        raise failures[0]


def write_daft(request: dict) -> None:
    """Rows through our sink in Daft, from several tasks."""
    import daft
    from pypaimon.daft import write_paimon

    step = request["step"]
    rows = table_of(step["rows"], request["columns"]).append_column("row kind", pa.array(step["kinds"]))
    told = any(column["name"] == "rk" for column in request["columns"])
    rows = rows.drop_columns(["row kind"]) if told else rows
    # Daft has times of microseconds and nanoseconds only.
    wider = {field.name: pa.time64("us") for field in rows.schema if pa.types.is_time32(field.type)}
    rows = rows.cast(pa.schema([field.with_type(wider.get(field.name, field.type)) for field in rows.schema]))
    third = -(-len(rows) // 3)
    parts = [daft.from_arrow(rows.slice(first, third)) for first in range(0, len(rows), third)]
    frame = functools.reduce(daft.DataFrame.concat, parts)
    mode = "overwrite" if step["do"] == "overwrite" else "append"
    kinds = None if told else "row kind"
    write_paimon(frame, TABLE, {"warehouse": request["warehouse"]}, mode=mode, row_kind_column=kinds)


def prepared(catalog, request: dict, rows: list, kinds: list, overwrite: bool):
    """A commit whose files are written. Tables without `rowkind.field` are told kinds in a column of their own."""
    batch = table_of(rows, request["columns"])
    batch = batch.cast(pa.schema([field.with_nullable(field.name not in request["key"]) for field in batch.schema]))
    if sys.argv[1] == "pypaimon-rust":
        return prepare_rust(request["warehouse"], batch, overwrite)
    table = catalog.get_table(TABLE)
    kind_column = None
    if sys.argv[1] == "ours" and not any(column["name"] == "rk" for column in request["columns"]):
        kind_column = "row kind"
        batch = batch.append_column(kind_column, pa.array(kinds))
    return prepare(table, batch, overwrite, kind_column)


def read(catalog, request: dict) -> dict:
    columns, filters, tag = (request["question"][part] for part in ("columns", "filters", "tag"))
    names = [column["name"] for column in columns]
    kinds = {column["name"]: column["type"] for column in columns}
    if sys.argv[1] == "pypaimon-rust":
        rows = select_rust(request["warehouse"], names, filters, kinds)
    elif sys.argv[1] == "daft":
        rows = read_daft(request["warehouse"], names, filters, kinds, tag)
        rows = rows.cast(pa.schema([(column["name"], ARROW[column["type"]]) for column in columns]))
    else:
        table = catalog.get_table(TABLE)
        # Under a projection, pypaimon looks filters up in the statistics of other columns.
        projection = names if sys.argv[1] == "ours" or not filters else None
        table = table.copy({"scan.tag-name": tag}) if tag else table
        rows = read_where(table, filters, kinds, projection).select(names)
    return {"rows": render_table(rows) if rows else []}


def read_daft(warehouse: str, names: list[str], filters: list, kinds: dict[str, str], tag: str | None) -> pa.Table:
    """Our reader under Daft, which counts the rows as well."""
    from pypaimon.daft import read_paimon

    frame = read_paimon(TABLE, {"warehouse": warehouse}, tag_name=tag)
    frame = narrowed(frame, filters, kinds)
    rows = frame.select(*names).to_arrow()
    if (counted := frame.count_rows()) != len(rows):
        raise AssertionError(f"{counted} rows counted, {len(rows)} read")
    return rows


def narrowed(frame, filters: list, kinds: dict[str, str]):
    """A frame under all filters; `kinds` are its columns' types."""
    from daft import col, lit

    for operator, name, *literals in filters:
        literals = [lit(literal) for literal in array_of(literals, kinds[name]).to_pylist()]
        column = col(name)
        condition = {
            "=": column.__eq__,
            "<": column.__lt__,
            ">=": column.__ge__,
            "in": lambda *literals, column=column: column.is_in(list(literals)),
            "is null": column.is_null,
            "is not null": column.not_null,
        }[operator]
        frame = frame.where(condition(*literals))
    return frame


def changelog(catalog, request: dict) -> dict:
    """The changes that each snapshot has in its changelog, read by pypaimon."""
    table = catalog.get_table(TABLE)
    builder = table.new_stream_read_builder().with_include_row_kind()
    scan, read = builder.new_streaming_scan(), builder.new_read()
    snapshots = table.snapshot_manager()
    changes = {}
    for id in range(1, snapshots.get_latest_snapshot().id + 1):
        snapshot = snapshots.get_snapshot_by_id(id)
        if snapshot.changelog_manifest_list:
            rows = read.to_arrow(scan._create_changelog_plan(snapshot).splits())
            changes[id] = render_table(rows.select(["_row_kind", *request["columns"]]))
    return {"changes": changes}


def answer(request: dict) -> dict:
    catalog = pypaimon.CatalogFactory.create({"warehouse": request["warehouse"]})
    if request["do"] == "read":
        return read(catalog, request)
    if request["do"] == "changelog":
        return changelog(catalog, request)
    if request["do"] == "create":
        create(catalog, request["plan"])
    else:
        step(catalog, request)
    return {}


if __name__ == "__main__":
    serve(answer)
