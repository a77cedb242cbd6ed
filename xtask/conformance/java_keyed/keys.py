"""Keys of every type."""

import random

from java_values import column

from java_keyed.tables import keyed, ordered, states


def keys(table, *kinds, **options):
    """A key of a column of each type, upserted in overlapping runs."""
    source = random.Random(5)
    made = sorted({tuple(source.choice(ordered(kind)) for kind in kinds) for _ in range(48)})
    names = [column(kind) for kind in kinds]
    columns = {"v": "BIGINT", **{name: f"{kind} NOT NULL" for name, kind in zip(names, kinds)}}
    keyed(table, columns, {"bucket": 2, **options}, names)
    rows = [[v, *key] for v, key in enumerate(made)]
    table.write(*rows)
    table.write(*([1000 + v, *key] for v, *key in rows[::3]))
    table.compact()
    table.upsert(*(["-D" if v % 4 else "+U", 2000 + v, *key] for v, *key in rows[::5]))
    table.write(*([3000 + v, *key] for v, *key in rows[::7]))
    return states(table)


def keys_integers(table):
    return keys(table, "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT")


def keys_floats(table):
    return keys(table, "FLOAT", "DOUBLE")


def keys_decimals(table):
    return keys(table, "DECIMAL(38, 10)", "DECIMAL(9, 2)", "DECIMAL(18, 4)", **{"file.format": "orc"})


def keys_texts(table):
    return keys(table, "VARCHAR(20)", "CHAR(5)", "STRING", **{"file.format": "avro"})


def keys_binaries(table):
    return keys(table, "BYTES", "BINARY(2)")


def keys_times(table):
    return keys(table, "TIMESTAMP(9)", "TIMESTAMP(6)", "TIMESTAMP(3)", "TIMESTAMP(0)", "TIME(3)", "DATE")


def keys_instants(table):
    zone = " WITH LOCAL TIME ZONE"
    return keys(table, *(f"TIMESTAMP({precision}){zone}" for precision in (0, 3, 6, 9)))


def keys_thin(table):
    kinds = ["DATE", "STRING", "DECIMAL(9, 2)", "BOOLEAN", "TIME(3)"]
    return keys(table, *kinds, **{"data-file.thin-mode": "true", "file.format": "orc"})


TABLES = [
    *(keys_integers, keys_floats, keys_decimals, keys_texts, keys_binaries, keys_times, keys_instants),
    keys_thin,
]
