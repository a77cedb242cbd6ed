"""What filters become: exact predicates, wider ones, or nothing."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import daft
import pyarrow as pa
import pytest
from daft import DataType, col, lit
from daft.schema import Schema

from pypaimon.daft.expression import parse, required_columns
from pypaimon.daft.predicate import convert

FIELDS = pa.schema(
    [
        ("i", pa.int32()),
        ("l", pa.int64()),
        ("f", pa.float64()),
        ("f32", pa.float32()),
        ("dec", pa.decimal128(10, 2)),
        ("day", pa.date32()),
        ("ms", pa.timestamp("ms")),
        ("us", pa.timestamp("us")),
        ("ns", pa.timestamp("ns")),
        ("ltz", pa.timestamp("us", "UTC")),
        ("time", pa.time64("us")),
        ("text", pa.string()),
        ("raw", pa.binary()),
        ("flag", pa.bool_()),
        ("st", pa.struct([("a", pa.int32())])),
    ]
)
SCHEMA = Schema.from_pyarrow_schema(FIELDS)
DAY = dt.date(2024, 1, 2)
MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5)


def leaf(test: str, column: str, *literals: Any) -> tuple[Any, ...]:
    return ("leaf", test, column, list(literals))


@pytest.mark.parametrize(
    ("expr", "tree"),
    [
        (col("i") == 1, leaf("equal", "i", 1)),
        (lit(1) < col("i"), leaf("greaterThan", "i", 1)),
        (~(col("i") > 1), leaf("lessOrEqual", "i", 1)),
        (col("i").is_in([1, None]), leaf("in", "i", 1)),
        (~col("i").is_in([1, 2]), leaf("notIn", "i", 1, 2)),
        (col("i") == 2.0, leaf("equal", "i", 2)),
        (col("i").between(1, 2), ("and", [leaf("greaterOrEqual", "i", 1), leaf("lessOrEqual", "i", 2)])),
        (~col("i").between(1, 2), ("or", [leaf("lessThan", "i", 1), leaf("greaterThan", "i", 2)])),
        (col("i").eq_null_safe(None), leaf("isNull", "i")),
        (~col("i").eq_null_safe(1), ("or", [leaf("notEqual", "i", 1), leaf("isNull", "i")])),
        (~((col("i") == 1) & col("st").is_null()), ("or", [leaf("notEqual", "i", 1), leaf("isNotNull", "st")])),
        (~((col("i") == 1) | (col("text") == "")), ("and", [leaf("notEqual", "i", 1), leaf("notEqual", "text", "")])),
        (col("flag"), leaf("equal", "flag", True)),
        (~col("flag"), leaf("equal", "flag", False)),
        (col("i").alias("x") == 1, leaf("equal", "i", 1)),
        (col("f") > 1, leaf("greaterThan", "f", 1.0)),
        (col("f32") > 0.5, leaf("greaterThan", "f32", 0.5)),
        (col("dec") == Decimal("1.1"), leaf("equal", "dec", Decimal("1.10"))),
        (col("dec") > 1, leaf("greaterThan", "dec", Decimal("1.00"))),
        (col("day") == DAY, leaf("equal", "day", DAY)),
        (col("day") >= "2024-01-02", leaf("greaterOrEqual", "day", DAY)),
        (col("day") >= lit("2024-01-02").cast(DataType.date()), leaf("greaterOrEqual", "day", DAY)),
        (col("us") < MOMENT, leaf("lessThan", "us", MOMENT)),
        (
            col("ltz") == MOMENT.replace(tzinfo=dt.timezone.utc),
            leaf("equal", "ltz", MOMENT.replace(tzinfo=dt.timezone.utc)),
        ),
        (col("text").startswith("a"), leaf("startsWith", "text", "a")),
        (~col("text").contains("a"), ("not", leaf("contains", "text", "a"))),
        (col("raw") == b"", leaf("equal", "raw", b"")),
        ((col("i") == 1) & (col("i") == 1), leaf("equal", "i", 1)),
    ],
    ids=str,
)
def test_an_exact_filter_is_pushed(expr: daft.Expression, tree: tuple[Any, ...]) -> None:
    converted = convert(expr, SCHEMA, FIELDS)
    assert (converted.tree, converted.exact, converted.residual) == (tree, True, [])
    assert len(converted.pushed) == 1


@pytest.mark.parametrize(
    ("expr", "tree"),
    [
        (col("i") > 1.5, leaf("greaterThan", "i", 1)),
        (col("i") == 1.5, ("and", [leaf("greaterThan", "i", 1), leaf("lessThan", "i", 2)])),
        (col("i") != 1.5, leaf("isNotNull", "i")),
        (col("day") < MOMENT, leaf("lessThan", "day", dt.date(2024, 1, 3))),
        (col("us") >= DAY, leaf("greaterThan", "us", dt.datetime(2024, 1, 1))),
        (col("ns") > MOMENT, leaf("greaterThan", "ns", MOMENT - dt.timedelta(microseconds=1))),
        (col("ms") <= MOMENT.replace(microsecond=1), leaf("lessThan", "ms", MOMENT.replace(microsecond=1001))),
        ((col("i") == 1) & (col("text").upper() == "A"), leaf("equal", "i", 1)),
        ((col("i") == 1) & (col("st")["a"] == 1), leaf("equal", "i", 1)),
        (
            ((col("i") == 1) & (col("st")["a"] == 1)) | (col("l") == 2),
            ("or", [leaf("equal", "i", 1), leaf("equal", "l", 2)]),
        ),
    ],
    ids=str,
)
def test_a_wider_predicate_prunes_and_the_filter_stays_with_daft(expr: daft.Expression, tree: tuple[Any, ...]) -> None:
    converted = convert(expr, SCHEMA, FIELDS)
    assert (converted.tree, converted.exact) == (tree, False)
    assert len(converted.residual) == 1


@pytest.mark.parametrize(
    "expr",
    [
        col("i") == None,  # noqa: E711
        col("i") == 2**40,
        col("i") == True,  # noqa: E712
        col("f") == float("nan"),
        col("f32") == 0.1,
        col("dec") == Decimal("1.105"),
        col("dec") == 1.1,
        col("us") == MOMENT.replace(tzinfo=dt.timezone.utc),
        col("ltz") == MOMENT,
        col("time") == dt.time(1, 2, 3, 4),
        col("i") == col("l"),
        col("i") + 1 == 2,
        col("i").cast(DataType.string()) == "1",
        col("st")["a"] == 1,
        (col("i") == 1) ^ col("flag"),
        (col("i") == 1) | (col("text").upper() == "A"),
        ~col("i").is_in([1, None]),
        col("i").is_in([]),
        col("unknown") == 1,
        lit(False),
    ],
    ids=str,
)
def test_anything_else_is_left_to_daft(expr: daft.Expression) -> None:
    converted = convert(expr, SCHEMA, FIELDS)
    assert (converted.tree, converted.exact, len(converted.residual)) == (None, False, 1)


@pytest.mark.parametrize(
    ("expr", "columns"),
    [
        (col("i").is_in(list(range(10))), {"i"}),
        (col("st")["a"] == 1, {"st"}),
        ((col("st")["a"] == 1) & (col("i") > col("l")), {"st", "i", "l"}),
        (col("st")["a"] + col("i") == 1, {"st", "i"}),
        (col("text").upper() == "A", {"text"}),
        (lit(True), set()),
    ],
    ids=str,
)
def test_the_columns_of_a_filter_are_known(expr: daft.Expression, columns: set[str]) -> None:
    assert required_columns(parse(expr), SCHEMA) == columns


def test_a_tree_that_cannot_be_bound_is_left_to_daft() -> None:
    converted = convert((col("i") == 1) & (col("l") == 2), SCHEMA, FIELDS, lambda tree: tree[2] != "l")
    assert converted.tree == leaf("equal", "i", 1)
    assert (len(converted.pushed), len(converted.residual)) == (1, 1)


def test_very_deep_filters_are_converted_or_left_to_daft() -> None:
    expr = col("i") == 0
    for value in range(3000):
        expr = expr | (col("i") == value)
    assert convert(expr, SCHEMA, FIELDS).columns == {"i"}
