"""Table options, typed."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pypaimon.common.options.config_option import ConfigOption
from pypaimon.common.options.options import Options
from pypaimon.exceptions import UnsupportedFeatureError

__all__ = ["CoreOptions"]


class _OptionNames(type):
    """Names an option that this build does not know, instead of an `AttributeError`."""

    def __getattr__(cls, name: str) -> Any:
        if name.isupper():
            raise UnsupportedFeatureError(
                f"CoreOptions.{name} is not supported yet; pass the option by its key, for example "
                "{'some.key': 'value'}"
            )
        raise AttributeError(f"type object 'CoreOptions' has no attribute '{name}'")


class CoreOptions(metaclass=_OptionNames):
    """The options of a table: constants name them, methods read them.

    Example:
        >>> CoreOptions.FILE_FORMAT.key()
        'file.format'
        >>> CoreOptions.from_dict({"bucket": "4"}).bucket()
        4
    """

    BLOB_AS_DESCRIPTOR = ConfigOption("blob-as-descriptor", bool, False)
    BLOB_DESCRIPTOR_FIELD = ConfigOption("blob-descriptor-field", str, None)
    BLOB_FIELD = ConfigOption("blob-field", str, None)
    BLOB_TARGET_FILE_SIZE = ConfigOption("blob.target-file-size", bytes, 256 << 20)
    BLOB_VIEW_FIELD = ConfigOption("blob-view-field", str, None)
    BUCKET = ConfigOption("bucket", int, -1)
    BUCKET_KEY = ConfigOption("bucket-key", str, None)
    BRANCH = ConfigOption("branch", str, "main")
    COMMIT_MAX_RETRIES = ConfigOption("commit.max-retries", int, 10)
    COMMIT_MAX_RETRY_WAIT = ConfigOption("commit.max-retry-wait", timedelta, timedelta(seconds=10))
    COMMIT_MIN_RETRY_WAIT = ConfigOption("commit.min-retry-wait", timedelta, timedelta(milliseconds=10))
    COMMIT_TIMEOUT = ConfigOption("commit.timeout", timedelta, None)
    COMMIT_USER_PREFIX = ConfigOption("commit.user-prefix", str, None)
    DATA_EVOLUTION_ENABLED = ConfigOption("data-evolution.enabled", bool, False)
    DATA_FILE_PATH_DIRECTORY = ConfigOption("data-file.path-directory", str, None)
    DATA_FILE_PREFIX = ConfigOption("data-file.prefix", str, "data-")
    DELETION_VECTORS_ENABLED = ConfigOption("deletion-vectors.enabled", bool, False)
    DYNAMIC_PARTITION_OVERWRITE = ConfigOption("dynamic-partition-overwrite", bool, True)
    FILE_COMPRESSION = ConfigOption("file.compression", str, "zstd")
    FILE_COMPRESSION_ZSTD_LEVEL = ConfigOption("file.compression.zstd-level", int, 1)
    FILE_FORMAT = ConfigOption("file.format", str, "parquet")
    MANIFEST_COMPRESSION = ConfigOption("manifest.compression", str, "zstd")
    MANIFEST_TARGET_FILE_SIZE = ConfigOption("manifest.target-file-size", bytes, 8 << 20)
    METADATA_STATS_MODE = ConfigOption("metadata.stats-mode", str, "truncate(16)")
    PARTITION_DEFAULT_NAME = ConfigOption("partition.default-name", str, "__DEFAULT_PARTITION__")
    PARTITION_GENERATE_LEGACY_NAME = ConfigOption("partition.legacy-name", bool, True)
    PATH = ConfigOption("path", str, None)
    READ_PARALLELISM = ConfigOption("read.parallelism", int, None)
    ROW_TRACKING_ENABLED = ConfigOption("row-tracking.enabled", bool, False)
    SCAN_SNAPSHOT_ID = ConfigOption("scan.snapshot-id", int, None)
    SCAN_TAG_NAME = ConfigOption("scan.tag-name", str, None)
    SCAN_TIMESTAMP = ConfigOption("scan.timestamp", str, None)
    SCAN_TIMESTAMP_MILLIS = ConfigOption("scan.timestamp-millis", int, None)
    SCAN_VERSION = ConfigOption("scan.version", str, None)
    SCAN_WATERMARK = ConfigOption("scan.watermark", int, None)
    SOURCE_SPLIT_OPEN_FILE_COST = ConfigOption("source.split.open-file-cost", bytes, 4 << 20)
    SOURCE_SPLIT_TARGET_SIZE = ConfigOption("source.split.target-size", bytes, 128 << 20)
    TARGET_FILE_ROW_NUM = ConfigOption("target-file-row-num", int, 2**63 - 1)
    TARGET_FILE_SIZE = ConfigOption("target-file-size", bytes, None)
    TYPE = ConfigOption("type", str, "table")
    WRITE_BUFFER_SIZE = ConfigOption("write-buffer-size", bytes, 256 << 20)

    def __init__(self, options: Options) -> None:
        self.options = options

    @staticmethod
    def from_dict(options: dict[str, str]) -> CoreOptions:
        """The options of a map."""
        return CoreOptions(Options(options))

    def get(self, option: str | ConfigOption[Any], default: Any = None) -> Any:
        """The value of an option: text for a key, typed for a constant of this class."""
        return self.options.get(option, default)

    def keys(self) -> Iterable[str]:
        """The keys of the options that are set: with `__getitem__`, what ``dict(options)`` needs."""
        return self.to_map().keys()

    def __getitem__(self, key: str) -> str:
        return self.to_map()[key]

    def to_map(self) -> dict[str, str]:
        """The options that are set, as text."""
        return self.options.to_map()

    def bucket(self) -> int:
        """Buckets of a partition; -1: rows go to any file."""
        return int(self.get(self.BUCKET))

    def branch(self) -> str:
        """The branch."""
        return str(self.get(self.BRANCH))

    def file_format(self) -> str:
        """The format of new data files."""
        return str(self.get(self.FILE_FORMAT))

    def file_compression(self) -> str:
        """The compression of new data files."""
        return str(self.get(self.FILE_COMPRESSION))

    def deletion_vectors_enabled(self) -> bool:
        """Whether rows are deleted by deletion vectors."""
        return bool(self.get(self.DELETION_VECTORS_ENABLED))

    def data_evolution_enabled(self) -> bool:
        """Whether columns may be written apart from their rows."""
        return bool(self.get(self.DATA_EVOLUTION_ENABLED))

    def row_tracking_enabled(self) -> bool:
        """Whether rows have ids."""
        return bool(self.get(self.ROW_TRACKING_ENABLED))

    def dynamic_partition_overwrite(self) -> bool:
        """Whether an overwrite replaces only the partitions that it writes."""
        return bool(self.get(self.DYNAMIC_PARTITION_OVERWRITE))

    def read_parallelism(self) -> int | None:
        """Splits that one reader reads at the same time; ``None``: as many as there are processors."""
        value = self.get(self.READ_PARALLELISM)
        return None if value is None else int(value)

    def source_split_target_size(self) -> int:
        """Bytes that a split is packed to."""
        return int(self.get(self.SOURCE_SPLIT_TARGET_SIZE))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "options":
            raise AttributeError(name)
        raise UnsupportedFeatureError(
            f"CoreOptions.{name}() is not supported yet; read the option by its key: table.options.get('some.key')"
        )

    def __repr__(self) -> str:
        return f"CoreOptions({self.options!r})"
