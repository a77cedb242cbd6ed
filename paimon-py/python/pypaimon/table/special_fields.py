"""The columns that tables with row tracking have beside their own."""

from __future__ import annotations

from collections.abc import Sequence

from pypaimon.schema.data_types import AtomicType, DataField

__all__ = ["SpecialFields"]

_MAX_INT = 2**31 - 1


class SpecialFields:
    """The columns of row tracking.

    Attributes:
        ROW_ID: The id of a row, for life.
        SEQUENCE_NUMBER: The snapshot that changed the row last, as far as its files tell.
    """

    SEQUENCE_NUMBER = DataField(_MAX_INT - 1, "_SEQUENCE_NUMBER", AtomicType("BIGINT", nullable=False))
    ROW_ID = DataField(_MAX_INT - 5, "_ROW_ID", AtomicType("BIGINT", nullable=False))

    @staticmethod
    def row_type_with_row_tracking(table_fields: Sequence[DataField]) -> list[DataField]:
        """These columns, and those of row tracking after them."""
        return [*table_fields, SpecialFields.ROW_ID, SpecialFields.SEQUENCE_NUMBER]
