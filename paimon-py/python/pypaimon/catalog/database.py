"""A database of a catalog."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Database"]


@dataclass(frozen=True)
class Database:
    """A database, with the options that its catalog keeps for it."""

    name: str
    options: dict[str, str] = field(default_factory=dict)
    comment: str | None = None
