"""One implementation behind JSON lines: a step of a plan of blob_plan.py, or one of its questions.

python blob_worker.py {ours,daft,pypaimon,pypaimon-rust}
"""

import pathlib
import sys

import pyarrow as pa
import pypaimon
from keyed_worker import narrowed
from pypaimon.table.row.blob import BlobDescriptor
from worker import (
    ARROW,
    TABLE,
    alter,
    predicate,
    prepare,
    read_where,
    render_table,
    select_rust,
    serve,
    table_of,
)


def create(catalog, request: dict) -> None:
    plan = request["plan"]
    catalog.create_database(TABLE.split(".")[0], True)
    columns = [pa.field(column["name"], ARROW[column["type"]]) for column in plan["columns"]]
    schema = pypaimon.Schema.from_pyarrow_schema(pa.schema(columns), plan["partition"], options=plan["options"])
    catalog.create_table(TABLE, schema, False)


def options(warehouse: str) -> dict[str, str]:
    """Of the catalog: descriptors that are written may point to the sources."""
    return {"warehouse": warehouse, "blob-descriptor.allowed-prefixes": sources(warehouse).as_uri()}


def sources(warehouse: str) -> pathlib.Path:
    folder = pathlib.Path(warehouse).resolve() / "sources"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def step(catalog, request: dict) -> None:
    step, columns = request["step"], request["columns"]
    if step["do"] == "alter":
        alter(catalog, columns, step)
        return
    table = catalog.get_table(TABLE)
    if step["do"] == "tag":
        table.create_tag(step["name"])
    elif step["do"] == "compact":
        table.compact(full=step["full"])
    elif step["do"] in ("write", "overwrite"):
        written(table, request, step)()
    else:
        builder = table.new_batch_write_builder()
        messages = changed(builder.new_update(), request, step)
        if "meanwhile" in step:
            written(table, request, step["meanwhile"])()
        commit = builder.new_commit()
        commit.commit(messages)
        commit.close()


def written(table, request: dict, step: dict):
    """A commit of new rows, whose files are written."""
    columns = [next(column for column in request["columns"] if column["id"] == id) for id in step["columns"]]
    rows = table_of(step["rows"], columns)
    if step.get("descriptors"):
        rows = pa.table([described(rows[name], request["warehouse"]) for name in rows.column_names], rows.schema)
    names = rows.column_names if len(columns) < len(request["columns"]) else None
    return prepare(table, rows, step["do"] == "overwrite", columns=names)


def described(column: pa.ChunkedArray, warehouse: str) -> pa.ChunkedArray:
    """Every other blob as a descriptor of bytes that stand in a file of their own."""
    if not pa.types.is_large_binary(column.type):
        return column
    folder = sources(warehouse)
    path = folder / f"{len(list(folder.iterdir()))}.bin"
    values, data = column.to_pylist(), b"before"
    for position, value in enumerate(values):
        if value and position % 2:
            values[position] = BlobDescriptor(path.as_uri(), len(data), len(value)).serialize()
            data += value
    path.write_bytes(data)
    return pa.chunked_array([pa.array(values, column.type)])


def changed(update, request: dict, step: dict) -> list:
    """The commit messages of a change by row id or by a condition."""
    if step["do"] == "delete":
        return update.delete_by_row_id(step["row_ids"])
    if step["do"] == "delete_where":
        filter = step["filter"]
        return update.delete_by_predicate(predicate(update.new_predicate_builder(), filter, step["kind"]))
    columns = [next(column for column in request["columns"] if column["id"] == id) for id in step["columns"]]
    rows = table_of(step["rows"], columns)
    rows = rows.add_column(0, "_ROW_ID", pa.array(step["row_ids"], pa.int64()))
    return update.with_update_type([column["name"] for column in columns]).update_by_arrow_with_row_id(rows)


def read(catalog, request: dict) -> dict:
    question = request["question"]
    columns, filters, tag = (question[part] for part in ("columns", "filters", "tag"))
    names = [column["name"] for column in columns]
    kinds = {column["name"]: column["type"] for column in columns}
    if sys.argv[1] == "pypaimon-rust":
        rows = select_rust(request["warehouse"], names, filters, kinds)
    elif sys.argv[1] == "daft":
        rows = read_daft(request["warehouse"], columns, filters, tag)
    else:
        table = catalog.get_table(TABLE)
        table = table.copy({"scan.tag-name": tag}) if tag else table
        if question.get("as") == "descriptors":
            table = table.copy({"blob-as-descriptor": "true"})
        rows = read_where(table, filters, kinds, names)
        if question.get("as") == "descriptors":
            rows = pointed(rows)
    return {"rows": render_table(rows) if rows else []}


def pointed(rows: pa.Table) -> pa.Table:
    """The bytes that descriptors point to, read as what they say."""

    def bytes_at(value: bytes | None) -> bytes | None:
        if value is None:
            return None
        at = BlobDescriptor.deserialize(value)
        return pathlib.Path(at.uri.removeprefix("file://")).read_bytes()[at.offset :][: at.length]

    columns = [
        pa.array([bytes_at(value) for value in rows[field.name].to_pylist()], field.type)
        if pa.types.is_large_binary(field.type)
        else rows[field.name]
        for field in rows.schema
    ]
    return pa.table(columns, rows.schema)


def read_daft(warehouse: str, columns: list[dict], filters: list, tag: str | None) -> pa.Table:
    """Our reader under Daft, which counts the rows as well; blobs are read in bulk, those of arrays and maps singly."""
    from daft import col
    from pypaimon.daft import open_blob, read_blob, read_paimon

    options = {"warehouse": warehouse}
    kinds = {column["name"]: column["type"] for column in columns}
    frame = narrowed(read_paimon(TABLE, options, tag_name=tag, row_tracking=True), filters, kinds)

    def opened(file) -> bytes | None:
        if file is None:
            return None
        with open_blob(file, options, TABLE) as stream:
            return stream.read()

    selected = [
        read_blob(col(name), options, TABLE).alias(name) if kind == "BLOB" else col(name)
        for name, kind in kinds.items()
    ]
    nested = [name for name, kind in kinds.items() if kind.endswith("<BLOB>") or kind.endswith(", BLOB>")]
    frame = frame.select(*selected).collect()
    rows = frame.exclude(*nested).to_arrow() if len(nested) < len(kinds) else None
    arrays = {name: rows[name].cast(ARROW[kinds[name]]) for name in kinds if name not in nested}
    for name in nested:
        values = frame.select(name).to_pydict()[name]
        if kinds[name].startswith("ARRAY"):
            values = [None if value is None else [opened(file) for file in value] for value in values]
        else:
            values = [
                None if value is None else [(key, opened(file)) for key, file in pairs(value)] for value in values
            ]
        arrays[name] = pa.array(values, ARROW[kinds[name]])
    counted = (
        narrowed(read_paimon(TABLE, options, tag_name=tag), filters, kinds).count_rows() if countable(filters) else None
    )
    if counted not in (None, len(frame)):
        raise AssertionError(f"{counted} rows counted, {len(frame)} read")
    return pa.table([arrays[name] for name in kinds], names=list(kinds))


def countable(filters: list) -> bool:
    return all(name != "_ROW_ID" for _, name, *_ in filters)


def pairs(value) -> list:
    return list(value.items()) if isinstance(value, dict) else list(value)


def ids(catalog) -> dict:
    """By `k`, the row ids."""
    rows = read_where(catalog.get_table(TABLE), columns=["k", "_ROW_ID"])
    return {"ids": list(zip(rows["k"].to_pylist(), rows["_ROW_ID"].to_pylist()))}


def answer(request: dict) -> dict:
    catalog = pypaimon.CatalogFactory.create(options(request["warehouse"]))
    if request["do"] == "read":
        return read(catalog, request)
    if request["do"] == "ids":
        return ids(catalog)
    if request["do"] == "create":
        create(catalog, request)
    else:
        step(catalog, request)
    return {}


if __name__ == "__main__":
    serve(answer)
