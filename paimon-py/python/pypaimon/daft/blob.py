"""Reading BLOB columns: the documented entry points, until blob tables are supported."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NoReturn

from pypaimon.exceptions import UnsupportedFeatureError

if TYPE_CHECKING:
    import daft


def read_blob(
    column: daft.Expression, catalog_options: dict[str, str], table: str, *, max_concurrency: int = 64
) -> daft.Expression:
    """The bytes of a column of ``daft.File`` values, as a binary column.

    Args:
        column: The File column.
        catalog_options: Options of the catalog that holds the table.
        table: Full name of the table the column comes from.
        max_concurrency: How many values are fetched at a time.

    Raises:
        UnsupportedFeatureError: Always, in this version.
    """
    _not_yet("read_blob", table)


def open_blob(file: daft.File, catalog_options: dict[str, str], table: str) -> BinaryIO:
    """A seekable stream over one ``daft.File`` value, without loading it whole.

    Args:
        file: The value.
        catalog_options: Options of the catalog that holds the table.
        table: Full name of the table the value comes from.

    Raises:
        UnsupportedFeatureError: Always, in this version.
    """
    _not_yet("open_blob", table)


def _not_yet(function: str, table: str) -> NoReturn:
    error = UnsupportedFeatureError(f"{function} of table {table!r}: BLOB columns are not supported yet")
    error.feature = f"pypaimon.daft.{function}"
    raise error
