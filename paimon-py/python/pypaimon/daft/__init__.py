"""Paimon tables as Daft data frames.

>>> from pypaimon.daft import read_paimon, write_paimon          # doctest: +SKIP
>>> df = read_paimon("db.t", {"warehouse": "/path"})             # doctest: +SKIP
>>> write_paimon(df, "db.copy", {"warehouse": "/path"})          # doctest: +SKIP

Tour: ``reader`` and ``writer`` hold the functions below. ``pinned`` fixes a table's snapshot, ``source`` offers it to
Daft, ``scan`` plans an execution and routes its files, ``tasks`` reads those that are ours, ``delivery`` keeps a reader
from running ahead of Daft, ``expiry`` names a snapshot that was lost on the way, ``explain`` tells all this.
``expression``, ``literal`` and ``predicate`` translate filters. ``sink`` writes and commits, and ``partition`` names
partitions; ``keyed`` brings the rows of primary-key tables to it in order, on Ray through an ``exchange`` or, where
``assigning`` gives rows their buckets, two. ``compaction`` merges files, and ``compaction_summary`` tells what that
did. ``files`` makes BLOB columns Daft's files and back, and ``blob`` reads what these point to. ``catalog`` stands
behind Daft's catalog interfaces; ``arrow`` and ``io_config`` translate types and storage options. The modules named
``daft_*`` are Apache's names for these.

Importing this module does not import Daft; using it does (``pip install 'pypaimon[daft]'``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pypaimon.daft.blob import open_blob, read_blob
from pypaimon.daft.reader import explain_paimon_scan, read_paimon
from pypaimon.daft.writer import write_paimon

if TYPE_CHECKING:
    from pypaimon.daft.catalog import PaimonCatalog, PaimonTable

__all__ = [
    "PaimonCatalog",
    "PaimonTable",
    "explain_paimon_scan",
    "open_blob",
    "read_blob",
    "read_paimon",
    "write_paimon",
]


def __getattr__(name: str) -> Any:
    # The classes extend Daft's own, so they can be defined only where Daft is.
    if name in ("PaimonCatalog", "PaimonTable"):
        from pypaimon.daft import catalog

        globals()["PaimonCatalog"] = catalog.PaimonCatalog
        globals()["PaimonTable"] = catalog.PaimonTable
        return globals()[name]
    raise AttributeError(f"module 'pypaimon.daft' has no attribute {name!r}")
