"""The extension module: what `pypaimon` is built on.

Use `pypaimon` and `pypaimon.daft`; these classes follow them without notice. All of them may be shared by threads. A
call waits with the GIL released and stops on Ctrl-C. Errors are those of `pypaimon.exceptions`.
"""

import builtins
from collections.abc import Mapping, Sequence
from typing import Any, final

from typing_extensions import Self

__all__ = [
    "NativeBatch",
    "NativeBlobStream",
    "NativeBranches",
    "NativeBucket",
    "NativeCatalog",
    "NativeCommitMessage",
    "NativeCompactPlan",
    "NativeCompactTask",
    "NativeCompacted",
    "NativeEntry",
    "NativeFile",
    "NativeMatches",
    "NativePlan",
    "NativePredicate",
    "NativeRouting",
    "NativeSchema",
    "NativeSnapshots",
    "NativeSplit",
    "NativeStop",
    "NativeStream",
    "NativeTable",
    "NativeTags",
    "NativeUpdate",
    "NativeWriter",
    "decode_descriptor",
    "decode_view",
    "encode_descriptor",
    "encode_view",
    "fields_from_arrow",
    "fields_to_arrow",
    "known_option_warnings",
    "looks_like_descriptor",
    "open_file",
    "s3_settings",
    "without_secrets",
]

_Tree = tuple[Any, ...]
"""A condition: ``("and", [tree, ..])``, ``("or", [tree, ..])``, ``("not", tree)`` or
``("leaf", method, column, [literal, ..])`` with the methods of `pypaimon.common.predicate.Predicate`."""

_State = tuple[str, int | None, int | None]
"""What is read: ``("snapshot", None, id)`` (no id: the empty state), ``("delta", after, up_to)``: what the snapshots in
between appended, or ``("diff", before, after)``: what the second state has and the first has not."""

@final
class NativeCatalog:
    """A connected catalog."""

    @staticmethod
    def connect(options: Mapping[str, str]) -> NativeCatalog:
        """Connects by ``metastore`` and ``warehouse``.

        ``cache-enabled=false`` keeps no metadata in memory; ``local.fsync=true`` flushes local files to disk before a
        commit is acknowledged.
        """

    def options(self) -> dict[str, str]:
        """What it was connected with."""

    def list_databases(self) -> list[str]: ...
    def create_database(self, name: str, ignore_if_exists: bool) -> None: ...
    def drop_database(self, name: str, ignore_if_not_exists: bool, cascade: bool) -> None: ...
    def database_exists(self, name: str) -> bool: ...
    def list_tables(self, database: str) -> list[str]: ...
    def create_table(self, database: str, object: str, schema_json: str, ignore_if_exists: bool) -> None:
        """Creates a table.

        Args:
            database: Its database.
            object: Its name.
            schema_json: ``fields`` as in a schema file (ids are given anew), ``partitionKeys``, ``primaryKeys``,
                ``options``, ``comment``.
            ignore_if_exists: Whether it may exist already.
        """

    def get_table(self, database: str, object: str) -> NativeTable:
        """A table with its latest schema; `object` may name a branch, ``t$branch_b``, and end with a view."""

    def alter_table(self, database: str, object: str, changes_json: str, ignore_if_not_exists: bool) -> None:
        """Makes a new schema; `changes_json` is a list of changes as in Paimon's REST API."""

    def rename_table(
        self, database: str, object: str, to_database: str, to_object: str, ignore_if_not_exists: bool
    ) -> None: ...
    def drop_table(self, database: str, object: str, ignore_if_not_exists: bool) -> None: ...

@final
class NativeTable:
    """One table at one schema, with its dynamic options. Never changes; pickles without secret options."""

    def __new__(
        cls,
        location: str,
        catalog_options: Mapping[str, str],
        schema_json: str,
        branch: str | None = None,
        dynamic: Mapping[str, str | None] = ...,
        pin: tuple[_State, int] | None = None,
        view: str | None = None,
    ) -> Self:
        """What unpickling calls; use `open`."""

    @staticmethod
    def open(
        location: str,
        catalog_options: Mapping[str, str],
        schema_json: str | None = None,
        branch: str | None = None,
        view: str | None = None,
    ) -> NativeTable:
        """Opens a table without a catalog, as workers do.

        Args:
            location: Its folder or URL.
            catalog_options: With the secrets that its storage needs.
            schema_json: The exact schema; ``None``: the latest.
            branch: The branch.
            view: See the property.
        """

    @property
    def location(self) -> str:
        """URL of the table's folder."""

    @property
    def branch(self) -> str | None: ...
    @property
    def view(self) -> str | None:
        """What of the table is read: ``None``: all.

        ``"ro"``: only what needs no merge, of a primary-key table the highest level; ``"row_tracking"``: also the
        columns ``_ROW_ID`` and ``_SEQUENCE_NUMBER``.
        """

    @property
    def pinned(self) -> _State | None:
        """What it is pinned to, for `pin`; ``None``: what its options say, anew at each read."""

    def catalog_options(self) -> dict[str, str]: ...
    def schema_json(self) -> str:
        """The schema with dynamic options."""

    def arrow_schema(self) -> NativeSchema:
        """What a read of all columns gives."""

    def latest_schema_json(self) -> str:
        """The schema that is current now."""

    def copy(self, options: Mapping[str, str | None]) -> NativeTable:
        """The same table with options set or removed (``None``).

        Options that choose a read point bring that state's schema; increments have the latest one. What does not exist,
        and a change of ``bucket``, ``path`` or ``data-file.path-directory``, are errors.
        """

    def refresh(self) -> NativeTable:
        """The same table and dynamic options with the schema that is current now, not pinned."""

    def tracking_rows(self) -> NativeTable:
        """The same table, showing the id of each row and the snapshot that changed it last.

        Raises:
            pypaimon.exceptions.InvalidInputError: The table does not track its rows.
        """

    def snapshots(self) -> NativeSnapshots:
        """The snapshots of this branch."""

    def tags(self) -> NativeTags:
        """The tags of this branch."""

    def branches(self) -> NativeBranches:
        """The branches of the table."""

    def pin(self, state: _State | None = None) -> NativeTable:
        """The same table and schema reading exactly this state or increment, whatever is committed later.

        ``None`` is what the table reads now. A given state is not looked for now; a read of one that has been expired
        meanwhile raises `pypaimon.exceptions.SnapshotExpiredError`.
        """

    def check_pin(self) -> None:
        """Raises `pypaimon.exceptions.SnapshotExpiredError` when the pinned state is in storage no longer."""

    def identity(self) -> str:
        """What tells this table from another one created at the same place later."""

    def predicate(self, tree: _Tree) -> NativePredicate:
        """Binds a condition to the table's columns.

        Raises:
            pypaimon.exceptions.InvalidInputError: A column does not exist.
            pypaimon.exceptions.UnsupportedError: The condition cannot be evaluated exactly.
        """

    def plan(
        self,
        *,
        predicate: NativePredicate | None = None,
        filter_is_exact: bool = True,
        partition_predicate: NativePredicate | None = None,
        limit: int | None = None,
        buckets: Sequence[int] | None = None,
        split_target_bytes: int | None = None,
        shard: tuple[int, int] | None = None,
        rows: tuple[int, int] | None = None,
        columns: Sequence[str] | None = None,
    ) -> NativePlan:
        """Finds the files that may hold rows of the answer.

        Args:
            predicate: Which rows are wanted; files that certainly hold none are left out.
            filter_is_exact: Whether nothing but `predicate` filters rows later, so that `limit` may stop planning.
            partition_predicate: Which partitions are wanted; exact.
            limit: How many rows are wanted.
            buckets: Which buckets are wanted.
            split_target_bytes: Bytes that splits are packed to; ``None``: the table's option.
            shard: Which of how many equal parts of the rows; `limit` then ends no planning.
            rows: From which row up to but without which one.
            columns: Which columns will be read, besides those of `predicate`; ``None``: any.
        """

    def read(
        self,
        splits: Sequence[NativeSplit],
        *,
        columns: Sequence[str] | None = None,
        predicate: NativePredicate | None = None,
        limit: int | None = None,
        batch_rows: int | None = None,
        parallelism: int = 1,
        blobs: str | None = None,
        io_config: bytes | None = None,
    ) -> NativeStream:
        """Reads splits, a few batches ahead of the consumer.

        Args:
            splits: What to read.
            columns: Columns in order; ``None``: all.
            predicate: Exactly the rows for which it is true are kept; it may name other columns.
            limit: At most so many rows, in all.
            batch_rows: Rows of a batch.
            parallelism: Splits that are read at the same time; above 1 batches come as they become ready.
            blobs: What BLOB columns hold: ``"bytes"``, ``"descriptors"``, or ``"files"``, structs of ``url``,
                ``io_config``, ``position`` and ``size``; ``None``: what the table's option ``blob-as-descriptor`` says.
            io_config: What stands in each file.
        """

    def read_all(
        self,
        splits: Sequence[NativeSplit],
        *,
        columns: Sequence[str] | None = None,
        predicate: NativePredicate | None = None,
        limit: int | None = None,
        parallelism: int = 1,
        blobs: str | None = None,
        io_config: bytes | None = None,
    ) -> NativeStream:
        """Like `read`, into memory before it returns, in the order of the splits."""

    def fetch_blobs(self, files: Any, *, max_concurrency: int = 64, column: str = "") -> NativeBatch:
        """The bytes that files point to, as one column ``bytes``.

        Args:
            files: An array of structs with ``url``, ``position`` and ``size``, as `read` gives them or from elsewhere;
                no position and no size: the whole file.
            max_concurrency: Requests that run at the same time, at least 1.
            column: What the column is called, for messages.
        """

    def open_blob(self, url: str, position: int | None, size: int | None) -> NativeBlobStream:
        """One of these as a stream."""

    def count_splits(self, splits: Sequence[NativeSplit], parallelism: int = 1) -> int:
        """Rows of splits, by reading no more of them than it takes."""

    def count_rows(self, partition_predicate: NativePredicate | None = None) -> int | None:
        """Rows by metadata alone; ``None`` when that cannot tell."""

    def native_parquet(
        self,
        splits: Sequence[NativeSplit],
        columns: Sequence[str] | None = None,
        predicate: NativePredicate | None = None,
    ) -> list[str | None]:
        """For each split, why its files cannot be given to a Parquet reader that takes columns by name.

        ``None``: they can be: all are Parquet with the same columns by id, name and type, nothing is deleted, and every
        reader agrees on the types. And no file index is to be asked about ``predicate``, which `read` does.
        """

    def partition_batch(self, splits: Sequence[NativeSplit]) -> NativeBatch:
        """The partition columns, one row for each split."""

    def writer(
        self,
        memory_bytes: int | None = None,
        *,
        row_kind_column: str | None = None,
        order_column: str | None = None,
        overwrite: bool = False,
        write_type: Sequence[str] | None = None,
        assigned: tuple[str, int | None] | None = None,
        commit_user: str | None = None,
    ) -> NativeWriter:
        """A writer.

        Args:
            memory_bytes: What it holds at most, about; ``None``: the table's option.
            row_kind_column: A column of the rows, not of the table, with ``+I``, ``-U``, ``+U`` or ``-D``.
            order_column: A column of the rows, not of the table, of 64-bit integers: the order in which rows of a key
                follow one another; ``None``: that in which they are written.
            overwrite: Whether what is written replaces what is there.
            write_type: The columns that rows bring; ``None``: all.
            assigned: Of rows from `NativeRouting.assign_buckets`: their column with the bucket, and the latest snapshot
                that there was before buckets were assigned.
            commit_user: Who is going to commit.
        """

    def updater(self) -> NativeUpdate:
        """Changes of rows that are there, by the latest snapshot."""

    def routing(self) -> NativeRouting:
        """Where rows go when several workers write them."""

    def commit(
        self,
        messages: Sequence[NativeCommitMessage],
        *,
        user: str,
        identifier: int,
        mode: str,
        partition: Mapping[str, str] | None,
        partitions: Sequence[Mapping[str, str]] | None,
        properties: Mapping[str, str],
        identity: str,
    ) -> int | None:
        """Publishes a snapshot.

        Args:
            messages: What writers prepared.
            user: Who commits.
            identifier: What the user calls this commit; one that is found under both names is not made again.
            mode: ``append``; ``overwrite-dynamic``: replaces the partitions that are written; ``overwrite-static``:
                replaces all that match `partition`; ``truncate``: deletes what matches one of `partitions`.
            partition: Values of some or all partition columns.
            partitions: Each like `partition`; none: the whole table.
            properties: What the snapshot shall carry.
            identity: From `identity`, when the write began.

        Returns:
            The snapshot's id; ``None`` when there was nothing to commit.

        Raises:
            pypaimon.exceptions.NotVisibleError: The snapshot is there, but the compaction failed that shows its rows.
        """

    def compact_after(self, snapshot_id: int, user: str, identity: str) -> None:
        """Compacts what a snapshot of rows has made due, as `commit` does by itself.

        Raises:
            pypaimon.exceptions.NotVisibleError: That failed, and without it the rows are not seen.
        """

    def plan_compaction(
        self, *, full: bool = False, partitions: Sequence[Mapping[str, str]] | None = None
    ) -> NativeCompactPlan:
        """Plans a compaction of the latest snapshot.

        Args:
            full: Everything, else what is due.
            partitions: Only what matches one of these: values of some or all partition columns as text.

        Raises:
            pypaimon.exceptions.InvalidInputError: The table object shows another state than the latest.
        """

    def abort(self, messages: Sequence[NativeCommitMessage]) -> None:
        """Deletes the new files of messages that are known not to be committed."""

@final
class NativeSnapshots:
    """The snapshots that a table retains, as dictionaries with the keys of their files."""

    def get(self, id: int) -> dict[str, Any] | None:
        """A snapshot, perhaps from the cache."""

    def latest(self) -> dict[str, Any] | None: ...
    def ids(self) -> list[int]:
        """Ids, ascending."""

    def find_commit(self, user: str, identifier: int) -> int | None:
        """The retained snapshot that a user committed under an identifier."""

    def delta_entries(self, id: int) -> list[NativeEntry]:
        """The data files that a snapshot added and removed."""

    def rollback(
        self, *, snapshot_id: int | None = None, tag: str | None = None, timestamp_millis: int | None = None
    ) -> int:
        """Makes one of these the latest state, and returns its snapshot's id. Later snapshots and their tags go."""

@final
class NativeEntry:
    """A data file that a snapshot added or removed."""

    @property
    def kind(self) -> int:
        """0: added; 1: removed."""

    @property
    def bucket(self) -> int: ...
    @property
    def total_buckets(self) -> int: ...
    @property
    def file(self) -> NativeFile: ...
    def partition(self) -> dict[str, Any]:
        """The partition's values as Python objects."""

@final
class NativeBranches:
    """The branches of a table."""

    def list(self) -> list[str]:
        """All but the main one."""

    def create(self, name: str, from_tag: str | None, ignore_if_exists: bool) -> None: ...
    def drop(self, name: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def fast_forward(self, name: str) -> None:
        """Makes this branch what another one is."""

@final
class NativeTags:
    """The tags of a table."""

    def create(
        self, name: str, snapshot_id: int | None, ignore_if_exists: bool, time_retained_millis: int | None
    ) -> None: ...
    def replace(self, name: str, snapshot_id: int | None, time_retained_millis: int | None) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def delete(self, name: str) -> bool:
        """Whether there was one."""

    def expire(self) -> builtins.list[str]:
        """Deletes those whose time is over; their names."""

    def list(self) -> list[str]: ...
    def get(self, name: str) -> dict[str, Any] | None:
        """A tag's snapshot with ``tagCreateTime`` and ``tagTimeRetained`` in milliseconds."""

@final
class NativePredicate:
    """A condition bound to a table's columns."""

    def fields(self) -> list[str]:
        """The columns it names."""

@final
class NativeFile:
    """A data file."""

    @property
    def file_name(self) -> str: ...
    @property
    def path(self) -> str:
        """URL; the file's name alone in a commit message."""

    @property
    def file_size(self) -> int:
        """Bytes."""

    @property
    def row_count(self) -> int:
        """Rows, deleted ones included."""

    @property
    def schema_id(self) -> int: ...
    @property
    def level(self) -> int: ...
    @property
    def has_deletions(self) -> bool: ...
    @property
    def is_blob(self) -> bool:
        """Whether it holds the values of one BLOB column, and nothing else."""

@final
class NativeSplit:
    """Files of one bucket that are read together. Pickles as bytes; all splits of a plan share one table."""

    def __new__(cls, data: bytes, table: NativeTable) -> Self:
        """Same as `from_bytes`."""

    @staticmethod
    def from_bytes(data: bytes, table: NativeTable) -> NativeSplit:
        """The inverse of `to_bytes`."""

    def to_bytes(self) -> bytes:
        """The bytes of Java's ``DataSplit``."""

    @property
    def snapshot_id(self) -> int: ...
    @property
    def bucket(self) -> int: ...
    @property
    def total_buckets(self) -> int | None: ...
    @property
    def files(self) -> list[NativeFile]: ...
    @property
    def file_count(self) -> int: ...
    @property
    def file_size(self) -> int:
        """Bytes of all files."""

    @property
    def row_count(self) -> int:
        """Rows of all files, deleted ones included."""

    @property
    def merged_row_count(self) -> int | None:
        """Rows that a read without filter gives, where metadata tells."""

    @property
    def raw_convertible(self) -> bool:
        """Whether the files can be read one by one."""

    def partition(self) -> dict[str, Any]:
        """The partition's values as Python objects."""

@final
class NativePlan:
    """The splits of one snapshot."""

    @property
    def snapshot_id(self) -> int | None: ...
    @property
    def splits(self) -> list[NativeSplit]: ...
    @property
    def report(self) -> dict[str, Any]:
        """What each stage was given and kept: ``manifests``, ``partitions``, ``buckets``, ``files``, ``file_index``.

        ``entries_read`` counts manifest entries; ``limit_stopped`` says whether the limit ended planning.
        """

@final
class NativeStream:
    """Batches of a read, given once: through the Arrow C stream interface, or one by one with `read_next`.

    Ctrl-C is looked at in `read_next`, and not while another library waits in the C interface.
    """

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __arrow_c_schema__(self) -> object: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> NativeBatch: ...
    def read_next(self) -> NativeBatch | None:
        """The next batch, which has rows; ``None`` at the end."""

    def close(self) -> None:
        """Stops the read. A thread that waits for a batch wakes with an error: it must not take it for the end."""

@final
class NativeBlobStream:
    """A file, or a range of one: what is not read is not fetched."""

    def read(self, size: int = ...) -> bytes:
        """Up to so many bytes, fewer only at the end; all that are left when negative."""

    def seek(self, position: int, whence: int = 0) -> int:
        """Moves, from the start, from here (1) or from the end (2); the new position."""

    def tell(self) -> int: ...
    @property
    def size(self) -> int:
        """How many bytes there are in all; asks the storage where the range has no end of its own."""

    def close(self) -> None:
        """Lets go of what was read ahead."""

@final
class NativeBatch:
    """A record batch, for any library that speaks the Arrow C data interface."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...
    def __arrow_c_schema__(self) -> object: ...
    @property
    def num_rows(self) -> int: ...

@final
class NativeSchema:
    """A schema, for any library that speaks the Arrow C data interface."""

    def __arrow_c_schema__(self) -> object: ...

@final
class NativeWriter:
    """Writes rows of one table; threads may share it, one writes at a time."""

    def write(self, batch: object) -> None:
        """Writes what speaks ``__arrow_c_array__`` or ``__arrow_c_stream__``."""

    def prepare_commit(self) -> list[NativeCommitMessage]:
        """Finishes the files and ends the writer."""

    def abort(self) -> None:
        """Deletes what was written and not prepared."""

@final
class NativeUpdate:
    """Prepares changes of rows by their ids, as of one snapshot; nothing is left behind after an error."""

    @property
    def snapshot_id(self) -> int | None:
        """The snapshot; ``None``: the table is empty."""

    def update_columns(self, rows: object, columns: Sequence[str] | None = None) -> list[NativeCommitMessage]:
        """New values for rows.

        Args:
            rows: What speaks ``__arrow_c_array__`` or ``__arrow_c_stream__``, with ``_ROW_ID``.
            columns: The columns to update; ``None``: all that the rows bring.
        """

    def delete_rows(self, row_ids: Sequence[int]) -> list[NativeCommitMessage]:
        """Deletes rows, through deletion vectors."""

    def delete_where(self, predicate: NativePredicate | None = None) -> list[NativeCommitMessage]:
        """Deletes rows for which a condition is true; ``None``: all."""

    def matching(self, predicate: NativePredicate | None = None, columns: Sequence[str] = ...) -> NativeMatches:
        """Rows for which a condition is true: the columns, then ``_ROW_ID``."""

    def upsert(
        self, rows: object, keys: Sequence[str], update_columns: Sequence[str] | None = None
    ) -> list[NativeCommitMessage]:
        """Rows by key: those that are there change, the others are added."""

@final
class NativeMatches:
    """Batches of matching rows, one for each row group that has some."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> NativeBatch: ...

@final
class NativeCommitMessage:
    """What one writer did to one bucket of one partition. Pickles as bytes."""

    def __new__(cls, data: bytes) -> Self:
        """Same as `from_bytes`."""

    @staticmethod
    def from_bytes(data: bytes) -> NativeCommitMessage:
        """The inverse of `to_bytes`."""

    def to_bytes(self) -> bytes:
        """For transport between processes of one version of this package."""

    @property
    def partition(self) -> bytes:
        """The partition's row in the form that manifests hold."""

    @property
    def bucket(self) -> int: ...
    @property
    def new_files(self) -> list[NativeFile]: ...
    @property
    def compact_before(self) -> list[NativeFile]:
        """Files that a compaction replaces."""

    @property
    def compact_after(self) -> list[NativeFile]:
        """Files that a compaction made."""

    def is_empty(self) -> bool: ...

_Manifests = tuple[int, int, int]
"""Manifests, their bytes, and the entries in them."""

@final
class NativeRouting:
    """Divides rows among the writers of a table, and decides their buckets apart from where they are written."""

    def columns(self) -> list[str]:
        """The columns by which rows of a table with fixed buckets find their partition and bucket."""

    def route(self, rows: Any, channels: int) -> NativeBatch:
        """For each row one of so many channels, in a column ``channel``: rows of one bucket go one way.

        Args:
            rows: A record batch, with the columns of `columns` at least.
            channels: How many there are.
        """

    def assigning_columns(self) -> list[str]:
        """The columns by which rows of a table with dynamic buckets find who assigns their bucket."""

    def assigners(self, workers: int) -> int:
        """How many of so many workers assign buckets."""

    def route_to_assigners(self, rows: Any, workers: int) -> NativeBatch:
        """For each row one of the `assigners`, in a column ``channel``: rows of one key go one way.

        Args:
            rows: A record batch, with the columns of `assigning_columns` at least.
            workers: As for `assigners`.
        """

    def route_assigned(self, rows: Any, bucket_column: str, channels: int) -> NativeBatch:
        """For each row one of so many channels, in a column ``channel``: rows of one bucket go one way.

        Args:
            rows: A record batch, with the partition columns and that of the bucket at least.
            bucket_column: The column of 32-bit integers that says the bucket.
            channels: How many there are.
        """

    def assign_buckets(
        self,
        rows: Any,
        *,
        assigner: int,
        assigners: int,
        bucket_column: str,
        kind_column: str,
        row_kind_column: str | None = None,
        order_column: str | None = None,
        overwrite: bool = False,
    ) -> NativeBatch:
        """What a writer is to write when these are all rows that an assigner gets: rows and their buckets.

        Rows are added where a key moves from one partition to another.

        Args:
            rows: A record batch.
            assigner: Which one, from 0.
            assigners: How many there are.
            bucket_column: Name for the column with the bucket.
            kind_column: Name for the column with what the row does to its key, for the writer's ``row_kind_column``.
            row_kind_column: As for `NativeTable.writer`.
            order_column: As for `NativeTable.writer`.
            overwrite: As for `NativeTable.writer`.
        """

@final
class NativeCompactPlan:
    """What a compaction of one snapshot is going to do."""

    @property
    def snapshot_id(self) -> int | None:
        """The snapshot; ``None``: the table is empty."""

    @property
    def tasks(self) -> list[NativeCompactTask]:
        """To be done in any order, by anybody."""

    @property
    def buckets(self) -> list[NativeBucket]:
        """The buckets that tasks touch, with all that is in them."""

    @property
    def manifests(self) -> _Manifests: ...
    def commit(self, made: Sequence[Sequence[NativeCommitMessage]], *, user: str, identity: str) -> NativeCompacted:
        """Publishes a snapshot with what the tasks made, and merges manifests when everything was planned.

        The files of tasks that gave way are deleted, and those of all when nothing can be published.

        Args:
            made: For each task what came of it.
            user: Who commits.
            identity: From `NativeTable.identity`, when the compaction began.
        """

@final
class NativeCompactTask:
    """A piece of a compaction. Pickles as bytes."""

    def __new__(cls, data: bytes) -> Self:
        """Same as `from_bytes`."""

    @staticmethod
    def from_bytes(data: bytes) -> NativeCompactTask:
        """The inverse of `to_bytes`."""

    def to_bytes(self) -> bytes:
        """For transport between processes of one version of this package."""

    def run(self, table: NativeTable, stop: NativeStop | None = None) -> list[NativeCommitMessage]:
        """Carries it out; leaves nothing behind after an error.

        Memory: its part of ``write-buffer-size``, of which each processor has one.

        Args:
            table: The table that it was planned for.
            stop: Ends it from another thread.

        Raises:
            pypaimon.exceptions.InvalidInputError: It was stopped.
        """

    @property
    def partition(self) -> bytes:
        """The partition's row in the form that manifests hold."""

    @property
    def bucket(self) -> int: ...
    @property
    def work(self) -> str:
        """What is done, in words."""

    @property
    def file_count(self) -> int:
        """Files that are replaced."""

    @property
    def file_size(self) -> int:
        """Bytes of these."""

@final
class NativeStop:
    """Ends tasks that other threads carry out: they delete what they have written, and fail."""

    def __new__(cls) -> Self: ...
    def stop(self) -> None: ...

@final
class NativeBucket:
    """What there is in one bucket of one partition."""

    @property
    def partition_bytes(self) -> bytes:
        """The partition's row in the form that manifests hold."""

    def partition(self) -> dict[str, Any]:
        """The partition's values as Python objects."""

    @property
    def bucket(self) -> int: ...
    @property
    def file_count(self) -> int: ...
    @property
    def level_0_count(self) -> int:
        """Files of level 0."""

    @property
    def file_size(self) -> int:
        """Bytes of all files."""

    @property
    def row_count(self) -> int:
        """Rows of all files, deleted ones included."""

@final
class NativeCompacted:
    """What a compaction came to."""

    @property
    def snapshot_id(self) -> int | None:
        """The snapshot; ``None``: there was nothing to publish."""

    @property
    def gave_way(self) -> list[int]:
        """The tasks that gave way to other commits, by their places in the plan."""

    @property
    def manifests(self) -> _Manifests:
        """What there is afterwards."""

def fields_from_arrow(schema: object) -> str:
    """The columns that are made for an Arrow schema, as the JSON list of a schema file."""

def fields_to_arrow(fields_json: str) -> NativeSchema:
    """What a read of the columns of a schema file's JSON list gives."""

def known_option_warnings(options: Mapping[str, str]) -> list[str]:
    """A warning for each key that looks like a misspelt option of the format."""

def open_file(
    options: Mapping[str, str], url: str, position: int | None = None, size: int | None = None
) -> NativeBlobStream:
    """A range of any file that these options reach."""

def encode_descriptor(uri: str, offset: int, length: int) -> bytes:
    """A descriptor as bytes; -1: up to the end."""

def decode_descriptor(data: bytes) -> tuple[int, str, int, int]:
    """Version, URI, offset and length, of versions 1 and 2."""

def looks_like_descriptor(data: bytes) -> bool:
    """Whether bytes are a descriptor, of version 2."""

def encode_view(table: str, field_id: int, row_id: int) -> bytes:
    """A view of a value of another table, as bytes."""

def decode_view(data: bytes) -> tuple[str, int, int]:
    """Table, field and row of a view."""

def s3_settings(bucket: str, options: Mapping[str, str]) -> dict[str, Any]:
    """How to reach a bucket, by the names of Daft's ``S3Config``.

    Keys are those of the options or of a profile; those of the environment and of the machine are Daft's to find.

    Raises:
        InvalidInputError: Options that are misspelt, contradict one another, or are not enough.
    """

def without_secrets(options: Mapping[str, str]) -> dict[str, str]:
    """The options that may be stored or sent in the open."""
