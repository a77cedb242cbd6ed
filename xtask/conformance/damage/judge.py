"""What kinds of files a table has, and what an answer about a damaged one is worth."""

import pathlib

import tables

MOST_SECONDS = 5
MOST_BYTES = 1 << 30
NEVER = ["stale", "panic", "signal", "hang", "memory", "published", "litter", "wrong, could be told"]

#: What is damaged on its way between processes, and is no file.
CARRIED = ("task", "message")

#: First of the vectors of an index file, after its version and a length; vectors of 32 and of 64 bits.
VECTOR_MAGIC = {1581511376: "big", 1681511377: "little"}


def kind_of(path: pathlib.Path) -> str:
    name, folder = path.name, path.parent.name
    if folder == "manifest":
        kinds = ["manifest-list", "index-manifest", "manifest"]
        return next(kind for kind in kinds if name.startswith(kind))
    if folder == "index":
        head = path.read_bytes()[5:9]
        vectors = any(head == magic.to_bytes(4, order) for magic, order in VECTOR_MAGIC.items())
        return "vectors" if vectors else "hashes"
    if folder in ("snapshot", "schema"):
        return "hint" if name in ("LATEST", "EARLIEST") else folder
    return "file-index" if name.endswith(".index") else path.suffix[1:] or folder


def has_checksums(table: str, kind: str) -> bool:
    """Whether all values of such a file are under a checksum. Other implementations leave it out of Parquet files."""
    if kind == "blob":  # those of elements of arrays and maps are over the whole value, which nobody reads
        return table not in tables.NESTED_BLOBS
    return kind in ("vectors", *CARRIED) or (kind == "parquet" and not table.startswith(("java", "pypaimon")))


SIZED = {"manifest", "manifest-list", "vectors", "hashes", "parquet", "avro", "orc", "blob"}


def moves_blobs(data: bytes, damaged: bytes | None) -> bool:
    """Whether only the index of a blob file is another, by more than one bit, and still fills the file.

    It says which row has which value, under no checksum: such lengths may give a value to another row, and nothing in
    the file tells.
    """
    index = len(data) - 5 - int.from_bytes(data[-5:-1], "little")
    if damaged is None or len(damaged) != len(data) or damaged[:index] != data[:index]:
        return False
    return sum((old ^ new).bit_count() for old, new in zip(data, damaged, strict=True)) > 1


def moves_keys(case: dict) -> bool:
    """Whether a file of hashes is another of the same size, and new rows went by it.

    Each hash is as good as any other. Rows of a key that is not in it any more may get a second bucket.
    """
    return case["kind"] == "hashes" and case["new_size"] == case["old_size"] and case["route"] == "upsert"


def replaced(case: dict) -> bool:
    """Whether an older index manifest of the table stands for the one that the snapshot names: by its name alone."""
    return case["kind"] == case["replaced_by"] == "index-manifest"


def classify(case: dict, answer: dict, expected: dict) -> str:
    if "died" in answer:
        return "hang" if answer["died"] is None else "signal"
    if answer["seconds"] > MOST_SECONDS + case["patience"]:
        return "hang"
    if answer["bytes"] > MOST_BYTES:
        return "memory"
    # Rows that waited may have got a bucket before what follows failed.
    if answer.get("published") and case["table"] != "postponed":
        return "published"
    if answer.get("litter"):
        return "litter"
    if "rows" not in answer:
        return "panic" if answer["kind"] == "PanicException" or "panicked" in answer["error"] else "error"
    if answer["rows"] == expected["rows"]:
        return "correct"
    if answer["rows"] in expected["older"] and not replaced(case):
        return "stale"
    told = not replaced(case) and (
        (has_checksums(case["table"], case["kind"]) and not case["moves_blobs"])
        or (case["kind"] in SIZED and case["new_size"] != case["old_size"])
        or (len(answer["rows"]) != len(expected["rows"]) and not moves_keys(case))
    )
    return "wrong, could be told" if told else "wrong"
