"""What Apache's pypaimon has and this build lacks: named by one error, not by a missing module or attribute."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from pypaimon.exceptions import UnsupportedFeatureError

__all__ = ["install_finder", "refuse", "unsupported"]

_ELSE = "use Apache's pypaimon for it, or ask for it in this project's issue tracker"

_MODULES: Mapping[str, str] = {
    "api": "REST catalogs are not supported yet: use a filesystem catalog",
    "benchmark": _ELSE,
    "branch": "use table.branch_manager()",
    "casting": _ELSE,
    "catalog.jdbc_catalog": "JDBC catalogs are not supported yet: use a filesystem catalog",
    "catalog.rest": "REST catalogs are not supported yet: use a filesystem catalog",
    "changelog": _ELSE,
    "cli": "call the Python API instead",
    "common.predicate_json_parser": "build predicates with read_builder.new_predicate_builder()",
    "common.where_parser": "build predicates with read_builder.new_predicate_builder()",
    "consumer": _ELSE,
    "data": _ELSE,
    "deletionvectors": "reads apply deletion vectors by themselves",
    "filesystem": "use pyarrow.fs, or the object store's own client",
    "function": _ELSE,
    "globalindex": _ELSE,
    "index": _ELSE,
    "management": _ELSE,
    "manifest": "plan with read_builder.new_scan().plan(), or look at read_builder.explain(verbose=True)",
    "multimodal": _ELSE,
    "ray": "use pypaimon.daft: Daft runs on Ray with daft.set_runner_ray()",
    "read.datasource": "use pypaimon.daft, or read.to_arrow_batch_reader(splits)",
    "read.reader": "use read.to_arrow_batch_reader(splits)",
    "read.stream_read_builder": "streaming reads are not supported yet",
    "read.streaming_table_scan": "streaming reads are not supported yet",
    "sample": _ELSE,
    "schema.schema_manager": "change schemas with catalog.alter_table(...)",
    "sql": "use daft.sql with pypaimon.daft.PaimonCatalog, or read.to_duckdb(splits, name)",
    "table.format": _ELSE,
    "table.iceberg": _ELSE,
    "table.instant": _ELSE,
    "table.object": _ELSE,
    "table.row": "rows are tuples: see read.to_iterator(splits); BLOB values are in pypaimon.table.row.blob",
    "table.source": _ELSE,
    "table.system": "system tables are not supported yet: see table.snapshot_manager() and table.list_tags()",
    "utils": _ELSE,
    "write.ray_datasink": "use pypaimon.daft.write_paimon: Daft runs on Ray with daft.set_runner_ray()",
    "write.table_delete": "use write_builder.new_update().delete_by_row_id(..) or delete_by_predicate(..)",
    "write.table_update_by_row_id": "use write_builder.new_update().update_by_arrow_with_row_id(..)",
    "write.table_upsert_by_key": "use write_builder.new_update().upsert_by_arrow_with_key(..)",
}


def refuse(feature: str, remedy: str = _ELSE) -> NoReturn:
    """Raises the error that names `feature`.

    Raises:
        UnsupportedFeatureError: Always.
    """
    error = UnsupportedFeatureError(f"{feature} is not supported by this build of pypaimon; {remedy}")
    error.feature = feature
    raise error


def unsupported(feature: str, remedy: str = _ELSE) -> Callable[..., Any]:
    """A method that raises the error which names `feature`."""

    def method(*_: Any, **__: Any) -> NoReturn:
        refuse(feature, remedy)

    method.__doc__ = f"Not supported by this build: {remedy}."
    return method


class _Finder:
    """Asked last, for modules that no other finder has."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        package, _, module = name.partition(".")
        if package != "pypaimon":
            return None
        parts = module.split(".")
        for length in range(len(parts), 0, -1):
            remedy = _MODULES.get(".".join(parts[:length]))
            if remedy is not None:
                refuse(name, remedy)
        return None


def install_finder() -> None:
    """Lets imports of missing modules raise the error that names them; once per process."""
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)
