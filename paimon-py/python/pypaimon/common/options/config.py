"""Options of catalogs, typed."""

from __future__ import annotations

from pypaimon.common.options.config_option import ConfigOption

__all__ = ["CatalogOptions"]


class CatalogOptions:
    """The options of a catalog."""

    METASTORE = ConfigOption("metastore", str, "filesystem")
    WAREHOUSE = ConfigOption("warehouse", str, None)
    CACHE_ENABLED = ConfigOption("cache-enabled", bool, True)
