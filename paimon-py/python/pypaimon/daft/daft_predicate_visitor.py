"""Apache's entry to filter conversion, over ``pypaimon.daft.predicate``."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from daft.expressions import Expression
from daft.schema import Schema

from pypaimon.common.predicate import Predicate
from pypaimon.daft.arrow import to_daft_layout
from pypaimon.daft.expression import conjuncts, parse
from pypaimon.daft.predicate import Tree, convert

if TYPE_CHECKING:
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["convert_filters_to_paimon"]


def convert_filters_to_paimon(table: FileStoreTable, py_filters: Any) -> tuple[list[Any], list[Any], Predicate | None]:
    """Splits filters into those Paimon applies exactly and the others.

    Args:
        table: The table whose columns they name.
        py_filters: One of Daft's ``PyExpr``, or a list of them.

    Returns:
        The pushed conjuncts, the remaining ones, and the pushed ones as one predicate.
    """
    fields = pa.schema(table.native.arrow_schema())
    schema = Schema.from_pyarrow_schema(to_daft_layout(fields))
    pushed, remaining, predicates = [], [], []
    for py_filter in py_filters if isinstance(py_filters, list) else [py_filters]:
        for conjunct in conjuncts(parse(Expression._from_pyexpr(py_filter))):
            converted = convert(conjunct.expr, schema, fields)
            if converted.exact and converted.tree is not None:
                pushed.append(conjunct.expr._expr)
                predicates.append(_predicate(converted.tree))
            else:
                remaining.append(conjunct.expr._expr)
    return pushed, remaining, reduce(and_, predicates) if predicates else None


def _predicate(tree: Tree) -> Predicate:
    if tree[0] == "leaf":
        _, method, column, literals = tree
        return Predicate(method, field=column, literals=literals)
    parts = tree[1] if tree[0] in ("and", "or") else [tree[1]]
    return Predicate(tree[0], literals=[_predicate(part) for part in parts])
