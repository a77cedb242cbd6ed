"""How the rows of a table find their bucket."""

from __future__ import annotations

from enum import Enum

__all__ = ["BucketMode"]


class BucketMode(Enum):
    """The kinds of buckets."""

    HASH_FIXED = "HASH_FIXED"
    HASH_DYNAMIC = "HASH_DYNAMIC"
    CROSS_PARTITION = "CROSS_PARTITION"
    BUCKET_UNAWARE = "BUCKET_UNAWARE"
    POSTPONE_MODE = "POSTPONE_MODE"

    def __str__(self) -> str:
        return self.value
