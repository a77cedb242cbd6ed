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


def write_case(name: str, writer: str, table: pathlib.Path, rows: list[str], reads: list[dict] = ()) -> None:
    """Makes a case of a table on disk, the rows that its writer read and its further reads."""
    case = CASES / name
    shutil.rmtree(case, ignore_errors=True)
    shutil.copytree(table, case / "table", ignore=shutil.ignore_patterns(".*.crc"))
    (case / "expected.rows").write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    if reads:
        lines = [json.dumps(read, ensure_ascii=False, separators=(",", ":")) + "\n" for read in reads]
        (case / "reads.jsonl").write_text("".join(lines), encoding="utf-8")
    write_case_file(case, writer, 'rows = "expected.rows"', bool(reads))
    print(name, len(rows), "rows", len(reads), "reads")


def write_case_file(case: pathlib.Path, writer: str, expect: str, reads: bool) -> None:
    """Says who wrote the table, and what is expected of reading it."""
    (case / "case.toml").write_text(
        "# Written and read back by the writer named here; `expected.rows` is what it read.\n"
        f'writer = "{writer}"\nsha256 = "{folder_sha256(case / "table")}"\n'
        + ('reads = "reads.jsonl"\n' if reads else "")
        + f"\n[expect]\n{expect}\n",
        encoding="utf-8",
    )
