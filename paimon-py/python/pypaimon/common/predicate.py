"""Conditions on rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pypaimon.exceptions import InvalidInputError

__all__ = ["Predicate"]

_OPERATORS = {
    "equal": "=",
    "notEqual": "!=",
    "lessThan": "<",
    "lessOrEqual": "<=",
    "greaterThan": ">",
    "greaterOrEqual": ">=",
}


@dataclass
class Predicate:
    """A condition, as `pypaimon.common.predicate_builder.PredicateBuilder` makes it.

    A row passes when the condition is true; comparisons with NULL are neither true nor false, so such rows do not
    pass, not even under NOT.

    Attributes:
        method: ``and``, ``or``, ``not``, or a test such as ``equal``, ``in``, ``startsWith``.
        index: Position of the column among the builder's fields; unused here.
        field: The column of a test.
        literals: The values of a test; the parts of ``and``, ``or`` and ``not``.
    """

    method: str
    index: int | None = None
    field: str | None = None
    literals: Sequence[Any] | None = None

    def to_tree(self) -> tuple[Any, ...]:
        """The form that `_native.NativeTable.predicate` takes."""
        literals = list(self.literals or ())
        if self.method in ("and", "or"):
            return self.method, [part.to_tree() for part in literals]
        if self.method == "not":
            return "not", literals[0].to_tree()
        if self.field is None:
            raise InvalidInputError(f"predicate '{self.method}' names no column")
        return "leaf", self.method, self.field, literals

    def field_names(self) -> set[str]:
        """The columns that the condition names."""
        if self.method in ("and", "or", "not"):
            return {name for part in self.literals or () for name in part.field_names()}
        return set() if self.field is None else {self.field}

    def __and__(self, other: Predicate) -> Predicate:
        return Predicate("and", literals=[self, other])

    def __or__(self, other: Predicate) -> Predicate:
        return Predicate("or", literals=[self, other])

    def __invert__(self) -> Predicate:
        return Predicate("not", literals=[self])

    def __str__(self) -> str:
        literals = list(self.literals or ())
        if self.method in ("and", "or"):
            return f" {self.method.upper()} ".join(f"({part})" for part in literals)
        if self.method == "not":
            return f"NOT ({literals[0]})"
        shown = [_literal(value) for value in literals]
        if self.method in _OPERATORS:
            return f"{self.field} {_OPERATORS[self.method]} {shown[0]}"
        if self.method in ("isNull", "isNotNull"):
            return f"{self.field} IS {'NOT ' if self.method == 'isNotNull' else ''}NULL"
        if self.method in ("in", "notIn"):
            return f"{self.field} {'NOT ' if self.method == 'notIn' else ''}IN [{', '.join(shown)}]"
        if self.method in ("between", "notBetween"):
            return f"{self.field} {'NOT ' if self.method == 'notBetween' else ''}BETWEEN {shown[0]} AND {shown[1]}"
        return f"{self.field} {self.method.upper()} {', '.join(shown)}"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "\\'") + "'"
    if isinstance(value, bytes):
        return f"b'{value.hex()}'"
    return repr(value)
