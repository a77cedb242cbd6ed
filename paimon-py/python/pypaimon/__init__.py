"""Apache Paimon tables in Python, on a Rust core.

The way in is `CatalogFactory.create`; `pypaimon.daft` connects tables with Daft.

Example:
    >>> from pypaimon import CatalogFactory
    >>> catalog = CatalogFactory.create({"warehouse": "/tmp/warehouse"})  # doctest: +SKIP
    >>> table = catalog.get_table("sales.orders")  # doctest: +SKIP
    >>> builder = table.new_read_builder()  # doctest: +SKIP
    >>> builder.new_read().to_arrow(builder.new_scan().plan().splits())  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from pypaimon.unsupported import install_finder, refuse

if TYPE_CHECKING:
    from pypaimon.catalog.catalog_factory import CatalogFactory
    from pypaimon.common.identifier import Identifier
    from pypaimon.common.options.core_options import CoreOptions
    from pypaimon.common.predicate_builder import PredicateBuilder
    from pypaimon.exceptions import PaimonError, UnsupportedFeatureError
    from pypaimon.schema.schema import Schema
    from pypaimon.schema.schema_change import SchemaChange
    from pypaimon.tag.tag import Tag
    from pypaimon.tag.tag_manager import TagManager

__all__ = [
    "CatalogFactory",
    "CoreOptions",
    "Identifier",
    "PaimonError",
    "PredicateBuilder",
    "Schema",
    "SchemaChange",
    "Tag",
    "TagManager",
    "UnsupportedFeatureError",
    "__implementation__",
    "__version__",
]

__version__ = "2.1.0+rs.0.1.0"
__implementation__ = "rust"

# Imported when they are first asked for, so that `import pypaimon` costs next to nothing.
_LAZY = {
    "CatalogFactory": "pypaimon.catalog.catalog_factory",
    "CoreOptions": "pypaimon.common.options.core_options",
    "Identifier": "pypaimon.common.identifier",
    "PaimonError": "pypaimon.exceptions",
    "PredicateBuilder": "pypaimon.common.predicate_builder",
    "Schema": "pypaimon.schema.schema",
    "SchemaChange": "pypaimon.schema.schema_change",
    "Tag": "pypaimon.tag.tag",
    "TagManager": "pypaimon.tag.tag_manager",
    "UnsupportedFeatureError": "pypaimon.exceptions",
}
_MISSING = {
    "PaimonVirtualFileSystem": "use pyarrow.fs, or the object store's own client",
    "SQLContext": "use daft.sql with pypaimon.daft.PaimonCatalog, or read.to_duckdb(splits, name)",
}

install_finder()


def __getattr__(name: str) -> Any:
    if name in _MISSING:
        refuse(f"pypaimon.{name}", _MISSING[name])
    if name not in _LAZY:
        raise AttributeError(f"module 'pypaimon' has no attribute '{name}'")
    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
