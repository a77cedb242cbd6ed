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


_BY_KIND: dict[str, type[PaimonError]] = {
    "invalid_input": InvalidInputError,
    "corrupt_data": CorruptTableError,
    "unsupported": UnsupportedError,
    "commit_conflict": CommitConflictError,
    "permission_denied": PaimonPermissionError,
    "storage": PaimonStorageError,
}


def from_native(kind: str, message: str, text: str, context: dict[str, str], retryable: bool) -> PaimonError:
    """Makes the exception for an error of the native module.

    Args:
        kind: What a caller can do about it, for example ``not_found``.
        message: The message alone.
        text: The message with context lines and causes.
        context: What is known of where it happened.
        retryable: Whether the same call may succeed later.

    Returns:
        The exception, to be raised.
    """
    if "committed snapshot" in context:
        error: PaimonError = _not_visible(int(context["committed snapshot"]), text)
    elif kind in ("not_found", "already_exists"):
        error = _missing_or_present(kind, message, text, context)
    else:
        error = _BY_KIND.get(kind, PaimonError)(text)
    error.context = context
    error.retryable = retryable
    return error


def _not_visible(snapshot_id: int, text: str) -> NotVisibleError:
    error = NotVisibleError(
        f"the rows are committed as snapshot {snapshot_id}, but not visible yet: the compaction after it failed; "
        f"do not write them again: a later commit, or table.compact(), will show them: {text}"
    )
    error.snapshot_id = snapshot_id
    return error


def _missing_or_present(kind: str, message: str, text: str, context: dict[str, str]) -> PaimonError:
    from pypaimon.catalog import catalog_exception as of
    from pypaimon.common.identifier import Identifier

    missing = kind == "not_found"
    if "expired snapshot" in context:
        return SnapshotExpiredError(text)
    if not context.keys().isdisjoint({"file", "path", "url"}):
        return PaimonFileNotFoundError(text) if missing else PaimonStorageError(text)
    if "column" in context:
        name = context["column"]
        return of.ColumnNotExistException(name) if missing else of.ColumnAlreadyExistException(name)
    if "tag" in context:
        name = context["tag"]
        return of.TagNotExistException(name) if missing else of.TagAlreadyExistException(name)
    if "branch" in context:
        name = context["branch"]
        return of.BranchNotExistException(name) if missing else of.BranchAlreadyExistException(name)
    if "snapshot" in context and missing:
        return SnapshotNotExistException(message)
    if "." in context.get("table", "") and "/" not in context["table"]:
        database, _, table = context["table"].partition(".")
        identifier = Identifier(database, table)
        return of.TableNotExistException(identifier) if missing else of.TableAlreadyExistException(identifier)
    if "database" in context:
        name = context["database"]
        return of.DatabaseNotExistException(name) if missing else of.DatabaseAlreadyExistException(name)
    return NotFoundError(text) if missing else InvalidInputError(text)


def _rebuild(cls: type[PaimonError], args: tuple[Any, ...]) -> PaimonError:
    """Makes an unpickled exception without its constructor, whose arguments may be others than the text."""
    error = cls.__new__(cls, *args)
    error.args = args
    return error
