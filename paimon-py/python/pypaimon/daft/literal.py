"""Literals of filters, brought to the type of the column they are compared with.

Daft compares values of two types by casting one of them, and not always the literal: a DATE column against a datetime
cuts the time off the literal, a nanosecond column is cut to the microseconds of the literal. ``coerce`` gives the
literal as the column's own type when that is exactly the same question, or two values it certainly lies between.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

_DAY = dt.timedelta(days=1)
_UNITS = {"s": dt.timedelta(seconds=1), "ms": dt.timedelta(milliseconds=1)}
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Coerced:
    """A literal of the column's type: ``value`` exactly or, where None, strictly between ``low`` and ``high``."""

    value: Any = None
    low: Any = None
    high: Any = None

    @property
    def exact(self) -> bool:
        """Whether ``value`` stands for the literal."""
        return self.value is not None


def coerce(value: Any, column: pa.DataType) -> Coerced | None:
    """The literal as a value of the column's type; ``None``: leave the comparison to Daft."""
    try:
        return _coerce(value, column)
    except (ArithmeticError, ValueError):  # out of the range of dates or decimals
        return None


def _coerce(value: Any, column: pa.DataType) -> Coerced | None:
    types = pa.types
    if isinstance(value, bool):
        return Coerced(value) if types.is_boolean(column) else None
    if types.is_string(column) or types.is_large_string(column):
        return Coerced(value) if isinstance(value, str) else None
    if types.is_binary(column) or types.is_large_binary(column) or types.is_fixed_size_binary(column):
        return Coerced(value) if isinstance(value, bytes) else None
    if types.is_integer(column):
        return _integer(value, column)
    if types.is_floating(column):
        return _floating(value, column)
    if types.is_decimal(column):
        return _decimal(value, column)
    if types.is_date(column):
        return _date(value)
    if types.is_timestamp(column):
        return _timestamp(value, column)
    if types.is_time(column):
        whole_millis = isinstance(value, dt.time) and value.tzinfo is None and value.microsecond % 1000 == 0
        return Coerced(value) if whole_millis else None
    return None


def _integer(value: Any, column: pa.DataType) -> Coerced | None:
    if isinstance(value, int):
        return Coerced(value) if -(1 << column.bit_width - 1) <= value < 1 << column.bit_width - 1 else None
    # Daft compares as float64, which is exact on this side of 2^53.
    if isinstance(value, float) and abs(value) < 1 << min(53, column.bit_width - 1):
        whole = math.floor(value)
        return Coerced(whole) if whole == value else Coerced(low=whole, high=whole + 1)
    return None


def _floating(value: Any, column: pa.DataType) -> Coerced | None:
    if isinstance(value, int):
        return _floating(float(value), column) if abs(value) <= 1 << 53 else None
    if not isinstance(value, float) or math.isnan(value):
        return None
    if column.bit_width < 64 and struct.unpack("f", struct.pack("f", value))[0] != value:
        return None  # Daft widens the column, not the literal
    return Coerced(value)


def _decimal(value: Any, column: pa.DataType) -> Coerced | None:
    if not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    if not number.is_finite():
        return None
    unscaled = number.scaleb(column.scale)
    whole = int(unscaled)
    fits = unscaled == whole and abs(whole) < 10**column.precision
    return Coerced(Decimal(whole).scaleb(-column.scale)) if fits else None


def _date(value: Any) -> Coerced | None:
    if isinstance(value, dt.datetime):
        day = value.date()
        return Coerced(low=day - _DAY, high=day + _DAY) if value.tzinfo is None else None
    if isinstance(value, dt.date):
        return Coerced(value)
    if isinstance(value, str) and _ISO_DATE.fullmatch(value):
        return Coerced(dt.date.fromisoformat(value))
    return None


def _timestamp(value: Any, column: pa.DataType) -> Coerced | None:
    if isinstance(value, dt.datetime):
        if (value.tzinfo is None) != (column.tz is None):
            return None
        point = value if value.tzinfo is None else value.astimezone(dt.timezone.utc)
        margin = _lost_units(point, column.unit)
        return Coerced(low=point - margin, high=point + margin) if margin else Coerced(point)
    if isinstance(value, dt.date) and column.tz is None:
        midnight = dt.datetime.combine(value, dt.time())
        return Coerced(low=midnight - _DAY, high=midnight + _DAY)
    return None


def _lost_units(point: dt.datetime, unit: str) -> dt.timedelta | None:
    """How far off a comparison of microseconds with a column of this unit may be; ``None``: not at all."""
    if unit == "us" or (unit == "ms" and point.microsecond % 1000 == 0) or (unit == "s" and point.microsecond == 0):
        return None
    return _UNITS.get(unit, dt.timedelta(microseconds=1))
