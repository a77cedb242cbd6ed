"""Every filter gives the rows that Daft gives in memory, whichever reader takes the files."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import daft
import pyarrow as pa
import pytest
from daft import DataType, col, lit

from daft_connector.tables import rows_of
from pypaimon.daft import explain_paimon_scan, read_paimon

UTC = dt.timezone.utc
NAN = math.nan
MOMENT = dt.datetime(2024, 1, 1, 12, 30, 15, 250_000)

#: Column -> type and the values that its rows are drawn from (NULL is drawn too).
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "i8": (pa.int8(), [-128, -1, 0, 1, 2, 127]),
    "i32": (pa.int32(), [-(2**31), -1, 0, 1, 2, 3, 100]),
    "i64": (pa.int64(), [-(2**63), -1, 0, 1, 2, 2**53, 2**53 + 1, 2**63 - 1]),
    "f32": (pa.float32(), [NAN, -math.inf, -1.5, -0.0, 0.0, 0.5, 1.0, math.inf]),
    "f64": (pa.float64(), [NAN, -math.inf, -1.5, -0.0, 0.0, 0.1, 1.0, 5.0, math.inf]),
    "dec": (pa.decimal128(10, 2), [Decimal("-1.10"), Decimal("0.00"), Decimal("1.10"), Decimal("99999999.99")]),
    "day": (pa.date32(), [dt.date(1969, 12, 31), dt.date(1970, 1, 1), dt.date(2024, 1, 1), dt.date(2024, 1, 2)]),
    "s": (pa.timestamp("s"), [MOMENT.replace(microsecond=0), dt.datetime(1969, 12, 31, 23, 59, 59)]),
    "ms": (pa.timestamp("ms"), [MOMENT, dt.datetime(1969, 12, 31, 23, 59, 59, 999_000), dt.datetime(2024, 1, 1)]),
    "us": (pa.timestamp("us"), [MOMENT + dt.timedelta(microseconds=1), MOMENT, dt.datetime(2024, 1, 1)]),
    "ns": (pa.timestamp("ns"), [MOMENT, MOMENT + dt.timedelta(microseconds=1), dt.datetime(1969, 12, 31, 23, 59, 59)]),
    "ltz": (pa.timestamp("us", "UTC"), [MOMENT.replace(tzinfo=UTC), dt.datetime(1970, 1, 1, tzinfo=UTC)]),
    "text": (pa.string(), ["", "a", "ab", "b", "é", "a%", "zz"]),
    "raw": (pa.binary(), [b"", b"a", b"ab", b"\xff"]),
    "flag": (pa.bool_(), [True, False]),
    "st": (pa.struct([("a", pa.int32()), ("b", pa.string())]), [{"a": 1, "b": "x"}, {"a": None, "b": ""}]),
}

Pair = tuple[Callable[..., daft.DataFrame], daft.DataFrame]


def random_rows(rng: random.Random, count: int) -> pa.Table:
    def draw(values: list[Any]) -> list[Any]:
        return [None if rng.random() < 0.15 else rng.choice(values) for _ in range(count)]

    arrays = {name: pa.array(draw(values), kind) for name, (kind, values) in COLUMNS.items()}
    return pa.table({"id": pa.array(range(count), pa.int32()), **arrays})


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    """Tables of several files: with and without partitions, with and without dictionary-friendly statistics."""
    import pypaimon

    rng = random.Random(7)
    options = {"warehouse": str(tmp_path_factory.mktemp("warehouse"))}
    catalog = pypaimon.CatalogFactory.create(options)
    catalog.create_database("db", ignore_if_exists=True)
    made: dict[str, Pair] = {}
    for name, keys, table_options in (
        ("plain", [], {}),
        ("full_stats", [], {"metadata.stats-mode": "full"}),
        ("parts", ["text", "day"], {}),
        ("avro", [], {"file.format": "avro"}),
    ):
        commits = [random_rows(rng, 40) for _ in range(3)]
        # A file of few values has statistics that tell much: [1.0, NaN] alone is where pruning by them goes wrong.
        commits.append(commits[0].slice(0, 2).set_column(5, "f64", pa.array([1.0, NAN])))
        if name == "avro":  # Avro files hold no nanoseconds
            commits = [rows.drop_columns("ns") for rows in commits]
        schema = pypaimon.Schema.from_pyarrow_schema(commits[0].schema, partition_keys=keys, options=table_options)
        catalog.create_table(f"db.{name}", schema, ignore_if_exists=False)
        builder = catalog.get_table(f"db.{name}").new_batch_write_builder()
        for rows in commits:
            write, commit = builder.new_write(), builder.new_commit()
            write.write_arrow(rows)
            commit.commit(write.prepare_commit())
            write.close()
        memory = daft.from_arrow(pa.concat_tables(commits))

        def read(name: str = name, **read_options: Any) -> daft.DataFrame:
            return read_paimon(f"db.{name}", options, **read_options)

        made[name] = (read, memory)
    return made


#: The oracle's list: each expression over the columns above.
ORACLE = [
    col("i32").cast(DataType.string()) == "1",
    col("i32") + 1 == 2,
    col("i32").eq_null_safe(None),
    col("i32").eq_null_safe(1),
    ~col("i32").eq_null_safe(1),
    col("i32") % 2 == 0,
    col("i32") == col("i32"),
    lit(True),
    col("flag"),
    ~col("flag"),
    col("flag") == True,  # noqa: E712
    col("flag") != False,  # noqa: E712
    col("i32").is_in([1, None]),
    ~col("i32").is_in([1, None]),
    col("i32").is_in([1, 2, 3, 4, 5, 6]),
    ~col("i32").is_in([1, 2, 3, 4, 5, 6]),
    col("i32").is_in([]),
    ~col("i32").is_in([]),
    col("i32").is_in(list(range(5000))),
    col("i32").between(0, 2),
    ~col("i32").between(0, 2),
    ~(col("i32") == 1),
    lit(1) == col("i32"),
    lit(1) > col("i32"),
    (col("i32") == 1) | (col("text") == "a"),
    ~(col("i32") > 1),
    ~((col("i32") > 0) & (col("text") == "a")),
    ~((col("i32") > 0) | (col("text") == "a")),
    (col("i32") == 1) ^ col("flag"),
    col("i32") == 1.5,
    col("i32") < 2.5,
    col("i32") != 1.5,
    col("i8") == 300,
    col("i8") < 300,
    col("i64") == float(2**53),
    col("i64") <= float(2**53),
    col("i64") == 2**53 + 1,
    col("i32") == None,  # noqa: E711
    (col("i32") == None) | (col("i32") == 1),  # noqa: E711
    col("f64") > 1,
    col("f64") != 1.0,
    col("f64") == 0.0,
    col("f64") == -0.0,
    col("f64") < 0.0,
    col("f64") >= 0.0,
    ~(col("f64") > 5),
    col("f64") == NAN,
    col("f64") <= NAN,
    col("f64").is_in([NAN, 1.0]),
    col("f64").between(-math.inf, math.inf),
    col("f64") == 0.1,
    col("f32") == 0.1,
    col("f32") == 0.5,
    col("f32") > 0,
    col("text") > "a",
    col("text") == "",
    col("text").is_in(["a", ""]),
    col("text") != "a",
    col("text").startswith("a"),
    ~col("text").startswith("a"),
    col("text").endswith("b"),
    col("text").contains(""),
    col("text").upper() == "AB",
    (col("text").upper() == "AB") | (col("i32") == 1),
    col("raw") == b"",
    col("raw") > b"a",
    col("day") == dt.date(2024, 1, 1),
    col("day") >= dt.datetime(2024, 1, 1, 12),
    col("day") < dt.datetime(2024, 1, 1, 12),
    col("day") == dt.datetime(2024, 1, 1, 12),
    col("day") != dt.datetime(2024, 1, 1, 12),
    col("day") == "2024-01-01",
    col("day").is_in([dt.date(2024, 1, 1)]),
    col("us") == MOMENT,
    col("us") >= lit("2024-01-01").cast(DataType.timestamp("us")),
    col("us") >= dt.date(2024, 1, 1),
    col("us") == dt.date(2024, 1, 1),
    col("s") == MOMENT,
    col("s") <= MOMENT,
    col("ms") == MOMENT + dt.timedelta(microseconds=1),
    col("ms") < MOMENT + dt.timedelta(microseconds=1),
    col("ns") == MOMENT,
    col("ns") > MOMENT,
    ~(col("ns") > MOMENT),
    col("ltz") == MOMENT.replace(tzinfo=UTC),
    col("ltz") < dt.datetime(2024, 1, 1, 13, 0, tzinfo=dt.timezone(dt.timedelta(hours=1))),
    col("dec") > 1,
    col("dec") == Decimal("1.10"),
    col("dec") == 1.1,
    ~col("dec").is_in([Decimal("1.10")]),
    col("st").is_null(),
    col("st")["a"] == 1,
    col("st")["a"].is_null(),
    (col("st")["a"] == 1) & (col("i32") > 0),
    (col("st")["a"] == 1) | (col("i32") > 0),
]


def check(pair: Pair, expr: daft.Expression) -> bool:
    """Compares all routes with memory; False when Daft itself refuses the expression."""
    read, memory = pair
    try:
        wanted = rows_of(memory.where(expr))
    except Exception:  # Daft finds the expression ill-typed; then there is nothing to compare
        return False
    ids = sorted(row[0] for row in wanted)
    for reader in ("auto", "paimon"):
        frame = read(reader=reader).where(expr)
        assert rows_of(frame) == wanted, (reader, str(expr))
        # A projection leaves the filter's columns to the source; a limit and a count have pushdowns of their own.
        assert sorted(frame.select("id").to_pydict()["id"]) == ids, (reader, "projected", str(expr))
        assert frame.count_rows() == len(ids), (reader, "counted", str(expr))
        some = frame.limit(3).to_pydict()["id"]
        assert len(some) == min(3, len(ids)) and set(some) <= set(ids), (reader, "limited", str(expr))
    return True


@pytest.mark.parametrize("table", ["plain", "full_stats", "parts", "avro"])
@pytest.mark.parametrize("expr", ORACLE, ids=str)
def test_the_oracles_expressions_give_daft_s_own_rows(
    tables: dict[str, Pair], table: str, expr: daft.Expression
) -> None:
    check(tables[table], expr)


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("table", ["plain", "parts"])
def test_random_expressions_give_daft_s_own_rows(tables: dict[str, Pair], table: str, seed: int) -> None:
    rng = random.Random(seed)
    compared = 0
    while compared < 10:
        compared += check(tables[table], random_expression(rng, depth=rng.choice([0, 1, 1, 2, 3])))


def random_expression(rng: random.Random, depth: int) -> daft.Expression:
    if depth:
        left, right = (random_expression(rng, depth - 1) for _ in range(2))
        return rng.choice([lambda: left & right, lambda: left | right, lambda: ~left])()
    name = rng.choice(list(COLUMNS))
    column, values = col(name), COLUMNS[name][1]
    if name == "st":
        return rng.choice(
            [column.is_null(), column.not_null(), column["a"] == 1, column["b"] == "", column["a"].is_null()]
        )
    odd = [2.5, 1, 0.0, dt.date(2024, 1, 1), MOMENT, "a", "2024-01-01", Decimal("1.1"), None, True]
    value, other = (rng.choice(values if rng.random() < 0.8 else odd) for _ in range(2))
    comparisons: list[Callable[[], daft.Expression]] = [
        lambda: column == value,
        lambda: column != value,
        lambda: column < value,
        lambda: column <= value,
        lambda: column > value,
        lambda: column >= value,
        lambda: lit(value) < column,
        lambda: column.between(value, other),
        lambda: column.is_in(rng.choices(values, k=rng.choice([1, 3, 7]))),
        lambda: column.is_null(),
        lambda: column.not_null(),
        lambda: column.eq_null_safe(value),
        lambda: column == column,
        lambda: column.cast(DataType.string()) == "1",
    ]
    return rng.choice(comparisons)()


def test_explaining_any_expression_never_raises(
    tables: dict[str, Pair], tmp_path_factory: pytest.TempPathFactory
) -> None:
    options = {"warehouse": str(next(tmp_path_factory.getbasetemp().glob("warehouse*")))}
    for expr in ORACLE:
        explained = explain_paimon_scan("db.plain", options, filters=[expr], columns=["id"])
        assert explained.pushed_filters or explained.remaining_filters
