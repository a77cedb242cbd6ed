"""Daft filters as Paimon predicates.

A filter becomes two things: a predicate tree that keeps every row the filter keeps, and whether it keeps no other.
Daft applies row filters again above the scan, so a wider tree is a good prune; only LIMIT and the count need to know
that it is exact. What has no tree is left to Daft. Nothing here raises on an expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from daft.expressions import Expression
from daft.schema import Schema

from pypaimon.daft.expression import Node, conjuncts, parse, required_columns
from pypaimon.daft.literal import Coerced, coerce

#: ("and" | "or", [tree]) | ("not", tree) | ("leaf", test, column, [literal]): what ``NativeTable.predicate`` takes.
Tree = tuple[Any, ...]

_COMPARISONS = {
    "equal": "equal",
    "not_equal": "notEqual",
    "less_than": "lessThan",
    "less_than_or_equal": "lessOrEqual",
    "greater_than": "greaterThan",
    "greater_than_or_equal": "greaterOrEqual",
}
_SWAPPED = {
    "lessThan": "greaterThan",
    "lessOrEqual": "greaterOrEqual",
    "greaterThan": "lessThan",
    "greaterOrEqual": "lessOrEqual",
}
_NEGATED = {
    "equal": "notEqual",
    "notEqual": "equal",
    "lessThan": "greaterOrEqual",
    "lessOrEqual": "greaterThan",
    "greaterThan": "lessOrEqual",
    "greaterOrEqual": "lessThan",
}
_TEXT_TESTS = {"starts_with": "startsWith", "ends_with": "endsWith", "contains": "contains"}


@dataclass(frozen=True)
class Filter:
    """What became of a filter.

    ``tree`` keeps at least the rows that pass (``None``: all), and just those when ``exact``. ``conjuncts`` are the
    operands of the outermost ANDs; ``pushed`` those that the tree holds exactly, ``residual`` the others, as text.
    """

    tree: Tree | None = None
    exact: bool = True
    conjuncts: list[Expression] = field(default_factory=list)
    pushed: list[str] = field(default_factory=list)
    residual: list[str] = field(default_factory=list)
    columns: frozenset[str] = frozenset()


def convert(
    expr: Expression | None, schema: Schema, columns: pa.Schema, accepts: Callable[[Tree], bool] = lambda tree: True
) -> Filter:
    """Translates a filter over the columns of a table.

    Args:
        expr: The filter; ``None`` passes all rows.
        schema: The table's columns as Daft sees them.
        columns: The table's columns in Paimon's own Arrow types.
        accepts: Tells whether a tree can be bound to the table; one that cannot is left to Daft.
    """
    if expr is None:
        return Filter()
    node = parse(expr)
    parts = conjuncts(node)
    trees: list[Tree] = []
    pushed: list[str] = []
    residual: list[str] = []
    for part in parts:
        tree, exact = _translate(part, columns)
        if tree is not None and not accepts(tree):
            tree, exact = None, False
        if tree is not None:
            trees.append(tree)
        (pushed if exact else residual).append(str(part.expr))
    return Filter(
        tree=_join("and", trees) if trees else None,
        exact=not residual,
        conjuncts=[part.expr for part in parts],
        pushed=pushed,
        residual=residual,
        columns=frozenset(required_columns(node, schema)),
    )


#: A tree that keeps at least the right rows (None: no such tree), and whether it keeps just those.
_Translated = tuple[Any, bool]
_RESIDUAL: _Translated = (None, False)


def _translate(node: Node, columns: pa.Schema) -> _Translated:
    try:
        return _Translator(columns).translate(node, negated=False)
    except RecursionError:
        return _RESIDUAL


class _Translator:
    """Pushes NOT down to the tests (De Morgan holds in three-valued logic), so that each may be widened safely."""

    def __init__(self, columns: pa.Schema) -> None:
        self._columns = columns

    def translate(self, node: Node, negated: bool) -> _Translated:
        if node.kind == "column":  # a bare boolean
            return self._compare("equal", node, not negated) if self._is(node, pa.types.is_boolean) else _RESIDUAL
        if node.kind == "literal":
            return (("and", []), True) if node.value is not None and node.value is (not negated) else _RESIDUAL
        if node.kind != "call":
            return _RESIDUAL
        name, args = node.value, node.args
        if name == "not":
            return self.translate(args[0], not negated)
        if name in ("and", "or"):
            return self._combine("and" if (name == "and") != negated else "or", args, negated)
        if name in _COMPARISONS:
            return self._comparison(_COMPARISONS[name], args[0], args[1], negated)
        if name == "between":
            return self._between(args, negated)
        if args and args[0].kind != "column":
            return _RESIDUAL
        if name == "is_in":
            return self._is_in(
                args[0], [item.value if item.kind == "literal" else _NO_VALUE for item in args[1:]], negated
            )
        if name in ("is_null", "not_null"):
            return self._leaf("isNull" if (name == "is_null") != negated else "isNotNull", args[0])
        if name == "eq_null_safe" and args[1].kind == "literal":
            return self._null_safe(args[0], args[1].value, negated)
        if name in _TEXT_TESTS and len(args) == 2:
            return self._text_test(_TEXT_TESTS[name], args[0], args[1], negated)
        return _RESIDUAL

    def _combine(self, operator: str, args: list[Node], negated: bool) -> _Translated:
        parts = [self.translate(arg, negated) for arg in args]
        trees = [tree for tree, _ in parts if tree is not None]
        if operator == "or" and len(trees) < len(parts):
            return _RESIDUAL
        return (_join(operator, trees) if trees else None), all(exact for _, exact in parts)

    def _comparison(self, test: str, left: Node, right: Node, negated: bool) -> _Translated:
        if left.kind == "literal":
            left, right, test = right, left, _SWAPPED.get(test, test)
        if left.kind != "column" or right.kind != "literal":
            return _RESIDUAL
        return self._compare(_NEGATED[test] if negated else test, left, right.value)

    def _between(self, args: list[Node], negated: bool) -> _Translated:
        bounds = [("less_than", args[1]), ("greater_than", args[2])]
        if not negated:
            bounds = [("greater_than_or_equal", args[1]), ("less_than_or_equal", args[2])]
        parts = [self._comparison(_COMPARISONS[name], args[0], bound, False) for name, bound in bounds]
        trees = [tree for tree, _ in parts if tree is not None]
        if len(trees) < (2 if negated else 1):
            return _RESIDUAL
        return _join("or" if negated else "and", trees), all(exact for _, exact in parts)

    def _compare(self, test: str, column: Node, value: Any) -> _Translated:
        literal = self._coerce(column, value)
        if literal is None or (isinstance(value, bool) and test not in ("equal", "notEqual")):
            return _RESIDUAL
        if literal.exact:
            return self._leaf(test, column, literal.value)
        above = ("leaf", "greaterThan", column.value, [literal.low])
        below = ("leaf", "lessThan", column.value, [literal.high])
        if test == "equal":
            return ("and", [above, below]), False
        if test == "notEqual":
            return ("leaf", "isNotNull", column.value, []), False
        return (above if test.startswith("greater") else below), False

    def _is_in(self, column: Node, values: list[Any], negated: bool) -> _Translated:
        # NULL in the list matches nothing; NOT IN such a list is never true.
        known = [value for value in values if value is not None]
        if not known or (negated and len(known) < len(values)):
            return _RESIDUAL
        coerced = [self._coerce(column, value) for value in known]
        literals = [literal for literal in coerced if literal is not None]
        if len(literals) < len(known):
            return _RESIDUAL
        if all(literal.exact for literal in literals):
            return self._leaf("notIn" if negated else "in", column, *(literal.value for literal in literals))
        if negated:
            return ("leaf", "isNotNull", column.value, []), False
        exact = [literal.value for literal in literals if literal.exact]
        ranges = [("leaf", "in", column.value, exact)] if exact else []
        for value, literal in zip(known, literals, strict=True):
            if not literal.exact:
                ranges.append(self._compare("equal", column, value)[0])
        return _join("or", ranges), False

    def _null_safe(self, column: Node, value: Any, negated: bool) -> _Translated:
        if value is None:
            return self._leaf("isNotNull" if negated else "isNull", column)
        tree, exact = self._compare("notEqual" if negated else "equal", column, value)
        if tree is None or not negated:
            return tree, exact
        return ("or", [tree, ("leaf", "isNull", column.value, [])]), exact

    def _text_test(self, test: str, column: Node, pattern: Node, negated: bool) -> _Translated:
        if pattern.kind != "literal" or not isinstance(pattern.value, str) or not self._is(column, _is_text):
            return _RESIDUAL
        tree, exact = self._leaf(test, column, pattern.value)
        return (("not", tree) if negated else tree), exact

    def _leaf(self, test: str, column: Node, *literals: Any) -> _Translated:
        known = self._columns.get_field_index(column.value) >= 0
        return (("leaf", test, column.value, list(literals)), True) if known else _RESIDUAL

    def _coerce(self, column: Node, value: Any) -> Coerced | None:
        index = self._columns.get_field_index(column.value)
        if index < 0 or value is None or value is _NO_VALUE:
            return None
        return coerce(value, self._columns.field(index).type)

    def _is(self, column: Node, kind: Callable[[pa.DataType], bool]) -> bool:
        index = self._columns.get_field_index(column.value)
        return index >= 0 and kind(self._columns.field(index).type)


#: Stands for an operand that is not a literal.
_NO_VALUE = object()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _join(operator: str, trees: list[Tree]) -> Tree:
    return trees[0] if len(trees) == 1 else (operator, trees)
