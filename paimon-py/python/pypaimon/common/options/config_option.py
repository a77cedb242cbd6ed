"""Typed keys of options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Generic, TypeVar

from pypaimon.exceptions import InvalidInputError

__all__ = ["ConfigOption"]

T = TypeVar("T")

_SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_DURATIONS = {"ms": 0.001, "s": 1, "": 0.001, "min": 60, "m": 60, "h": 3600, "d": 86400}


class ConfigOption(Generic[T]):
    """An option's key, type and default.

    Args:
        key: As in a table's options.
        kind: ``bool``, ``int``, ``str``, ``bytes`` for sizes such as ``128 mb`` (read as int), or `timedelta`.
        default: What holds when it is not set.
    """

    def __init__(self, key: str, kind: type, default: T) -> None:
        self._key = key
        self._kind = kind
        self._default = default

    def key(self) -> str:
        """The key."""
        return self._key

    def default_value(self) -> T:
        """What holds when it is not set."""
        return self._default

    def has_default_value(self) -> bool:
        """Whether there is a default."""
        return self._default is not None

    def read(self, options: Mapping[str, str], default: Any = None) -> T | Any:
        """The typed value among `options`.

        Raises:
            InvalidInputError: The text is no value of the type.
        """
        text = options.get(self._key)
        if text is None:
            return self._default if default is None else default
        value = self._parse(str(text).strip())
        if value is None:
            wanted = {timedelta: "a duration such as '7 d'", bytes: "a size such as '128 mb'"}.get(
                self._kind, self._kind.__name__
            )
            raise InvalidInputError(f"option '{self._key}': expected {wanted}, found '{text}'")
        return value

    def _parse(self, text: str) -> Any:
        if self._kind is str:
            return text
        if self._kind is bool:
            return {"true": True, "false": False}.get(text.lower())
        if self._kind is int:
            return int(text) if re.fullmatch(r"[+-]?\d+", text) else None
        found = re.fullmatch(r"(\d+)\s*([a-z]*)", text.lower())
        if found is None:
            return None
        number, unit = int(found[1]), found[2]
        if self._kind is timedelta:
            unit = {"millis": "ms", "sec": "s", "second": "s", "minute": "min", "hour": "h", "day": "d"}.get(
                unit.rstrip("s") if len(unit) > 2 else unit, unit
            )
            return timedelta(seconds=number * _DURATIONS[unit]) if unit in _DURATIONS else None
        unit = unit.removesuffix("bytes").removesuffix("b") if unit != "b" else unit
        return number * _SIZES[unit] if unit in _SIZES else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ConfigOption) and (self._key, self._default) == (other._key, other._default)

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"ConfigOption('{self._key}', default={self._default!r})"
