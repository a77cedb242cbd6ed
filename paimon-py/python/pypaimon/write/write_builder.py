"""The way into a write."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pypaimon.exceptions import InvalidInputError
from pypaimon.schema.schema import option_texts
from pypaimon.unsupported import unsupported
from pypaimon.write.table_commit import BatchTableCommit
from pypaimon.write.table_update import BatchTableUpdate
from pypaimon.write.table_write import BatchTableWrite

if TYPE_CHECKING:
    from pypaimon.table.file_store_table import FileStoreTable

__all__ = ["BatchWriteBuilder", "WriteBuilder"]


class WriteBuilder:
    """Holds what the writers and the commit of one job share. It can be pickled, and used by many writers.

    Attributes:
        table: The table.
        commit_user: Who commits: a random name, after the table's option ``commit.user-prefix``.
    """

    def __init__(self, table: FileStoreTable) -> None:
        self.table = table
        prefix = table.options.get("commit.user-prefix")
        self.commit_user = f"{prefix}_{uuid.uuid4()}" if prefix else str(uuid.uuid4())

    @cached_property
    def _identity(self) -> str:
        return self.table._native.identity()

    with_restore_snapshot = unsupported("WriteBuilder.with_restore_snapshot")


class BatchWriteBuilder(WriteBuilder):
    """A write that commits once; made by `FileStoreTable.new_batch_write_builder`.

    Example:
        >>> builder = table.new_batch_write_builder()  # doctest: +SKIP
        >>> with builder.new_write() as write, builder.new_commit() as commit:  # doctest: +SKIP
        ...     write.write_arrow(rows)
        ...     commit.commit(write.prepare_commit())
    """

    def __init__(self, table: FileStoreTable) -> None:
        super().__init__(table)
        self.static_partition: dict[str, str] | None = None
        self.row_kind_column: str | None = None

    def with_row_kind_column(self, name: str) -> BatchWriteBuilder:
        """Lets the rows that are written to a primary-key table say what they do to their keys.

        Args:
            name: A column of the rows, which the table does not have, with the texts ``"+I"`` and ``"+U"`` (the row is
                put there), ``"-D"`` (it is deleted) and ``"-U"`` (what it held before is taken back).
        """
        self.row_kind_column = name
        return self

    def overwrite(self, static_partition: Mapping[str, Any] | None = None) -> BatchWriteBuilder:
        """Lets the commit replace rows instead of adding to them.

        A table without partitions is replaced whole, also by no rows. In a partitioned table the partitions that are
        written are replaced; with the table option ``dynamic-partition-overwrite=false`` all partitions that match
        `static_partition` are.

        Args:
            static_partition: Values of some or all partition columns; only with ``dynamic-partition-overwrite=false``.

        Raises:
            InvalidInputError: A key is no partition column.
        """
        spec = option_texts(static_partition)
        unknown = sorted(set(spec) - set(self.table.partition_keys))
        if unknown:
            raise InvalidInputError(
                f"{', '.join(unknown)} is no partition column; the table has: {self.table.partition_keys}"
            )
        if spec and self._dynamic():
            warnings.warn(
                f"the static partition {spec} has no effect: the table's option 'dynamic-partition-overwrite' is true, "
                "so exactly the partitions that are written are replaced; use "
                "table.copy({'dynamic-partition-overwrite': 'false'}) to replace what matches it",
                UserWarning,
                stacklevel=2,
            )
        self.static_partition = spec
        return self

    def new_write(self) -> BatchTableWrite:
        """A writer.

        Raises:
            UnsupportedError: Rows of such a table cannot be written yet.
            InvalidInputError: `with_row_kind_column` contradicts the table.
        """
        self._identity  # noqa: B018 - the table that is written is the one that is there now.
        overwrite = self.static_partition is not None
        return BatchTableWrite(self.table, self.row_kind_column, overwrite=overwrite, commit_user=self.commit_user)

    def new_update(self) -> BatchTableUpdate:
        """What changes rows that are there, of a table with row ids.

        Raises:
            InvalidInputError: The job overwrites.
        """
        if self.static_partition is not None:
            raise InvalidInputError("a job that overwrites does not change rows: start another write builder")
        self._identity  # noqa: B018 - the table that is changed is the one that is there now.
        return BatchTableUpdate(self.table, self.commit_user)

    def new_commit(self) -> BatchTableCommit:
        """The commit of the job."""
        mode = "append"
        if self.static_partition is not None:
            mode = "overwrite-dynamic" if self._dynamic() else "overwrite-static"
        return BatchTableCommit(self.table, self.commit_user, self._identity, mode, self.static_partition)

    def _dynamic(self) -> bool:
        return bool(self.table.partition_keys) and self.table.options.dynamic_partition_overwrite()
