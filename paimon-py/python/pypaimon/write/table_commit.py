"""Publishing what writers prepared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from pypaimon.exceptions import CommitCallbackError, PaimonError
from pypaimon.manifest.schema.manifest_entry import ManifestEntry
from pypaimon.schema.schema import option_texts
from pypaimon.snapshot.snapshot import BATCH_COMMIT_IDENTIFIER, Snapshot
from pypaimon.write.commit_callback import CommitCallback, CommitCallbackContext
from pypaimon.write.commit_message import CommitMessage

if TYPE_CHECKING:
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["BatchTableCommit", "TableCommit"]


class TableCommit:
    """Makes prepared files part of the table, all at once; made by `BatchWriteBuilder.new_commit`."""

    def __init__(
        self, table: FileStoreTable, commit_user: str, identity: str, mode: str, partition: Mapping[str, str] | None
    ) -> None:
        self.table = table
        self.commit_user = commit_user
        self._identity = identity
        self._mode = mode
        self._partition = None if partition is None else dict(partition)
        self._callbacks: list[CommitCallback] = []

    def add_commit_callback(self, callback: CommitCallback) -> None:
        """Lets `callback` be called after each commit that publishes a snapshot, in the order they were added.

        What it raises does not undo the commit: all callbacks are called, then `CommitCallbackError` is raised.
        """
        if not isinstance(callback, CommitCallback):
            raise TypeError(f"expected a CommitCallback, got: {callback!r}")
        self._callbacks.append(callback)

    def abort(self, commit_messages: Iterable[CommitMessage]) -> None:
        """Deletes the files of messages that are known not to be committed.

        Never call it after a commit that raised anything else than `CommitConflictError` or `InvalidInputError`: the
        outcome of such a commit may be unknown, and a snapshot may name the files.
        """
        self.table._native.abort([message._native for message in commit_messages])

    def close(self) -> None:
        """Closes the callbacks; the commit itself holds nothing open."""
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback.close()

    def __enter__(self) -> TableCommit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _commit(
        self,
        messages: Iterable[CommitMessage],
        identifier: int,
        properties: Mapping[str, str] | None,
        mode: str | None = None,
        partitions: Sequence[Mapping[str, str]] | None = None,
    ) -> int | None:
        snapshot_id = self.table._native.commit(
            [message._native for message in messages],
            user=self.commit_user,
            identifier=identifier,
            mode=mode or self._mode,
            partition=self._partition,
            partitions=None if partitions is None else [option_texts(partition) for partition in partitions],
            properties=option_texts(properties),
            identity=self._identity,
        )
        if snapshot_id is not None and self._callbacks:
            self._tell(snapshot_id, identifier)
        return snapshot_id

    def _tell(self, snapshot_id: int, identifier: int) -> None:
        failures: list[tuple[CommitCallback, Exception]] = []
        snapshots = self.table._native.snapshots()
        try:
            snapshot = Snapshot.from_dict(snapshots.get(snapshot_id) or {})
            entries = [ManifestEntry.from_native(entry) for entry in snapshots.delta_entries(snapshot_id)]
        except PaimonError as error:
            raise _callback_failed(snapshot_id, "what was committed cannot be read", error) from error
        for callback in self._callbacks:
            try:
                callback.call(CommitCallbackContext(snapshot, list(entries), identifier))
            except Exception as error:
                failures.append((callback, error))
        if failures:
            callback, failure = failures[0]
            raise _callback_failed(snapshot_id, type(callback).__name__, failure) from failure


class BatchTableCommit(TableCommit):
    """A commit that is made once."""

    _committed = False

    def commit(
        self, commit_messages: Iterable[CommitMessage], snapshot_properties: Mapping[str, str] | None = None
    ) -> int | None:
        """Publishes a snapshot with all the files of `commit_messages`, or none.

        Then the buckets that were written are compacted when that is due, or when rows are seen only after it, unless
        the table has the option ``write-only``.

        Args:
            commit_messages: From one or more writers of this table.
            snapshot_properties: What the snapshot shall carry.

        Returns:
            The snapshot's id; ``None`` when there was nothing to commit.

        Raises:
            CommitConflictError: Another commit removed files that this one builds on, or the table was dropped and
                created again; nothing was committed.
            CommitCallbackError: The snapshot is published, but a callback failed.
            NotVisibleError: The snapshot is published, but the compaction failed without which its rows are not seen.
            RuntimeError: This object has committed before.
        """
        self._once()
        return self._commit(commit_messages, BATCH_COMMIT_IDENTIFIER, snapshot_properties)

    def truncate_table(self) -> None:
        """Deletes all rows."""
        self._once()
        self._commit([], BATCH_COMMIT_IDENTIFIER, None, "truncate", [])

    def truncate_partitions(self, partitions: Sequence[Mapping[str, str]]) -> None:
        """Deletes all rows of partitions.

        Args:
            partitions: Each a value for some or all partition columns.
        """
        self._once()
        if partitions:
            self._commit([], BATCH_COMMIT_IDENTIFIER, None, "truncate", partitions)

    def __enter__(self) -> BatchTableCommit:
        return self

    def _once(self) -> None:
        if self._committed:
            raise RuntimeError("BatchTableCommit only supports one-time committing.")
        self._committed = True


def _callback_failed(snapshot_id: int, what: str, error: Exception) -> CommitCallbackError:
    failed = CommitCallbackError(
        f"snapshot {snapshot_id} is committed, but a callback failed after it: {what}: {type(error).__name__}: {error}"
    )
    failed.snapshot_id = snapshot_id
    return failed
