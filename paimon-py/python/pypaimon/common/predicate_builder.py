"""Builds conditions on the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pypaimon.common.predicate import Predicate
from pypaimon.exceptions import InvalidInputError
from pypaimon.schema.data_types import DataField

__all__ = ["PredicateBuilder"]


class PredicateBuilder:
    """Makes `Predicate` objects; every method names a column and the values to compare it with.

    Values are Python's own: int, float, bool, str, bytes, `decimal.Decimal`, `datetime.date`, `time`, `datetime`. A
    value that the column's type cannot hold is compared exactly all the same (``id < 2.5`` keeps 2).

    Example:
        >>> builder = table.new_read_builder().new_predicate_builder()  # doctest: +SKIP
        >>> large = builder.greater_than("amount", 100)  # doctest: +SKIP
        >>> builder.and_predicates([builder.equal("region", "EU"), large])  # doctest: +SKIP
    """

    def __init__(self, row_field: Sequence[DataField]) -> None:
        self.field_names = [field.name for field in row_field]

    def equal(self, field: str, literal: Any) -> Predicate:
        """``field = literal``."""
        return self._leaf("equal", field, [literal])

    def not_equal(self, field: str, literal: Any) -> Predicate:
        """``field != literal``."""
        return self._leaf("notEqual", field, [literal])

    def less_than(self, field: str, literal: Any) -> Predicate:
        """``field < literal``."""
        return self._leaf("lessThan", field, [literal])

    def less_or_equal(self, field: str, literal: Any) -> Predicate:
        """``field <= literal``."""
        return self._leaf("lessOrEqual", field, [literal])

    def greater_than(self, field: str, literal: Any) -> Predicate:
        """``field > literal``."""
        return self._leaf("greaterThan", field, [literal])

    def greater_or_equal(self, field: str, literal: Any) -> Predicate:
        """``field >= literal``."""
        return self._leaf("greaterOrEqual", field, [literal])

    def is_null(self, field: str) -> Predicate:
        """``field IS NULL``."""
        return self._leaf("isNull", field, [])

    def is_not_null(self, field: str) -> Predicate:
        """``field IS NOT NULL``."""
        return self._leaf("isNotNull", field, [])

    def startswith(self, field: str, pattern_literal: str) -> Predicate:
        """The text starts with `pattern_literal`."""
        return self._leaf("startsWith", field, [pattern_literal])

    def endswith(self, field: str, pattern_literal: str) -> Predicate:
        """The text ends with `pattern_literal`."""
        return self._leaf("endsWith", field, [pattern_literal])

    def contains(self, field: str, pattern_literal: str) -> Predicate:
        """The text contains `pattern_literal`."""
        return self._leaf("contains", field, [pattern_literal])

    def like(self, field: str, pattern_literal: str) -> Predicate:
        """SQL ``LIKE``: ``%`` stands for any text, ``_`` for one character."""
        return self._leaf("like", field, [pattern_literal])

    def is_in(self, field: str, literals: Iterable[Any]) -> Predicate:
        """The value is one of `literals`, of which there may be any number."""
        return self._leaf("in", field, list(literals))

    def is_not_in(self, field: str, literals: Iterable[Any]) -> Predicate:
        """The value is not NULL and none of `literals`."""
        return self._leaf("notIn", field, list(literals))

    def between(self, field: str, included_lower_bound: Any, included_upper_bound: Any) -> Predicate:
        """``lower <= field <= upper``."""
        return self._leaf("between", field, [included_lower_bound, included_upper_bound])

    def not_between(self, field: str, included_lower_bound: Any, included_upper_bound: Any) -> Predicate:
        """``field < lower`` or ``field > upper``."""
        return self._leaf("notBetween", field, [included_lower_bound, included_upper_bound])

    @staticmethod
    def and_predicates(predicates: Sequence[Predicate]) -> Predicate | None:
        """All of them; ``None`` when there are none."""
        return _join("and", predicates)

    @staticmethod
    def or_predicates(predicates: Sequence[Predicate]) -> Predicate | None:
        """One of them; ``None`` when there are none."""
        return _join("or", predicates)

    @staticmethod
    def not_predicate(predicate: Predicate) -> Predicate:
        """The opposite; rows for which `predicate` is unknown because of a NULL do not pass either."""
        return ~predicate

    def _leaf(self, method: str, field: str, literals: list[Any]) -> Predicate:
        if field not in self.field_names:
            raise InvalidInputError(f"The field {field} is not in field list {self.field_names}.")
        return Predicate(method, self.field_names.index(field), field, literals)


def _join(method: str, predicates: Sequence[Predicate]) -> Predicate | None:
    if len(predicates) < 2:
        return predicates[0] if predicates else None
    return Predicate(method, literals=list(predicates))
