"""Daft expressions as a plain tree.

Daft offers a visitor, but it raises on struct fields and its column collector cannot walk ``is_in``. ``parse`` visits
each node on its own, so that one unknown node becomes one opaque leaf rather than the end of the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from daft.expressions import Expression, ExpressionsProjection
from daft.expressions.visitor import ExpressionVisitor
from daft.recordbatch import RecordBatch
from daft.schema import Schema


@dataclass(frozen=True, slots=True)
class Node:
    """One node of an expression.

    ``kind`` is ``column`` (``value``: its name), ``literal`` (``value``: the Python value), ``call`` (``value``: the
    name, ``args``: the operands; a list operand is flattened), ``cast`` (one operand) or ``opaque`` (cannot be walked).
    """

    kind: str
    expr: Expression
    value: Any = None
    args: list[Node] = field(default_factory=list)

    def is_call(self, *names: str) -> bool:
        """Whether this is a call of one of these functions."""
        return self.kind == "call" and self.value in names


def parse(expr: Expression) -> Node:
    """Walks an expression. Never raises: what cannot be walked is an ``opaque`` node."""
    try:
        return _Walker(expr).visit(expr)
    except Exception:  # Daft's visitor: struct fields, nodes of newer versions, nesting beyond the recursion limit
        return Node("opaque", expr)


def conjuncts(node: Node) -> list[Node]:
    """The operands of the outermost ANDs, without repeats (Daft repeats some up to 20 times)."""
    found: dict[str, list[Node]] = {}
    pending = [node]
    while pending:
        part = pending.pop()
        if part.is_call("and"):
            pending.extend(reversed(part.args))
            continue
        alike = found.setdefault(str(part.expr), [])
        if not any(part.expr._expr._eq(other.expr._expr) for other in alike):
            alike.append(part)
    return [part for alike in found.values() for part in alike]


def required_columns(node: Node, schema: Schema) -> set[str]:
    """The columns of ``schema`` that an expression reads."""
    names: set[str] = set()
    for part in _nodes(node):
        if part.kind == "column":
            names.add(part.value)
        elif part.kind == "opaque":
            names |= _probe_columns(part.expr, schema)
    return names


def _nodes(node: Node) -> Iterator[Node]:
    pending = [node]
    while pending:
        part = pending.pop()
        yield part
        pending.extend(part.args)


def _probe_columns(expr: Expression, schema: Schema) -> set[str]:
    """Finds the columns of an expression that cannot be walked: it does not type-check without them."""
    names = schema.column_names()
    if not _type_checks(expr, schema, names):
        return set(names)
    needed: set[str] = set()

    def search(candidates: list[str]) -> None:
        without = [name for name in names if name not in candidates]
        if not candidates or _type_checks(expr, schema, without):
            return
        if len(candidates) == 1:
            needed.update(candidates)
            return
        middle = len(candidates) // 2
        search(candidates[:middle])
        search(candidates[middle:])

    search(names)
    return needed


def _type_checks(expr: Expression, schema: Schema, names: list[str]) -> bool:
    try:
        part = Schema._from_field_name_and_types([(name, schema[name].dtype) for name in names])
        expr._expr.to_field(part._schema)
    except Exception:  # any complaint means "not with these columns"
        return False
    return True


class _Walker(ExpressionVisitor[Node]):
    """Visits the node ``expr``; children get walkers of their own."""

    def __init__(self, expr: Expression) -> None:
        self._expr = expr

    def visit_(self, name: str, args: list[Any]) -> Node:
        flat = [item for arg in args for item in (arg if isinstance(arg, list) else [arg])]
        return Node("call", self._expr, name, [parse(arg) for arg in flat])

    def visit_col(self, name: str) -> Node:
        return Node("column", self._expr, name)

    def visit_lit(self, value: Any) -> Node:
        return Node("literal", self._expr, value)

    def visit_alias(self, expr: Expression, alias: str) -> Node:
        return parse(expr)

    def visit_cast(self, expr: Expression, dtype: Any) -> Node:
        inner = parse(expr)
        if inner.kind == "literal":
            return Node("literal", self._expr, _evaluate(self._expr))
        return Node("cast", self._expr, dtype, [inner])

    def visit_try_cast(self, expr: Expression, dtype: Any) -> Node:
        return self.visit_cast(expr, dtype)

    def visit_coalesce(self, args: list[Expression]) -> Node:
        return self.visit_("coalesce", args)

    def visit_function(self, name: str, args: list[Expression]) -> Node:
        return self.visit_(name, args)


def _evaluate(expr: Expression) -> Any:
    """The value of an expression without columns."""
    one_row = RecordBatch.from_pydict({"": [0]})
    return one_row.eval_expression_list(ExpressionsProjection([expr.alias("")])).to_pydict()[""][0]
