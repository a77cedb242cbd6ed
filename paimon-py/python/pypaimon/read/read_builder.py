"""The way into a read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pypaimon import _native
from pypaimon.common.predicate import Predicate
from pypaimon.common.predicate_builder import PredicateBuilder
from pypaimon.exceptions import InvalidInputError
from pypaimon.read.explain import ExplainResult, explain
from pypaimon.read.table_read import TableRead
from pypaimon.read.table_scan import TableScan
from pypaimon.schema.data_types import DataField
from pypaimon.table.special_fields import SpecialFields
from pypaimon.unsupported import refuse

if TYPE_CHECKING:
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["ReadBuilder"]


class ReadBuilder:
    """Says which rows and columns of a table to read; made by `FileStoreTable.new_read_builder`. It can be pickled.

    Example:
        >>> builder = table.new_read_builder().with_projection(["id", "amount"])  # doctest: +SKIP
        >>> builder = builder.with_filter(builder.new_predicate_builder().greater_than("amount", 100))  # doctest: +SKIP
        >>> splits = builder.new_scan().plan().splits()  # doctest: +SKIP
        >>> builder.new_read().to_arrow(splits)  # doctest: +SKIP
    """

    def __init__(self, table: FileStoreTable) -> None:
        self.table = table
        self._predicate: Predicate | None = None
        self._partition_filter: Predicate | None = None
        self._projection: list[str] | None = None
        self._limit: int | None = None

    def with_filter(self, predicate: Predicate | None) -> ReadBuilder:
        """Keeps exactly the rows for which `predicate` is true; ``None`` keeps all."""
        self._predicate = predicate
        return self

    def with_partition_filter(self, partition_filter: Predicate | None) -> ReadBuilder:
        """Keeps exactly the partitions for which `partition_filter` is true; it names partition columns only."""
        named = set() if partition_filter is None else partition_filter.field_names()
        if not named <= set(self.table.partition_keys):
            raise InvalidInputError(f"a partition filter may name {self.table.partition_keys}, found {sorted(named)}")
        self._partition_filter = partition_filter
        return self

    def with_projection(self, projection: Sequence[str] | None) -> ReadBuilder:
        """Reads these columns, in this order; ``None`` reads all.

        Tables with row tracking also have ``_ROW_ID`` and ``_SEQUENCE_NUMBER``.

        Raises:
            InvalidInputError: A column does not exist or is named twice.
            UnsupportedFeatureError: A part of a column, or an expression, is named.
        """
        if projection is None:
            self._projection = None
            return self
        if isinstance(projection, (str, dict)):
            refuse("a projection of expressions", "pass a list of column names")
        names = list(projection)
        for name in names:
            if name not in self._known:
                if name.partition(".")[0] in self._known:
                    refuse(f"the projection of '{name}', a part of a column", "read the whole column")
                raise InvalidInputError(f"column '{name}' does not exist; the table has: {', '.join(self._known)}")
        if len(set(names)) < len(names):
            raise InvalidInputError(f"a column is named twice in the projection {names}")
        self._projection = names
        return self

    def with_limit(self, limit: int | None) -> ReadBuilder:
        """Reads at most `limit` rows, whichever are found first; ``None`` reads all.

        A plan has all splits even so: whoever takes them may filter their rows before counting. Daft's own connector
        does, which hands over the limit of a query and keeps its filter.
        """
        if limit is not None and limit < 0:
            raise InvalidInputError(f"expected a limit of 0 or more, found {limit}")
        self._limit = limit
        return self

    def new_predicate_builder(self) -> PredicateBuilder:
        """Builds conditions on all columns of the table, those of row tracking too, whatever the projection."""
        return PredicateBuilder(list(self._known.values()))

    def new_scan(self) -> TableScan:
        """Plans the read.

        Raises:
            InvalidInputError: The filter names a column that does not exist.
            UnsupportedError: The filter compares in a way that cannot be done exactly.
        """
        predicate, partition_filter = self._bound(self._predicate), self._bound(self._partition_filter)
        return TableScan(self.table, predicate, partition_filter, self._projection)

    def new_read(self) -> TableRead:
        """Reads splits of the plan; the errors are those of `new_scan`."""
        parts = [part for part in (self._predicate, self._partition_filter) if part is not None]
        predicate = PredicateBuilder.and_predicates(parts)
        return TableRead(self.table, self.read_type(), self._bound(predicate), self._limit)

    def read_type(self) -> list[DataField]:
        """The columns that are read, in order."""
        if self._projection is None:
            return self.table.fields
        return [self._known[name] for name in self._projection]

    def with_read_type(self, read_type: Sequence[DataField]) -> ReadBuilder:
        """Same as `with_projection`, by fields."""
        return self.with_projection([field.name for field in read_type])

    def explain(self, verbose: bool = False) -> ExplainResult:
        """Plans and tells what each stage of the plan dropped; reads no data.

        Args:
            verbose: Whether to list every split.
        """
        return explain(self, verbose)

    @property
    def _known(self) -> dict[str, DataField]:
        """The columns that may be named."""
        fields = self.table.field_dict
        if not self.table.options.row_tracking_enabled():
            return fields
        return {**fields, **{field.name: field for field in SpecialFields.row_type_with_row_tracking([])}}

    def _bound(self, predicate: Predicate | None) -> _native.NativePredicate | None:
        return None if predicate is None else self.table._native.predicate(predicate.to_tree())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()
