"""From errors of the native module to exceptions: the module calls `from_native` for each that it raises."""

from __future__ import annotations

from pypaimon.catalog import catalog_exception as of
from pypaimon.common.identifier import Identifier
from pypaimon.exceptions import (
    CommitConflictError,
    CorruptTableError,
    InvalidInputError,
    NotFoundError,
    NotVisibleError,
    PaimonError,
    PaimonFileNotFoundError,
    PaimonPermissionError,
    PaimonStorageError,
    SnapshotExpiredError,
    SnapshotNotExistException,
    UnsupportedError,
)

__all__ = ["from_native"]

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
