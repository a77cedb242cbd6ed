"""The exceptions of pypaimon.

`PaimonError` is the root of all. Most have a second base from Python itself, so that ``except ValueError`` or
``except FileNotFoundError`` catch what they should. All of them survive pickling with their text and attributes.
The exceptions about databases, tables and columns are in `pypaimon.catalog.catalog_exception`.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "CommitCallbackError",
    "CommitConflictError",
    "CorruptTableError",
    "InvalidInputError",
    "MissingDependencyError",
    "NotFoundError",
    "NotVisibleError",
    "PaimonError",
    "PaimonFileNotFoundError",
    "PaimonPermissionError",
    "PaimonStorageError",
    "SnapshotExpiredError",
    "SnapshotNotExistException",
    "UnsupportedError",
    "UnsupportedFeatureError",
]


class PaimonError(Exception):
    """Any error of pypaimon.

    Attributes:
        context: Where it happened: for example ``{"file": ...}`` or ``{"table": "db.t"}``.
        retryable: Whether the same call may succeed later.
    """

    retryable: bool = False

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.context: dict[str, str] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args), self.__dict__

    def __str__(self) -> str:
        # OSError and KeyError would format their arguments in ways of their own.
        return str(self.args[0]) if self.args else ""


class InvalidInputError(PaimonError, ValueError):
    """The caller passed something that cannot be used; the text says what and why."""


class MissingDependencyError(PaimonError, ImportError):
    """A package is needed that is not installed; the text says how to install it."""


class NotFoundError(PaimonError, LookupError):
    """Something that was named does not exist."""


class UnsupportedError(PaimonError, NotImplementedError):
    """The table format allows it; this build does not do it yet."""


class UnsupportedFeatureError(UnsupportedError):
    """A name that Apache's pypaimon has and this build lacks.

    Attributes:
        feature: The name, for example ``pypaimon.ray``.
    """

    feature: str = ""


class CorruptTableError(PaimonError):
    """The table's own bytes break a rule of the format: a truncated, changed or missing piece."""


class CommitConflictError(PaimonError):
    """Another commit changed what this commit relied on. Nothing was committed; start again from a fresh read."""


class CommitCallbackError(PaimonError, RuntimeError):
    """A snapshot was committed, and a callback failed after it. Do not commit again, and do not abort.

    Attributes:
        snapshot_id: The snapshot.
    """

    snapshot_id: int = 0


class NotVisibleError(PaimonError, RuntimeError):
    """Rows were committed, but the compaction failed without which they, or their changelog, are not seen.

    Do not commit again, and do not abort: the next commit to the same buckets shows them, or ``table.compact()``.

    Attributes:
        snapshot_id: The snapshot that has them.
    """

    snapshot_id: int = 0


class PaimonFileNotFoundError(PaimonError, FileNotFoundError):
    """A file of the table does not exist."""


class SnapshotExpiredError(PaimonFileNotFoundError):
    """The snapshot of a read was expired before the read came to its end; the text names it and the remedy."""


class PaimonPermissionError(PaimonError, PermissionError):
    """The storage refused access."""


class PaimonStorageError(PaimonError, OSError):
    """The storage failed; `retryable` says whether trying again may help."""


class SnapshotNotExistException(NotFoundError, ValueError):
    """The snapshot that was asked for does not exist."""


def _rebuild(cls: type[PaimonError], args: tuple[Any, ...]) -> PaimonError:
    """Makes an unpickled exception without its constructor, whose arguments may be others than the text."""
    error = cls.__new__(cls, *args)
    error.args = args
    return error
