"""Random plans of append tables, and the naive model that says which rows they leave.

Values are spelt as in `expected.rows` (see ../src/lib.rs), so that a plan is plain JSON.
"""

import json
import random

# Type name -> values. NULL is added by `draw_value`.
VALUES = {
    "BOOLEAN": [True, False],
    "TINYINT": [0, -128, 127],
    "SMALLINT": [0, -32768, 32767],
    "INT": [0, -(2**31), 2**31 - 1, 7],
    "BIGINT": [0, -(2**63), 2**63 - 1, 2**53 + 1],
    "FLOAT": [0, -(2**31), 1056964608, 2143289344, 2139095040, 1],  # 0, -0, 0.5, NaN, inf, smallest
    "DOUBLE": [0, -(2**63), 4602678819172646912, 9221120237041090560, -4503599627370496, 1],
    "STRING": ["", "a", "a/b=c %", "日本", "x" * 40, "\t", "o'k"],
    "BYTES": ["", "00", "ff" * 20, "0a0d"],
    "DECIMAL(9, 2)": ["0.00", "-9999999.99", "9999999.99", "0.01"],
    "DECIMAL(18, 4)": ["0.0000", "-99999999999999.9999", "12.5000"],
    "DECIMAL(38, 10)": ["0.0000000000", "-9999999999999999999999999999.9999999999", "1.0000000001"],
    "DATE": [0, -1, 19782, -719162, 2932896],
    "TIMESTAMP(3)": [0, -1000, 1709209445123000],
    "TIMESTAMP(6)": [0, -1, 1709209445123456, -62135596800000000],
    "TIMESTAMP(6) WITH LOCAL TIME ZONE": [0, -1, 1709209445123456],
    "ARRAY<INT>": [[], [1], [1, 2, 3], [1, None]],
    "MAP<STRING, BIGINT>": [[], [["a", 1]], [["a", None], ["b", 2]]],
    "ROW<x INT, y STRING>": [[1, "y"], [None, "é"], [0, None]],
}

# Old type -> the wider type that a column may be changed to.
WIDER = {"TINYINT": "SMALLINT", "SMALLINT": "INT", "INT": "BIGINT"}

PARTITIONS = {
    "STRING": ["a", "b/1", "c=d", "é", "", " ", "%41", "x y", ".."],
    "INT": [0, -1, 2**31 - 1],
    "DATE": [0, 19782],
    "BOOLEAN": [True, False],
}

# What a writer cannot write at all, by file format; its own limits, not ours.
NOT_WRITTEN = {
    ("pypaimon", "avro"): {"MAP<STRING, BIGINT>", "ARRAY<INT>", "ROW<x INT, y STRING>"},
}


def draw_plan(seed: int, writer: str) -> dict:
    """A plan that `writer` is able to carry out."""
    random_source = random.Random(f"{seed}-{writer}")
    file_format = random_source.choice(["parquet", "parquet", "avro"])
    kinds = [kind for kind in VALUES if kind not in NOT_WRITTEN.get((writer, file_format), ())]
    columns = [{"id": 0, "name": "k", "type": "BIGINT"}]
    for index in range(random_source.randint(1, 8)):
        columns.append({"id": index + 1, "name": f"c{index}", "type": random_source.choice(kinds)})
    partition = None
    if random_source.random() < 0.5:
        partition = "p"
        columns.append({"id": len(columns), "name": "p", "type": random_source.choice(list(PARTITIONS))})
    buckets = random_source.choice([None, None, 3])
    # pypaimon cannot append to a bucketed table that has a partition of NULL (TypeError in its predicate).
    null_partition = random_source.random() < 0.5 and not (writer == "pypaimon" and buckets)
    plan = {
        "format": file_format,
        "columns": columns,
        "partition": partition,
        "null_partition": partition is not None and null_partition,
        "buckets": buckets,
        "statistics": random_source.choice(["full", "none"]),
        "steps": [],
    }
    current = [dict(column) for column in columns]
    next_key = [0]
    for _ in range(random_source.randint(1, 5)):
        plan["steps"].append(draw_step(random_source, writer, plan, current, next_key))
    if all(step["do"] not in ("append", "overwrite") for step in plan["steps"]):
        plan["steps"].append(append_step(random_source, plan, current, next_key))
    return plan


def draw_step(random_source, writer, plan, current, next_key) -> dict:
    choice = random_source.random()
    if choice < 0.5 or (next_key[0] == 0):
        return append_step(random_source, plan, current, next_key)
    if choice < 0.65:
        step = append_step(random_source, plan, current, next_key)
        # pypaimon overwrites partitions of text only, and none while there is a partition of NULL (TypeErrors).
        kind = next((column["type"] for column in current if column["name"] == plan["partition"]), "STRING")
        can_overwrite = writer != "pypaimon" or (kind == "STRING" and not plan["null_partition"])
        return {**step, "do": "overwrite" if can_overwrite else "append"}
    if choice < 0.8 and writer == "pypaimon" and plan["format"] == "parquet":
        return {"do": "delete", "keys": random_source.sample(range(next_key[0]), max(1, next_key[0] // 3))}
    return alter_step(random_source, current)


def append_step(random_source, plan, current, next_key) -> dict:
    rows = []
    for _ in range(random_source.choice([1, 3, 20])):
        row = []
        for column in current:
            if column["name"] == "k":
                row.append(next_key[0])
                next_key[0] += 1
            elif column["name"] == plan["partition"]:
                nulls = [None] if plan["null_partition"] else []
                row.append(random_source.choice(nulls + PARTITIONS[column["type"]]))
            else:
                row.append(random_source.choice([None, *VALUES[column["type"]]]))
        rows.append(row)
    return {"do": "append", "rows": rows}


def alter_step(random_source, current) -> dict:
    plain = [column for column in current if column["name"].startswith("c")]
    changes = ["add"]
    if plain:
        changes += ["rename", "drop"] if len(plain) > 1 else ["rename"]
    wider = [column for column in plain if column["type"] in WIDER]
    if wider:
        changes.append("widen")
    change = random_source.choice(changes)
    new_id = random_source.randrange(1000, 10**9)
    if change == "add":
        kind = random_source.choice(["INT", "STRING", "DOUBLE"])
        current.append({"id": new_id, "name": f"c{new_id}", "type": kind})
        return {"do": "alter", "change": "add", "name": f"c{new_id}", "type": kind, "id": new_id}
    column = random_source.choice(wider if change == "widen" else plain)
    step = {"do": "alter", "change": change, "name": column["name"], "id": column["id"]}
    if change == "rename":
        column["name"] = step["to"] = f"cr{new_id}"
    elif change == "drop":
        current.remove(column)
    else:
        column["type"] = step["type"] = WIDER[column["type"]]
    return step


def final_columns(plan: dict) -> list[dict]:
    """The columns after all steps, in table order."""
    columns = [dict(column) for column in plan["columns"]]
    for step in plan["steps"]:
        if step["do"] == "alter":
            apply_change(columns, step)
    return columns


def apply_change(columns: list[dict], step: dict) -> None:
    if step["change"] == "add":
        columns.append({"id": step["id"], "name": step["name"], "type": step["type"]})
        return
    column = next(column for column in columns if column["id"] == step["id"])
    if step["change"] == "rename":
        column["name"] = step["to"]
    elif step["change"] == "drop":
        columns.remove(column)
    else:
        column["type"] = step["type"]


def expected_rows(plan: dict) -> list[str]:
    """The naive model: rows as dictionaries by column id, every step applied to the whole list."""
    columns = [dict(column) for column in plan["columns"]]
    rows: list[dict] = []
    for step in plan["steps"]:
        if step["do"] == "alter":
            apply_change(columns, step)
            continue
        if step["do"] == "delete":
            rows = [row for row in rows if row[0] not in step["keys"]]
            continue
        new = [dict(zip((column["id"] for column in columns), row)) for row in step["rows"]]
        if step["do"] == "overwrite":
            partition = next((column["id"] for column in columns if column["name"] == plan["partition"]), None)
            replaced = {json.dumps(row[partition]) for row in new} if partition is not None else None
            rows = [row for row in rows if replaced is not None and json.dumps(row[partition]) not in replaced]
        rows += new
    table = [[row.get(column["id"]) for column in columns] for row in rows]
    return sorted(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in table)
