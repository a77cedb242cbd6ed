"""One version of a table's schema."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pypaimon.schema.data_types import DataField

__all__ = ["TableSchema"]


@dataclass(frozen=True)
class TableSchema:
    """The schema of a table as its schema file has it, with the dynamic options of this table object.

    Attributes:
        id: Version, from 0.
        fields: The columns.
        highest_field_id: The largest field id ever used.
        partition_keys: Names of the partition columns, in path order.
        primary_keys: Names of the primary-key columns.
        options: Table options.
        comment: The table's comment.
        time_millis: When the schema was made, milliseconds since 1970.
    """

    id: int
    fields: list[DataField]
    highest_field_id: int
    partition_keys: list[str] = field(default_factory=list)
    primary_keys: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    comment: str | None = None
    time_millis: int = 0

    @classmethod
    def from_json(cls, text: str) -> TableSchema:
        """Reads the text of a schema file."""
        data = json.loads(text)
        return cls(
            data["id"],
            [DataField.from_dict(field) for field in data["fields"]],
            data["highestFieldId"],
            data.get("partitionKeys") or [],
            data.get("primaryKeys") or [],
            data.get("options") or {},
            data.get("comment") or None,
            data.get("timeMillis") or 0,
        )
