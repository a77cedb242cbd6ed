"""What a table can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from pypaimon.unsupported import unsupported

if TYPE_CHECKING:
    from pypaimon.read.read_builder import ReadBuilder
    from pypaimon.write.write_builder import BatchWriteBuilder

__all__ = ["Table"]


class Table(ABC):
    """A table of a catalog."""

    @abstractmethod
    def new_read_builder(self) -> ReadBuilder:
        """Starts a read."""

    @abstractmethod
    def new_batch_write_builder(self) -> BatchWriteBuilder:
        """Starts a write that commits once."""

    new_stream_read_builder = unsupported("Table.new_stream_read_builder", "use table.new_read_builder()")
    new_stream_write_builder = unsupported("Table.new_stream_write_builder", "use table.new_batch_write_builder()")
    new_full_text_search_builder = unsupported("Table.new_full_text_search_builder")
    new_vector_search_builder = unsupported("Table.new_vector_search_builder")
    new_hybrid_search_builder = unsupported("Table.new_hybrid_search_builder")
    new_batch_vector_search_builder = unsupported("Table.new_batch_vector_search_builder")
