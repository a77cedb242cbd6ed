"""Makes catalogs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypaimon.catalog.filesystem_catalog import FileSystemCatalog
from pypaimon.exceptions import InvalidInputError
from pypaimon.unsupported import refuse, unsupported

__all__ = ["CatalogFactory"]


class CatalogFactory:
    """The way in: from options to a catalog."""

    @staticmethod
    def create(catalog_options: Mapping[str, Any]) -> FileSystemCatalog:
        """Connects to a catalog.

        Args:
            catalog_options: ``warehouse`` is the root folder or URL; ``metastore`` is ``filesystem`` where it is given.
                Paths may be `pathlib.Path`.

        Raises:
            InvalidInputError: ``warehouse`` is missing, or ``metastore`` is unknown.
            UnsupportedFeatureError: ``metastore`` is ``rest`` or ``jdbc``.

        Example:
            >>> import tempfile
            >>> CatalogFactory.create({"warehouse": tempfile.mkdtemp()}).list_databases()
            []
        """
        metastore = str(catalog_options.get("metastore", "filesystem"))
        if metastore in ("rest", "jdbc"):
            refuse(f"metastore '{metastore}'", "use a filesystem catalog: {'warehouse': ...}")
        if metastore != "filesystem":
            raise InvalidInputError(f"Unknown catalog identifier: {metastore}. Available types: ['filesystem']")
        if not catalog_options.get("warehouse"):
            raise InvalidInputError("Paimon 'warehouse' path must be set")
        return FileSystemCatalog(catalog_options)

    create_from_context = staticmethod(
        unsupported("CatalogFactory.create_from_context", "use CatalogFactory.create(options)")
    )
