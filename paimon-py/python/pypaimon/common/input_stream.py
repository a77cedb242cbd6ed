"""Seekable reading of a range of a file."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from pypaimon._native import NativeBlobStream

__all__ = ["InputStream"]


class InputStream(io.RawIOBase):
    """A stream over a file, or a range of one, wherever it is. It may be shared by threads; positions are its own.

    Args:
        native: The stream of the native module.
    """

    def __init__(self, native: NativeBlobStream) -> None:
        self._native = native

    def as_binary(self) -> BinaryIO:
        """This stream, as the type that others ask for: it has no base in common with the streams of `io`."""
        return cast("BinaryIO", self)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes, fewer only at the end; all that are left without one."""
        self._check_open()
        return self._native.read(-1 if size is None else size)

    def readall(self) -> bytes:
        """All bytes that are left."""
        return self.read()

    def readinto(self, buffer: Buffer, /) -> int:
        """Fills a buffer; the number of bytes, which is less only at the end."""
        with memoryview(buffer).cast("B") as view:
            data = self.read(len(view))
            view[: len(data)] = data
        return len(data)

    def seek(self, position: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves to a position: from the start, from here (1) or from the end (2); returns the new one.

        Raises:
            ValueError: It would be before the start.
        """
        self._check_open()
        return self._native.seek(position, whence)

    def tell(self) -> int:
        """The position, from 0."""
        self._check_open()
        return self._native.tell()

    def size(self) -> int:
        """How many bytes there are in all; asks the storage where the range has no end of its own."""
        self._check_open()
        return self._native.size

    def close(self) -> None:
        """Lets go of what was read ahead."""
        if not self.closed:
            self._native.close()
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
