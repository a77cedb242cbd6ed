"""A table of pictures, and what is seen in them through Daft; as a script, on Ray's workers, printed as JSON."""

from __future__ import annotations

import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import daft
import pyarrow as pa
from daft import DataType, col
from daft.functions import file as file_at
from PIL import Image

from blob_tables import create
from conftest import append
from pypaimon.daft import open_blob, read_blob, read_paimon, write_paimon

COLUMNS = pa.schema([("id", pa.int64()), ("kind", pa.string()), ("image", pa.large_binary())])
COUNT = 24
SEEN = DataType.struct({"format": DataType.string(), "size": DataType.list(DataType.int64()), "sum": DataType.int64()})


def picture(number: int) -> tuple[str | None, bytes | None]:
    """A picture of some size in PNG or JPEG; every eighth is missing."""
    if number % 8 == 7:
        return None, None
    kind = ("PNG", "JPEG")[number % 2]
    drawn = random.Random(number)
    size = (20 + number, 64)
    image = Image.frombytes("RGB", size, drawn.randbytes(3 * size[0] * size[1]))
    stored = io.BytesIO()
    image.save(stored, kind)
    return kind, stored.getvalue()


def seen_in(stream: Any) -> dict[str, Any]:
    """What a picture shows."""
    with Image.open(stream) as image:
        return {"format": image.format, "size": list(image.size), "sum": sum(image.convert("RGB").tobytes())}


def expected() -> list[Any]:
    """What is seen in each picture of the table."""
    pictures = [picture(number)[1] for number in range(COUNT)]
    return [None if data is None else seen_in(io.BytesIO(data)) for data in pictures]


def fill(options: dict[str, str]) -> None:
    """Makes the table ``db.images``, in two commits."""
    table = create(options, "db.images", COLUMNS)
    for numbers in (range(COUNT // 2), range(COUNT // 2, COUNT)):
        kinds, images = zip(*map(picture, numbers), strict=True)
        append(table, {"id": list(numbers), "kind": list(kinds), "image": list(images)})


def decoded(options: dict[str, str]) -> list[Any]:
    """What is seen in each picture through streams."""

    @daft.func(return_dtype=SEEN)
    def look(file: daft.File) -> Any:
        if file is None:
            return None
        with open_blob(file, options, "db.images") as stream:
            return seen_in(stream)

    frame = read_paimon("db.images", options).select("id", look(col("image")).alias("seen"))
    found: list[Any] = frame.sort("id").to_pydict()["seen"]
    return found


def fetched(options: dict[str, str], name: str) -> list[bytes | None]:
    """The bytes of each picture of a table."""
    frame = read_paimon(name, options).select("id", read_blob(col("image"), options, name).alias("bytes"))
    found: list[bytes | None] = frame.sort("id").to_pydict()["bytes"]
    return found


def copied(options: dict[str, str]) -> list[bytes | None]:
    """The bytes after a copy of the pictures that are PNG or missing."""
    create(options, "db.copy", COLUMNS)
    frame = read_paimon("db.images", options)
    write_paimon(frame.where((col("kind") == "PNG") | col("kind").is_null()), "db.copy", options)
    return fetched(options, "db.copy")


def taken_in(options: dict[str, str], folder: Path) -> list[bytes | None]:
    """The bytes after files were written by their paths."""
    for number in range(4):
        (folder / f"{number}.bin").write_bytes(bytes([number]) * 1000)
    paths = [*(str(folder / f"{number}.bin") for number in range(4)), None]
    parts = [daft.from_pydict({"id": list(ids), "path": [paths[n] for n in ids]}) for ids in (range(2), range(2, 5))]
    create(options, "db.files", COLUMNS)
    frame = parts[0].concat(parts[1]).select("id", daft.lit("x").alias("kind"), file_at(col("path")).alias("image"))
    write_paimon(frame, "db.files", options)
    return fetched(options, "db.files")


def main(warehouse: str) -> None:
    import ray
    from daft import runners

    ray.init(num_cpus=2, log_to_driver=False)
    runners.set_runner_ray()
    options = {"warehouse": warehouse}
    (folder := Path(warehouse) / "sources").mkdir()
    found = {
        "decoded": decoded(options),
        "fetched": [data and data.hex() for data in fetched(options, "db.images")],
        "copied": [data and data.hex() for data in copied(options)],
        "taken_in": [data and data.hex() for data in taken_in(options, folder)],
        "nulls": read_paimon("db.images", options).where(col("image").is_null()).count_rows(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
