"""The bytes behind columns of ``daft.File`` values: many at once, or one as a stream."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from pypaimon.common.input_stream import InputStream
from pypaimon.daft.compat import require_daft

if TYPE_CHECKING:
    import daft
    from daft import Series

    from pypaimon._native import NativeTable

#: How long an opened table is used: its credentials may come from the environment, and change there.
_TABLE_SECONDS = 300.0

#: Opened tables that are kept, the oldest goes first.
_TABLES_KEPT = 16


def read_blob(
    column: daft.Expression, catalog_options: dict[str, str], table: str, *, max_concurrency: int = 64
) -> daft.Expression:
    """The bytes of a column of ``daft.File`` values, as a binary column.

    Values that are neighbours in a file are fetched by one request, and many requests run at the same time. A NULL
    stays NULL; a value without bytes is ``b""``. Whole values of the table are checked against their checksums;
    elements of lists and maps, and ranges that the caller made, have none. A file without a range is read whole.

    Filter first: what is filtered out afterwards has been fetched for nothing. The bytes of a batch are in memory at
    once. A scan yields batches of 32 MiB of values, of 128 MiB where these are large; after a join, a sort or
    ``collect()`` Daft makes larger ones, and ``df.into_batches(100)`` smaller ones again.

    Args:
        column: The File column. Lists are exploded first, ``df.explode("images")``.
        catalog_options: Options of the catalog that holds the table.
        table: Full name of the table the column comes from.
        max_concurrency: How many requests run at the same time; 0 is taken as 1.

    Raises:
        TypeError: `column` is not an expression; when it runs: not a column of files.
        ValueError: `max_concurrency` is negative, or `table` is not a name.
        TableNotExistException: When it runs: the table does not exist.

    Example:
        >>> df.select("id", read_blob(daft.col("image"), options, "db.images").alias("bytes"))  # doctest: +SKIP
    """
    require_daft()
    import daft

    if not isinstance(column, daft.Expression):
        raise TypeError(f"read_blob takes an expression such as col('image'), got: {column!r}")
    if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int):
        raise TypeError(f"max_concurrency must be a number of requests, got: {max_concurrency!r}")
    if max_concurrency < 0:
        raise ValueError(f"max_concurrency must not be negative, got: {max_concurrency}")
    fetch = _Fetch(_Place.of(catalog_options, table), max(1, max_concurrency))
    # No `batch_size`: Daft would wait for so many rows, and hold what was fetched for them.
    function = daft.func.batch(return_dtype=daft.DataType.binary(), use_process=False)(fetch)
    return function(column)


def open_blob(file: daft.File, catalog_options: dict[str, str], table: str) -> BinaryIO:
    """A seekable stream over one ``daft.File`` value: what is not read is not fetched.

    Use it in place of ``file.open()`` in functions over a column; for whole values ``read_blob`` is faster.

    Args:
        file: The value.
        catalog_options: Options of the catalog that holds the table.
        table: Full name of the table the value comes from.

    Raises:
        TypeError: `file` is not a ``daft.File``, such as the ``None`` of a NULL.
        ValueError: `table` is not a name.
        TableNotExistException: The table does not exist.

    Example:
        >>> with open_blob(file, options, "db.videos") as stream:  # doctest: +SKIP
        ...     header = stream.read(4096)
    """
    require_daft()
    import daft

    if not isinstance(file, daft.File):
        hint = ": a NULL has no bytes, test for None first" if file is None else ""
        raise TypeError(f"open_blob takes a daft.File, got: {file!r}{hint}")
    native = _tables.get(_Place.of(catalog_options, table))
    # Not `file.size()`, which asks the storage.
    return InputStream(native.open_blob(file.path, file.position, file._inner.size())).as_binary()


class _Fetch:
    """The function behind ``read_blob``.

    Args:
        place: The table.
        max_concurrency: How many requests run at the same time.
    """

    def __init__(self, place: _Place, max_concurrency: int) -> None:
        self._place, self._max_concurrency = place, max_concurrency
        self.__name__ = self.__qualname__ = "read_blob"

    def __call__(self, files: Series) -> Series:
        from daft import Series

        name = files.name()
        if not files.datatype().is_file():
            raise TypeError(
                f"read_blob takes a column of files, but '{name}' holds {files.datatype()}: BLOB columns of "
                "read_paimon are files, explode() takes them out of lists, and daft.functions.file makes them of paths"
            )
        native = _tables.get(self._place)
        fetched = native.fetch_blobs(files.to_arrow().storage, max_concurrency=self._max_concurrency, column=name)
        return Series.from_arrow(pa.record_batch(fetched).column(0), name)

    def __repr__(self) -> str:
        return f"read_blob({self._place!r})"


class _Place:
    """A table's name and the options to find it with; what it shows of itself holds no credentials."""

    def __init__(self, catalog_options: dict[str, str], table: str) -> None:
        self.catalog_options, self.table = catalog_options, table
        told = "\0".join([table, *(f"{key}\0{catalog_options[key]}" for key in sorted(catalog_options))])
        self.key = hashlib.sha256(told.encode()).hexdigest()

    @classmethod
    def of(cls, catalog_options: Mapping[str, Any], table: str) -> _Place:
        """The place that a caller names.

        Raises:
            TypeError: `catalog_options` are not a mapping.
            ValueError: `table` is not a name.
        """
        from pypaimon.common.identifier import Identifier

        if not isinstance(catalog_options, Mapping):
            raise TypeError(f"catalog_options must be a mapping, got: {type(catalog_options).__name__}")
        Identifier.of(table)
        return cls({str(key): str(value) for key, value in catalog_options.items()}, str(table))

    def __repr__(self) -> str:
        return repr(self.table)


class _Tables:
    """Opened tables of this process, each for a time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._opened: dict[tuple[int, str], tuple[float, NativeTable]] = {}

    def get(self, place: _Place) -> NativeTable:
        """The table, opened now or not long ago.

        Raises:
            TableNotExistException: It does not exist.
        """
        from pypaimon.catalog.catalog_factory import CatalogFactory

        key, now = (os.getpid(), place.key), time.monotonic()
        with self._lock:
            opened = self._opened.get(key)
            if opened is not None and now - opened[0] < _TABLE_SECONDS:
                return opened[1]
            native = CatalogFactory.create(place.catalog_options).get_table(place.table).native
            self._opened.pop(key, None)
            self._opened[key] = now, native
            while len(self._opened) > _TABLES_KEPT:
                del self._opened[next(iter(self._opened))]
            return native


_tables = _Tables()
