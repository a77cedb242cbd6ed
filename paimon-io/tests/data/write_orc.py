"""Writes the ORC files next to it, and their rows as Parquet: run with the version of pyarrow in their names."""

import datetime
import decimal
import random

import pyarrow
import pyarrow.orc
import pyarrow.parquet

ROWS = 1100
NAME = f"pyarrow-{pyarrow.__version__}"
STRUCT = pyarrow.struct([("x", pyarrow.int32()), ("y", pyarrow.string())])
EPOCH = datetime.datetime(1970, 1, 1)


def columns():
    dice = random.Random(1)

    def some(values):
        return [None if dice.random() < 0.1 else value for value in values]

    def text():
        return "".join(dice.choice("aé漢😀z ") for _ in range(dice.randrange(9)))

    def struct():
        return {"x": some([dice.randrange(9)])[0], "y": some([text()])[0]}

    def number(digits):
        return decimal.Decimal(dice.randrange(-(10**digits) + 1, 10**digits))

    rows = range(ROWS)
    # All kinds of runs: equal, ascending, descending, random, small with a few large ones.
    yield "equal", pyarrow.int64(), [5 for _ in rows]
    yield "up", pyarrow.int64(), [row * 3 - 700 for row in rows]
    yield "down", pyarrow.int32(), some(-row * row for row in rows)
    yield "random", pyarrow.int64(), some(dice.randrange(-(2**63), 2**63) for _ in rows)
    yield "outliers", pyarrow.int64(), [row % 90 + (2**44 if row % 97 == 0 else 0) for row in rows]
    yield "negative_outliers", pyarrow.int64(), [-(row % 90) - (2**50 if row % 111 == 0 else 0) for row in rows]
    yield "short_runs", pyarrow.int16(), some(row // 4 % 7 - 3 for row in rows)
    yield (
        "bytes",
        pyarrow.int8(),
        some(row // 5 % 256 - 128 if row % 200 < 100 else dice.randrange(-128, 128) for row in rows),
    )
    yield "bits", pyarrow.bool_(), some(row % 300 < 200 or dice.random() < 0.5 for row in rows)
    yield "f32", pyarrow.float32(), some(dice.choice([0.0, -0.0, 1.5, float("nan"), float("-inf")]) for _ in rows)
    yield "f64", pyarrow.float64(), some(dice.random() * 10 ** dice.randrange(-30, 30) for _ in rows)
    yield "text", pyarrow.string(), some(text() for _ in rows)
    yield "words", pyarrow.string(), some(dice.choice(["", "one", "two", "trois ", "四"]) for _ in rows)
    yield "binary", pyarrow.binary(), some(dice.randbytes(dice.randrange(5)) for _ in rows)
    yield "d5", pyarrow.decimal128(5, 2), some(number(5).scaleb(-2) for _ in rows)
    yield "d18", pyarrow.decimal128(18, 4), some(number(18).scaleb(-4) for _ in rows)
    with decimal.localcontext(prec=38):
        yield "d38", pyarrow.decimal128(38, 10), some(number(38).scaleb(-10) for _ in rows)
    yield "date", pyarrow.date32(), some(dice.randrange(-719162, 2932896) for _ in rows)
    micros = pyarrow.timestamp("us")
    # Years 1 to 9999.
    first, last = (
        (datetime.datetime(*day) - EPOCH) // datetime.timedelta(microseconds=1) for day in ((1, 1, 1), (9999, 12, 31))
    )
    times = [dice.choice([dice.randrange(first, last), dice.randrange(-(10**6), 0), -7_000_000, 10**12]) for _ in rows]
    yield "ts", micros, some(times)
    yield "ts_ms", pyarrow.timestamp("ms"), some(time // 1000 for time in times)
    nanos = [dice.choice([dice.randrange(-(2**62), 2**62), dice.randrange(-(10**9), 0), 10**9 * 5]) for _ in rows]
    yield "ts_ns", pyarrow.timestamp("ns"), some(nanos)
    yield "ltz", pyarrow.timestamp("us", "UTC"), some(times)
    yield "list", pyarrow.list_(pyarrow.int32()), some(some(range(row % 4)) for row in rows)
    pairs = pyarrow.map_(pyarrow.string(), pyarrow.int64())
    yield "map", pairs, some([(f"{row % 7}{key}", dice.randrange(9)) for key in range(row % 3)] for row in rows)
    yield "row", STRUCT, some(struct() for _ in rows)
    yield "rows", pyarrow.list_(STRUCT), some(some(struct() for _ in range(row % 3)) for row in rows)
    deep = pyarrow.struct([("inner", STRUCT), ("list", pyarrow.list_(pyarrow.list_(pyarrow.bool_())))])
    lists = (some(some([True, False][: row % 3]) for _ in range(row % 2)) for row in rows)
    yield "deep", deep, some({"inner": some([struct()])[0], "list": some([lists_of])[0]} for lists_of in lists)
    yield "nothing", pyarrow.int32(), [None for _ in rows]


def main():
    fields, arrays = [], []
    for name, data_type, values in columns():
        fields.append((name, data_type))
        arrays.append(pyarrow.array(list(values), data_type))
    table = pyarrow.table(arrays, pyarrow.schema(fields))
    pyarrow.parquet.write_table(table, f"{NAME}.parquet", compression="zstd")
    for compression in ("uncompressed", "zlib", "snappy", "lz4", "zstd"):
        pyarrow.orc.write_table(
            table.slice(0, ROWS if compression == "zstd" else 100),
            f"{NAME}-{compression}.orc",
            compression=compression,
            compression_block_size=65536 if compression == "zstd" else 1024,
            dictionary_key_size_threshold=0.5,
            stripe_size=16384,
            batch_size=256,
        )


main()
