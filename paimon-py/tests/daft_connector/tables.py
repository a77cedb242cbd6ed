"""Ways to write and compare rows that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import pyarrow as pa


def append(table: Any, rows: pa.Table) -> None:
    """Commits some rows through the core API."""
    builder = table.new_batch_write_builder()
    write, commit = builder.new_write(), builder.new_commit()
    try:
        write.write_arrow(rows)
        commit.commit(write.prepare_commit())
    finally:
        write.close()
        commit.close()


def rows_of(frame: Any) -> list[tuple[Any, ...]]:
    """The rows of a frame in a stable order, comparable by ``==`` (NaN included)."""
    return sorted((tuple(map(_comparable, row)) for row in zip(*frame.to_pydict().values(), strict=True)), key=repr)


def _comparable(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value
