"""Append tables of all types, in each format, and times as ORC keeps them."""

import datetime
import random

from java_values import ATOMS, NESTED, column, key_reads

from java_append.rows import typed_rows_of


def all_types(table, file_format, without=()):
    """Every type that a file format takes, with NULLs, nested ones and the ends of what the types hold."""
    kinds = {kind: values for kind, values in ATOMS.items() if kind not in without}
    nested = {name: pair for name, pair in NESTED.items() if name not in without}
    columns = {"k": "BIGINT", **{column(kind): kind for kind in kinds}}
    columns |= {name: kind for name, (kind, _) in nested.items()}
    table.create(columns, options={"file.format": file_format})
    values = [*kinds.values(), *(values for _, values in nested.values())]
    depth = max(len(values) for values in values)
    table.write(*([k, *(values[k % len(values)] for values in values)] for k in range(depth)))
    table.write([depth, *(None for _ in values)], *typed_rows_of(values, depth + 1, 30))
    return key_reads(table, [{"filter": ["is null", name]} for name in list(columns)[1:]])


def types_parquet(table):
    return all_types(table, "parquet")


def types_avro(table):
    nanos = [kind for kind in ATOMS if kind.startswith("TIMESTAMP(9)")]
    return all_types(table, "avro", nanos)


def types_orc(table):
    return all_types(table, "orc")


def orc_codecs(table):
    """Each compression; integers in long runs, short runs and none, dictionaries, several stripes and row groups."""
    table.create(
        {"k": "BIGINT", "run": "INT", "step": "BIGINT", "wild": "BIGINT", "few": "STRING", "many": "STRING"},
        options={"file.format": "orc", "orc.row.index.stride": 1000},
    )
    source = random.Random(4)
    settings = [{"file.compression": codec} for codec in ("none", "zlib", "snappy", "lz4", "zstd")]
    settings.append({"orc.stripe.size": 4096, "orc.compress.size": 1024, "orc.dictionary.key.threshold": 0})
    for commit, options in enumerate(settings):
        rows = [
            [
                commit * 2000 + k,
                k // 100,
                None if k % 10 == 3 else k * 3,
                source.randrange(-(2**40), 2**40),
                ["a", "b", None][k % 3],
                f"{source.getrandbits(20):x}",
            ]
            for k in range(1050)
        ]
        table.ask("write", rows=rows, options={key: str(value) for key, value in options.items()})
    return key_reads(table, [{"filter": ["between", "run", 3, 4]}, {"filter": ["=", "k", 6049]}])


# Year, month, day, hour, minute, second, microseconds: the ends, turns of the calendar and of summer time, and the
# last second before 1970.
TIMES = [
    *((1, 1, 2), (1500, 2, 28), (1581, 12, 31), (1582, 10, 15), (1583, 1, 1), (1899, 12, 31, 23, 59, 59, 999999)),
    *((1901, 12, 14), (1945, 5, 24, 2, 30), (1969, 12, 31, 23, 59, 58, 500000), (1969, 12, 31, 23, 59, 59, 500000)),
    *((1970, 1, 1), (1970, 1, 1, 0, 0, 0, 1), (1986, 5, 4, 2, 30), (1991, 9, 15, 1, 30), (2015, 1, 1)),
    *(
        (2024, 3, 31, 2, 30),
        (2024, 10, 27, 2, 30, 0, 123456),
        (2100, 7, 1, 12),
        (2262, 4, 11),
        (9999, 12, 30, 23, 59, 59, 999000),
    ),
]


def orc_times(table, **options):
    """Times of all years, with and without time zone, as the writer's time zone and calendar move them."""
    kinds = [f"TIMESTAMP({precision}){zone}" for zone in ("", " WITH LOCAL TIME ZONE") for precision in (0, 3, 6, 9)]
    names = [column(kind.replace(" WITH LOCAL TIME ZONE", "_ltz")) for kind in kinds]
    table.create({"k": "BIGINT", **dict(zip(names, kinds)), "d": "DATE"}, options={"file.format": "orc", **options})
    epoch = datetime.datetime(1970, 1, 1)
    rows = []
    for k, parts in enumerate(TIMES):
        time = datetime.datetime(*parts)
        micros = (time - epoch) // datetime.timedelta(microseconds=1)
        units = [micros - micros % unit for unit in (1_000_000, 1000, 1)]
        units.append(micros if 1678 <= time.year < 2262 else None)  # what nanoseconds in 64 bits hold
        rows.append([k, *units, *units, (time.date() - epoch.date()).days])
    table.write(*rows, [len(rows), *(None for _ in kinds), None])
    asked = [["=", "d", rows[9][-1]], ["<", names[2], 0], [">=", names[6], rows[10][7]]]
    return key_reads(table, [{"filter": filter} for filter in asked])


def orc_times_utc(table):
    return orc_times(table)


def orc_times_instants(table):
    return orc_times(table, **{"orc.timestamp-ltz.legacy.type": "false"})


def orc_times_berlin(table):
    return orc_times(table)


def orc_times_shanghai(table):
    return orc_times(table)


ZONES = {orc_times_berlin: "Europe/Berlin", orc_times_shanghai: "Asia/Shanghai"}


TABLES = (types_parquet, types_avro, types_orc, orc_codecs, orc_times_utc, orc_times_instants, *ZONES)
