"""Named snapshots."""

from __future__ import annotations

from dataclasses import dataclass

from pypaimon.snapshot.snapshot import Snapshot

__all__ = ["Tag"]


@dataclass(frozen=True)
class Tag(Snapshot):
    """A snapshot under a name, kept from expiry.

    Attributes:
        tag_create_time: When the tag was made, as milliseconds of the local wall clock; only with a retention.
        tag_time_retained: For how long it is kept, in milliseconds; ``None``: until it is deleted.
    """

    tag_create_time: int | None = None
    tag_time_retained: int | None = None
