"""Another name of ``pypaimon.daft.io_config``."""

from pypaimon.daft.io_config import infer_io_config as _convert_paimon_catalog_options_to_io_config

__all__ = ["_convert_paimon_catalog_options_to_io_config"]
