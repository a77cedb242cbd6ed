"""Branches: lines of snapshots beside the main one."""

from pypaimon.branch.branch_manager import BranchManager
from pypaimon.common.identifier import DEFAULT_MAIN_BRANCH

__all__ = ["DEFAULT_MAIN_BRANCH", "BranchManager"]
