"""The files of a golden case (see src/lib.rs)."""

import hashlib
import json
import pathlib
import shutil

CASES = pathlib.Path(__file__).parent / "cases" / "read"


def folder_sha256(folder: pathlib.Path) -> str:
    """The SHA-256 of what `sha256sum` prints for the folder's files, sorted by path (see src/checksum.rs)."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    lines = [f"{hashlib.sha256(files[name].read_bytes()).hexdigest()}  {name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def write_case(
    name: str,
    writer: str,
    table: pathlib.Path,
    rows: list[str],
    reads: list[dict] = (),
    commits: list[dict] = (),
    unordered: dict | None = None,
    unsupported: str | None = None,
) -> None:
    """Makes a case of a table on disk, the rows that its writer read and its further reads.

    `commits`: what others are to write to an empty table of this schema, and the rows that are there after each.
    `unordered`: by position and name the columns of arrays whose order the writer leaves to a hash map. `unsupported`:
    what our error says, as long as we do not read these rows.
    """
    unordered = unordered or {}
    rows = [spell(in_order(json.loads(row), unordered)) for row in rows] if unordered else rows
    reads = [
        {**read, "rows": [in_order(row, unordered) for row in read["rows"]]} if "rows" in read else read
        for read in reads
    ]
    case = CASES / name
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(table, case / "table", ignore=shutil.ignore_patterns(".*.crc"))
    (case / "expected.rows").write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    for file, objects in (("reads.jsonl", reads), ("commits.jsonl", commits)):
        if objects:
            (case / file).write_text("".join(spell(value) + "\n" for value in objects), encoding="utf-8")
    expect = 'rows = "expected.rows"' if unsupported is None else f'unsupported = "{unsupported}"'
    write_case_file(case, writer, expect, bool(reads), unordered.values())
    print(name, len(rows), "rows", len(reads), "reads")


def spell(value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def in_order(row: list, unordered: dict) -> list:
    return [sorted(value, key=spell) if i in unordered and value else value for i, value in enumerate(row)]


def write_case_file(case: pathlib.Path, writer: str, expect: str, reads: bool, unordered=()) -> None:
    """Says who wrote the table, and what is expected of reading it."""
    (case / "case.toml").write_text(
        "# Written and read back by the writer named here; `expected.rows` is what it read.\n"
        f'writer = "{writer}"\nsha256 = "{folder_sha256(case / "table")}"\n'
        + ('reads = "reads.jsonl"\n' if reads else "")
        + (f"unordered = {json.dumps(list(unordered))}\n" if unordered else "")
        + f"\n[expect]\n{expect}\n",
        encoding="utf-8",
    )
