"""Memory of writing many files, named by path, as blobs through Daft: they are copied while they stream.

    python ingest.py --work FOLDER --report FOLDER [--gigabytes 2] [--budget 500]

A few files on disk have many names each (hard links), of sizes from a few bytes to 256 MB. The process that writes must
stay under the budget of megabytes, all in all: `VmHWM`, Linux only. The blobs are compared with their files, one by
one, in pieces. The report is a table (ingest.md).
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import pyarrow as pa
from cost import cpu_seconds, peak_bytes

MEGABYTE = 1_000_000
#: Sizes in megabytes, and how often one stands in a gigabyte.
SIZES = {0.05: 2000, 4: 100, 40: 6, 260: 1}
TABLE = "bench.ingest"
SCHEMA = pa.schema([("name", pa.string()), ("file", pa.large_binary())])


def sources(folder: pathlib.Path, gigabytes: int) -> list[str]:
    """Paths of files that are as large together."""
    folder.mkdir(parents=True)
    dice = random.Random(3)
    paths = []
    for size, count in SIZES.items():
        first = folder / f"{size}"
        first.write_bytes(dice.randbytes(int(size * MEGABYTE)))
        for number in range(count * gigabytes):
            path = folder / f"{size}-{number}"
            os.link(first, path)
            paths.append(str(path))
    dice.shuffle(paths)
    return paths


def write(warehouse: str, listing: str) -> dict:
    import daft
    import pypaimon
    from daft.functions import file
    from pypaimon.daft import write_paimon

    daft.set_runner_native()
    options = {"warehouse": warehouse}
    catalog = pypaimon.CatalogFactory.create(options)
    catalog.create_database("bench", True)
    evolving = {"row-tracking.enabled": "true", "data-evolution.enabled": "true"}
    catalog.create_table(TABLE, pypaimon.Schema.from_pyarrow_schema(SCHEMA, options=evolving), False)
    frame = daft.from_pydict({"name": json.loads(pathlib.Path(listing).read_text())})
    base = peak_bytes()
    cpu = cpu_seconds()
    write_paimon(frame.select("name", file(daft.col("name")).alias("file")), TABLE, options)
    return {"base_mb": base / MEGABYTE, "peak_mb": peak_bytes() / MEGABYTE, "cpu": cpu_seconds() - cpu}


def compare(warehouse: pathlib.Path) -> int:
    """How many blobs are those of their files; raises where one is not."""
    from pypaimon.daft import open_blob, read_paimon

    options = {"warehouse": str(warehouse)}
    rows = read_paimon(TABLE, options).to_pydict()
    for name, blob in zip(rows["name"], rows["file"]):
        with open_blob(blob, options, TABLE) as found, open(name, "rb") as wanted:
            while piece := wanted.read(8 << 20):
                if found.read(len(piece)) != piece:
                    raise AssertionError(f"{name} is not what was written")
            if found.read(1):
                raise AssertionError(f"{name} is longer than what was written")
    return len(rows["name"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--report", type=pathlib.Path)
    parser.add_argument("--gigabytes", type=int, default=2)
    parser.add_argument("--budget", type=int, default=500)
    parser.add_argument("--write", help="the list of files; writes them and ends")
    arguments = parser.parse_args()
    warehouse = arguments.work / "warehouse"
    if arguments.write:
        print(json.dumps(write(str(warehouse), arguments.write)))
        return 0

    shutil.rmtree(arguments.work, ignore_errors=True)
    paths = sources(arguments.work / "files", arguments.gigabytes)
    listing = arguments.work / "files.json"
    listing.write_text(json.dumps(paths))
    command = [sys.executable, __file__, "--work", str(arguments.work), "--write", str(listing)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    measured = json.loads(done.stdout.splitlines()[-1])
    written = sum(os.path.getsize(path) for path in paths) / MEGABYTE
    blobs = compare(warehouse)
    shutil.rmtree(arguments.work)
    lines = [
        "| blobs | MB written | MB resident before | MB resident at most | budget | CPU s |",
        "|---|---|---|---|---|---|",
        f"| {blobs} | {written:.0f} | {measured['base_mb']:.0f} | {measured['peak_mb']:.0f} | {arguments.budget} "
        f"| {measured['cpu']:.1f} |",
    ]
    print("\n".join(lines))
    if arguments.report:
        arguments.report.mkdir(parents=True, exist_ok=True)
        (arguments.report / "ingest.md").write_text("\n".join(lines) + "\n")
    if blobs != len(paths):
        print(f"{blobs} blobs of {len(paths)} files", file=sys.stderr)
        return 1
    return 0 if measured["peak_mb"] < arguments.budget else 1


if __name__ == "__main__":
    sys.exit(main())
