"""One committed state of a table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, TypeVar

__all__ = ["BATCH_COMMIT_IDENTIFIER", "Snapshot"]

BATCH_COMMIT_IDENTIFIER = 2**63 - 1
"""The commit identifier of batch jobs, which commit once."""

S = TypeVar("S", bound="Snapshot")


@dataclass(frozen=True)
class Snapshot:
    """A snapshot, with the names of its file in Python's spelling.

    Attributes:
        id: From 1, rising by 1 with each commit.
        schema_id: The schema that was current.
        commit_kind: ``APPEND``, ``OVERWRITE``, ``COMPACT`` or ``ANALYZE``.
        commit_user: Who committed.
        commit_identifier: What the user calls this commit.
        time_millis: When, in milliseconds since 1970.
        total_record_count: Rows after the commit, where it was counted.
        delta_record_count: Rows that the commit added, less those it removed.
        properties: What the committer attached.
    """

    id: int
    schema_id: int
    base_manifest_list: str
    delta_manifest_list: str
    commit_user: str
    commit_identifier: int
    commit_kind: str
    time_millis: int
    version: int | None = None
    uuid: str | None = None
    base_manifest_list_size: int | None = None
    delta_manifest_list_size: int | None = None
    changelog_manifest_list: str | None = None
    changelog_manifest_list_size: int | None = None
    index_manifest: str | None = None
    total_record_count: int | None = None
    delta_record_count: int | None = None
    changelog_record_count: int | None = None
    watermark: int | None = None
    statistics: str | None = None
    properties: dict[str, str] | None = None
    next_row_id: int | None = None
    writer_version: str | None = None

    @classmethod
    def from_dict(cls: type[S], data: dict[str, Any]) -> S:
        """Reads the keys of a snapshot file; unknown ones are left out."""
        values: dict[str, Any] = {part.name: data.get(_camel(part.name)) for part in fields(cls)}
        return cls(**values)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
