"""Creates, lists, drops and fast-forwards the branches of a table."""

from __future__ import annotations

from pypaimon import _native
from pypaimon.common.identifier import DEFAULT_MAIN_BRANCH

__all__ = ["BranchManager"]


class BranchManager:
    """The branches of a table; made by `FileStoreTable.branch_manager`.

    A branch has schemas, snapshots and tags of its own, and shares the data files. It is read and written like the
    table, under the name ``db.t$branch_<name>``.

    Example:
        >>> branches = table.branch_manager()  # doctest: +SKIP
        >>> branches.create_branch("audit", tag_name="before-cleanup")  # doctest: +SKIP
        >>> audit = catalog.get_table("sales.orders$branch_audit")  # doctest: +SKIP
        >>> branches.fast_forward("audit")  # doctest: +SKIP
    """

    def __init__(self, native: _native.NativeBranches) -> None:
        self._native = native

    def create_branch(self, branch_name: str, tag_name: str | None = None, ignore_if_exists: bool = False) -> None:
        """Creates a branch.

        Args:
            branch_name: Its name: not blank, not ``main``, not a number alone, without separators.
            tag_name: The tag whose state it starts with; ``None``: it has the latest schema and no rows.
            ignore_if_exists: Whether a branch of that name may exist already, and then stays as it is.

        Raises:
            BranchAlreadyExistException: The name is taken.
            TagNotExistException: There is no such tag.
            InvalidInputError: The name cannot be a branch's.
        """
        self._native.create(branch_name, tag_name, ignore_if_exists)

    def drop_branch(self, branch_name: str) -> None:
        """Drops a branch with its snapshots; data files that only it has are left to a clean-up of orphans.

        Raises:
            BranchNotExistException: It does not exist.
        """
        self._native.drop(branch_name)

    def rename_branch(self, from_branch: str, to_branch: str) -> None:
        """Renames a branch; not while it is written to.

        Raises:
            BranchNotExistException: `from_branch` does not exist.
            BranchAlreadyExistException: `to_branch` exists.
        """
        self._native.rename(from_branch, to_branch)

    def fast_forward(self, branch_name: str) -> None:
        """Makes this table what the branch is: its snapshots, schemas and tags from the branch's first snapshot on.

        What was committed here since the branch began is lost. Table objects that were opened before have the old
        schema: `FileStoreTable.refresh` gives the new one.

        Raises:
            BranchNotExistException: It does not exist.
            InvalidInputError: It has no snapshot, or is the branch of this table itself.
        """
        self._native.fast_forward(branch_name)

    def branches(self) -> list[str]:
        """The names of all branches beside the main one, in order."""
        return self._native.list()

    def branch_exists(self, branch_name: str) -> bool:
        """Whether there is such a branch beside the main one."""
        return branch_name in self.branches()

    @staticmethod
    def is_main_branch(branch: str) -> bool:
        """Whether this is the name of the main branch."""
        return branch == DEFAULT_MAIN_BRANCH
