"""Paimon catalogs and tables behind Daft's catalog interfaces."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pypaimon.catalog.catalog_exception import DatabaseNotExistException, TableNotExistException
from pypaimon.daft.compat import require_daft
from pypaimon.exceptions import UnsupportedError

require_daft()

from daft.catalog import Catalog, Function, Identifier, NotFoundError, Properties, Table  # noqa: E402
from daft.schema import Schema  # noqa: E402

from pypaimon.daft.files import file_columns, with_blob_columns  # noqa: E402
from pypaimon.daft.reader import explain_source, source_for_table, travel_options  # noqa: E402
from pypaimon.daft.writer import write_table  # noqa: E402

if TYPE_CHECKING:
    from daft.dataframe import DataFrame
    from daft.io import IOConfig
    from daft.io.partitioning import PartitionField

    from pypaimon.catalog.catalog import Catalog as InnerCatalog
    from pypaimon.daft.compaction import CompactionProgress
    from pypaimon.daft.explain import PaimonScanExplain
    from pypaimon.daft.reader import Filters
    from pypaimon.daft.source import PaimonDataSource
    from pypaimon.table.file_store_table import FileStoreTable

_SELECTORS = ("snapshot_id", "tag_name", "timestamp", "incremental")
_READ_OPTIONS = {*_SELECTORS, "branch", "io_config", "follow_latest", "reader", "row_tracking"}
_WRITE_OPTIONS = {"partition", "commit_properties", "idempotence_key", "branch", "row_kind_column"}


class PaimonCatalog(Catalog):
    """A Paimon catalog as a Daft catalog: databases are namespaces.

    Args:
        inner: From ``pypaimon.CatalogFactory.create``.
        name: The name it goes by in Daft; identifiers may start with it.
        catalog_options: What workers open storage with; by default the catalog's own options.
    """

    def __init__(
        self, inner: InnerCatalog, name: str = "paimon", catalog_options: dict[str, str] | None = None
    ) -> None:
        self._inner = inner
        self._name = name
        self._catalog_options = catalog_options if catalog_options is not None else _options_of(inner)

    @property
    def name(self) -> str:
        """The name it goes by in Daft."""
        return self._name

    def _create_function(self, ident: Identifier, function: Function | Callable[..., Any]) -> None:
        raise UnsupportedError("Paimon catalogs hold no functions")

    def _create_namespace(self, ident: Identifier) -> None:
        self._inner.create_database(self._database(ident), ignore_if_exists=False)

    def _create_table(
        self,
        ident: Identifier,
        schema: Schema,
        properties: Properties | None = None,
        partition_fields: list[PartitionField] | None = None,
    ) -> PaimonTable:
        """Creates a table.

        Columns of files become BLOB, ARRAY<BLOB> and MAP<.., BLOB>; columns of bytes become BYTES unless they are named
        as BLOB. A table with such columns tracks its rows and may evolve its data: ``row-tracking.enabled`` and
        ``data-evolution.enabled``, without which Paimon has no BLOB columns, are set unless they are given.

        Args:
            ident: ``db.table``.
            schema: Its columns.
            properties: ``primary_keys`` and ``blob_fields`` (lists of column names), and table options;
                ``blob_fields`` is the option ``blob-field``.
            partition_fields: Partition columns; Paimon partitions by the columns' own values only.

        Raises:
            ValueError: ``primary_keys`` or ``blob_fields`` is not a list, or a BLOB column is none of bytes or files.
            UnsupportedError: A partition field with a transform.
            TableAlreadyExistException: The table exists.
            DatabaseNotExistException: Its database does not.
        """
        from pypaimon import Schema as PaimonSchema

        properties = dict(properties or {})
        primary_keys, blob_fields = (_names(properties, key) for key in ("primary_keys", "blob_fields"))
        options = {key: _option_text(value) for key, value in properties.items()}
        if blob_fields:
            options["blob-field"] = ",".join([*blob_fields, *filter(None, [options.get("blob-field")])])
        name = self._required_table(ident)
        columns = with_blob_columns(schema.to_pyarrow_schema(), _blob_columns(options))
        if file_columns(columns):
            options = {"row-tracking.enabled": "true", "data-evolution.enabled": "true", **options}
        paimon_schema = PaimonSchema.from_pyarrow_schema(
            columns,
            partition_keys=[_partition_key(field) for field in partition_fields or []],
            primary_keys=primary_keys,
            options=options,
        )
        self._inner.create_table(name, paimon_schema, ignore_if_exists=False)
        return PaimonTable(self._load(name), self._catalog_options)

    def _drop_namespace(self, ident: Identifier) -> None:
        database = self._database(ident)
        try:
            self._inner.drop_database(database, ignore_if_not_exists=False)
        except DatabaseNotExistException as error:
            raise NotFoundError(f"Namespace '{database}' not found.") from error

    def _drop_table(self, ident: Identifier) -> None:
        name = self._required_table(ident)
        try:
            self._inner.drop_table(name, ignore_if_not_exists=False)
        except (TableNotExistException, DatabaseNotExistException) as error:
            raise NotFoundError(f"Table '{name}' not found.") from error

    def _get_function(self, ident: Identifier) -> Function:
        raise NotFoundError(f"Function '{ident}' not found in catalog '{self.name}'")

    def _get_table(self, ident: Identifier) -> PaimonTable:
        name = self._required_table(ident)
        try:
            return PaimonTable(self._load(name), self._catalog_options)
        except (TableNotExistException, DatabaseNotExistException) as error:
            raise NotFoundError(f"Table '{name}' not found.") from error

    def _has_namespace(self, ident: Identifier) -> bool:
        try:
            self._inner.get_database(self._database(ident))
        except (DatabaseNotExistException, NotFoundError):
            return False
        return True

    def _has_table(self, ident: Identifier) -> bool:
        name = self._table(ident)
        if name is None:
            return False
        try:
            self._inner.get_table(name)
        except (TableNotExistException, DatabaseNotExistException):
            return False
        return True

    def _list_namespaces(self, pattern: str | None = None) -> list[Identifier]:
        """Databases whose name matches: a prefix, or a LIKE pattern when it contains ``%``."""
        return [Identifier(name) for name in self._inner.list_databases() if _matches(name, pattern)]

    def _list_tables(self, pattern: str | None = None) -> list[Identifier]:
        """Tables whose ``db.table`` matches: a prefix, or a LIKE pattern when it contains ``%``."""
        databases = self._inner.list_databases()
        if pattern is not None and "." in pattern and "%" not in (database := pattern.split(".", 1)[0]):
            databases = [name for name in databases if _matches(name, database) and len(name) == len(database)]
        return [
            Identifier(database, table)
            for database in databases
            for table in self._inner.list_tables(database)
            if _matches(f"{database}.{table}", pattern)
        ]

    def _load(self, name: str) -> FileStoreTable:
        return self._inner.get_table(name)  # type: ignore[return-value]

    def _database(self, ident: Identifier) -> str:
        parts = tuple(ident)
        if len(parts) == 2 and parts[0] == self._name:
            parts = parts[1:]
        if len(parts) != 1:
            raise NotFoundError(f"Namespace '{ident}' not found: Paimon has one level of namespaces.")
        return parts[0]

    def _table(self, ident: Identifier) -> str | None:
        """``db.table`` without this catalog's name; ``None``: no such identifier here."""
        parts = tuple(ident)
        if len(parts) == 3 and parts[0] == self._name:
            parts = parts[1:]
        return ".".join(parts) if len(parts) == 2 else None

    def _required_table(self, ident: Identifier) -> str:
        name = self._table(ident)
        if name is None:
            raise NotFoundError(f"Table '{ident}' not found in catalog '{self._name}': expected 'db.table'.")
        return name


class PaimonTable(Table):
    """A Paimon table as a Daft table.

    Args:
        inner: From ``catalog.get_table``.
        catalog_options: What workers open storage with; by default the table's own options.
    """

    def __init__(self, inner: FileStoreTable, catalog_options: dict[str, str] | None = None) -> None:
        self._inner = inner
        self._catalog_options = catalog_options or {}

    @property
    def name(self) -> str:
        """The table's name without its database."""
        return self._inner.identifier.object

    @property
    def primary_keys(self) -> list[str]:
        """Columns of the primary key; empty: an append table."""
        return list(self._inner.primary_keys)

    @property
    def partition_keys(self) -> list[str]:
        """Partition columns, in order."""
        return list(self._inner.partition_keys)

    @property
    def is_primary_key_table(self) -> bool:
        """Whether the table has a primary key."""
        return self._inner.is_primary_key_table

    @property
    def bucket_count(self) -> int:
        """The option ``bucket``; -1: not fixed."""
        return self._inner.total_buckets

    @property
    def table_options(self) -> dict[str, str]:
        """The table's options."""
        return dict(self._inner.table_schema.options)

    def schema(self) -> Schema:
        """The latest columns, as Daft sees them."""
        return source_for_table(self._latest(), self._catalog_options, follow_latest=True).schema

    def read(self, **options: Any) -> DataFrame:
        """A lazy frame over the table as it is now, see ``read_paimon``.

        Args:
            **options: ``snapshot_id``, ``tag_name``, ``timestamp``, ``incremental``, ``branch``, ``io_config``,
                ``follow_latest``, ``reader``, ``row_tracking``.
        """
        Table._validate_options("Paimon read", options, _READ_OPTIONS)
        return self._source(options).read()

    def explain_scan(
        self,
        *,
        filters: Filters | None = None,
        partition_filters: Filters | None = None,
        columns: list[str] | None = None,
        limit: int | None = None,
        io_config: IOConfig | None = None,
        verbose: bool = False,
        **options: Any,
    ) -> PaimonScanExplain:
        """Plans a scan without reading data, see ``explain_paimon_scan``."""
        Table._validate_options("Paimon explain", options, _READ_OPTIONS)
        source = self._source({**options, "io_config": io_config})
        return explain_source(source, filters, partition_filters, columns, limit, verbose)

    def write(self, df: DataFrame, mode: str = "append", **options: Any) -> DataFrame:  # type: ignore[override]
        """Appends or overwrites, see ``write_paimon``; any other mode is a ``ValueError``."""
        Table._validate_options("Paimon write", options, _WRITE_OPTIONS)
        return write_table(df, self._latest(options.pop("branch", None)), mode=mode, **options)

    def append(self, df: DataFrame, **options: Any) -> DataFrame:  # type: ignore[override]
        """Appends the rows of a frame; returns a row for each new file, see ``write_paimon``."""
        return self.write(df, "append", **options)

    def overwrite(self, df: DataFrame, **options: Any) -> DataFrame:  # type: ignore[override]
        """Replaces rows; returns a row for each new file, see ``write_paimon``."""
        return self.write(df, "overwrite", **options)

    def compact(
        self,
        full: bool = False,
        partitions: Sequence[Mapping[str, Any]] | None = None,
        dry_run: bool = False,
        *,
        progress: Callable[[CompactionProgress], object] | None = None,
        branch: str | None = None,
    ) -> DataFrame:
        """Merges the table's files into fewer, larger ones, see ``FileStoreTable.compact``.

        Args:
            full: Merges everything, and not only what is due.
            partitions: Only these, such as ``[{"dt": "2024-01-01"}]``.
            dry_run: Plans, and does nothing.
            progress: Called before the first task and after each.
            branch: The branch to compact.

        Returns:
            A row for each bucket that is compacted, and one for the manifests.
        """
        return self._latest(branch).compact(full, partitions, dry_run, progress=progress)

    def truncate(self) -> None:
        """Removes all rows, and commits."""
        commit = self._inner.new_batch_write_builder().new_commit()
        try:
            commit.truncate_table()
        finally:
            commit.close()

    def truncate_partitions(self, partitions: list[Mapping[str, str]]) -> None:
        """Removes the rows of some partitions, and commits.

        Args:
            partitions: For each partition: column -> value as text.
        """
        commit = self._inner.new_batch_write_builder().new_commit()
        try:
            commit.truncate_partitions([dict(partition) for partition in partitions])
        finally:
            commit.close()

    def _source(self, options: dict[str, Any]) -> PaimonDataSource:
        travel = travel_options(**{name: options.pop(name, None) for name in _SELECTORS})
        table = self._latest(options.pop("branch", None))
        return source_for_table(table, self._catalog_options, travel=travel, **options)

    def _latest(self, branch: str | None = None) -> FileStoreTable:
        """The table with its latest schema: this object may be older than the last ALTER TABLE."""
        if self._inner.identifier.on_branch(branch) == self._inner.identifier:
            return self._inner.refresh()
        return self._inner.copy({"branch": branch})


def _options_of(inner: InnerCatalog) -> dict[str, str]:
    return dict(getattr(inner, "catalog_options", None) or {})


def _partition_key(field: PartitionField) -> str:
    source, transform = field.source_field, field.transform
    if (transform is not None and not transform.is_identity()) or (source and source.name != field.field.name):
        raise UnsupportedError(
            f"partition field {field!r}: Paimon partitions by the values of a column as they are; add a column that "
            "holds the transformed value"
        )
    return field.field.name


def _names(properties: dict[str, Any], key: str) -> list[str]:
    names = properties.pop(key, [])
    if not isinstance(names, (list, tuple)):
        raise ValueError(f"{key} must be a list of column names, got: {names!r}")
    return list(names)


def _blob_columns(options: Mapping[str, str]) -> list[str]:
    """The columns that table options name as BLOB, however they are kept."""
    keys = ("blob-field", "blob-descriptor-field", "blob.stored-descriptor-fields", "blob-view-field")
    named = [name.strip() for key in keys for name in options.get(key, "").split(",")]
    return [name for name in dict.fromkeys(named) if name]


def _option_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _matches(name: str, pattern: str | None) -> bool:
    if pattern is None:
        return True
    if "%" not in pattern:
        return name.startswith(pattern)
    tokens = re.findall(r"\\.|.", pattern, re.DOTALL)
    like = "".join({"%": ".*", "_": "."}.get(token, re.escape(token[-1])) for token in tokens)
    return re.fullmatch(like, name, re.DOTALL) is not None
