"""Names an expired snapshot where Daft only sees a missing file.

A frame that runs while its pinned snapshot is expired may find files gone under Daft's own Parquet reader, which knows
nothing of snapshots: "no such file". Errors of our tasks reach the user as text inside a ``DaftCoreException``. Daft
has no hook between its engine and the user, so its runners' ``run_iter`` is wrapped: an error that names a file of a
pinned table whose snapshot is gone becomes ``SnapshotExpiredError``, with Daft's error as its cause.
"""

from __future__ import annotations

import functools
import importlib
import sys
import weakref
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from pypaimon.exceptions import SnapshotExpiredError

if TYPE_CHECKING:
    from pypaimon.daft.pinned import PinnedTable

_RUNNERS = (("daft.runners.native_runner", "NativeRunner"), ("daft.runners.ray_runner", "RayRunner"))

_Run = Callable[..., Generator[Any, None, Any]]

#: Tables of the frames that are alive in this process.
_tables: weakref.WeakSet[PinnedTable] = weakref.WeakSet()


def watch(table: PinnedTable) -> None:
    """From now on, errors of executions that lost this table's snapshot say so."""
    _tables.add(table)
    importlib.import_module("daft.runners.native_runner")  # Daft loads it at the first execution; Ray's, when chosen
    for module, name in _RUNNERS:
        runner = getattr(sys.modules.get(module), name, None)
        if runner is not None and not hasattr(runner.run_iter, "__wrapped__"):
            runner.run_iter = _named(runner.run_iter)


def _named(run_iter: _Run) -> _Run:
    @functools.wraps(run_iter)
    def with_named_errors(*args: Any, **kwargs: Any) -> Generator[Any, None, Any]:
        try:
            return (yield from run_iter(*args, **kwargs))
        except SnapshotExpiredError:
            raise
        except Exception as error:
            expired = _expired(str(error))
            if expired is None:
                raise
            raise expired from error

    return with_named_errors


def _expired(text: str) -> SnapshotExpiredError | None:
    for table in list(_tables):
        if table.location.removeprefix("file://") in text and (expired := table.expired()) is not None:
            return expired
    return None
