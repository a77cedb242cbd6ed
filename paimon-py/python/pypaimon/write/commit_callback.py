"""What is called after a commit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from pypaimon.manifest.schema.manifest_entry import ManifestEntry
from pypaimon.snapshot.snapshot import Snapshot

__all__ = ["CommitCallback", "CommitCallbackContext"]


@dataclass
class CommitCallbackContext:
    """A commit that has been made.

    Attributes:
        snapshot: Its snapshot.
        commit_entries: The data files that it added and removed.
        identifier: What the committer calls it.
    """

    snapshot: Snapshot
    commit_entries: list[ManifestEntry]
    identifier: int


class CommitCallback(ABC):
    """Told about commits, see `TableCommit.add_commit_callback`. It may be told about one commit more than once.

    Example:
        >>> class Announce(CommitCallback):
        ...     def call(self, context):
        ...         print("snapshot", context.snapshot.id, "has", len(context.commit_entries), "new files")
    """

    @abstractmethod
    def call(self, context: CommitCallbackContext) -> None:
        """Called after a snapshot has been published."""

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Called when the commit object is closed."""
