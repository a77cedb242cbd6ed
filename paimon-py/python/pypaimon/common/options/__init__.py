"""Options: keys, types and maps."""

from pypaimon.common.options.config_option import ConfigOption
from pypaimon.common.options.core_options import CoreOptions
from pypaimon.common.options.options import Options

__all__ = ["ConfigOption", "CoreOptions", "Options"]
