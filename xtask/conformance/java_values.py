"""Values of every type, spelt as the Java driver takes them, and reads of a table of its."""

import struct

from java_driver import Table

DAY = 86_400_000_000
YEAR_1, YEAR_9999 = -62_135_596_800_000_000, 253_402_300_799_999_999
NAN32, NAN64 = 0x7FC00000, 0x7FF8000000000000


def f32(value: float) -> int:
    return struct.unpack("<i", struct.pack("<f", value))[0]


def f64(value: float) -> int:
    return struct.unpack("<q", struct.pack("<d", value))[0]


# Type -> values, a small set of them, ordered where they have an order.
ATOMS = {
    "BOOLEAN": [False, True],
    "TINYINT": [-128, -1, 0, 1, 5, 127],
    "SMALLINT": [-32768, -1, 0, 1, 300, 32767],
    "INT": [-(2**31), -1, 0, 1, 70_000, 2**31 - 1],
    "BIGINT": [-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1],
    "FLOAT": [f32(float("-inf")), f32(-1.5), f32(-0.0), f32(0.0), f32(0.5), f32(float("inf")), NAN32],
    "DOUBLE": [f64(float("-inf")), f64(-1.5), f64(-0.0), f64(0.0), f64(0.1), f64(float("inf")), NAN64],
    "DECIMAL(9, 2)": ["-9999999.99", "-0.01", "0.00", "0.01", "12.50", "9999999.99"],
    "DECIMAL(18, 4)": ["-99999999999999.9999", "-0.0001", "0.0000", "12.5000", "99999999999999.9999"],
    "DECIMAL(38, 10)": ["-9999999999999999999999999999.9999999999", "0.0000000000", "1.0000000001"],
    "CHAR(5)": ["     ", "abcde", "héllo"],
    "VARCHAR(20)": ["", "a", "ab", "日本", "😀"],
    "STRING": ["", "a", "b" * 40, "o'k", "é"],
    "BINARY(2)": ["0000", "00ff", "ffff"],
    "BYTES": ["", "00", "ff" * 20],
    "DATE": [-719_162, -1, 0, 19_782, 2_932_896],
    "TIME(3)": [0, 1, 43_200_123, 86_399_999],
    "TIMESTAMP(0)": [YEAR_1, -1_000_000, 0, 1_709_209_445_000_000, 253_402_300_799_000_000],
    "TIMESTAMP(3)": [YEAR_1, -1_000_001_000, 0, 1_709_209_445_123_000, 253_402_300_799_999_000],
    "TIMESTAMP(6)": [YEAR_1, -1_000_000_001, 0, 1_709_209_445_123_456, YEAR_9999],
    "TIMESTAMP(9)": [-1_000_000_001, 0, 1_709_209_445_123_456, 4_102_444_800_000_000],
    "TIMESTAMP(0) WITH LOCAL TIME ZONE": [YEAR_1 + DAY, 0, 1_709_209_445_000_000, 253_402_214_400_000_000],
    "TIMESTAMP(3) WITH LOCAL TIME ZONE": [YEAR_1 + DAY, -1_000_001_000, 0, 1_709_209_445_123_000],
    "TIMESTAMP(6) WITH LOCAL TIME ZONE": [YEAR_1 + DAY, -1_000_000_001, 0, 1_709_209_445_123_456, YEAR_9999 - DAY],
    "TIMESTAMP(9) WITH LOCAL TIME ZONE": [-1_000_000_001, 0, 1_709_209_445_123_456, 4_102_444_800_000_000],
}

NANOS = {kind for kind in ATOMS if kind.startswith("TIMESTAMP(9)")}
BINARY = {"BINARY(2)", "BYTES"}
WIDE_DECIMAL = {"DECIMAL(38, 10)"}
DECIMAL = {"DECIMAL(9, 2)", "DECIMAL(18, 4)", *WIDE_DECIMAL}

NESTED = {
    "a": ({"type": "ARRAY", "element": "INT"}, [[], [1], [1, None, 3]]),
    "aa": (
        {"type": "ARRAY", "element": {"type": "ARRAY", "element": "STRING"}},
        [[], [[], None, ["x", None]], [["é"]]],
    ),
    "at": ({"type": "ARRAY", "element": "TIMESTAMP(6)"}, [[0, None, 1_709_209_445_123_456], []]),
    "m": ({"type": "MAP", "key": "STRING NOT NULL", "value": "BIGINT"}, [[], [["a", 1]], [["a", None], ["b", 2]]]),
    "mr": (
        {
            "type": "MAP",
            "key": "STRING NOT NULL",
            "value": {"type": "ROW", "fields": [{"id": 0, "name": "d", "type": "DECIMAL(18, 4)"}]},
        },
        [[], [["k", ["1.0000"]], ["n", None]]],
    ),
    "s": ({"type": "MULTISET", "element": "STRING NOT NULL"}, [[], [["x", 1], ["y", 3]]]),
    "r": (
        {
            "type": "ROW",
            "fields": [
                {"id": 0, "name": "x", "type": "INT"},
                {"id": 1, "name": "y", "type": {"type": "ROW", "fields": [{"id": 2, "name": "z", "type": "DATE"}]}},
                {"id": 3, "name": "l", "type": {"type": "ARRAY", "element": "DOUBLE"}},
            ],
        },
        [[1, [0], [f64(0.5), None]], [None, None, None], [None, [None], []]],
    ),
}


def column(kind: str) -> str:
    """A column's name for a type: `decimal_9_2`."""
    return "".join(c if c.isalnum() else "_" for c in kind.lower()).replace("__", "_").strip("_")


def at(tag=None, snapshot=None) -> dict:
    """A read of a state."""
    return {"options": {"scan.tag-name": tag} if tag else {"scan.snapshot-id": str(snapshot)}}


def between(first, last, **options: str) -> dict:
    """A read of what came after one state up to another."""
    return {"options": {"incremental-between": f"{first},{last}", **options}}


def key_reads(table: Table, reads: list[dict]) -> list[dict]:
    """Each read with the keys that Java gives for it. The first column is `k`."""
    done = []
    for read in reads:
        source = table.on_branch(read["branch"]) if "branch" in read else table
        rows = source.ask("read", **{part: read[part] for part in ("options", "filter") if part in read})["rows"]
        done.append({**read, "keys": sorted(key for key, *_ in rows)})
    return done
