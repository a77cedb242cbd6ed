"""How what a URI names is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import BinaryIO

from pypaimon.common.file_io import FileIO
from pypaimon.unsupported import unsupported

__all__ = ["FileUriReader", "UriReader"]


class UriReader(ABC):
    """Reads what URIs name."""

    @abstractmethod
    def new_input_stream(self, uri: str, offset: int = 0, length: int = -1) -> BinaryIO:
        """A seekable stream over a range of it; -1: up to the end."""

    @classmethod
    def from_file(cls, file_io: FileIO) -> FileUriReader:
        """Reads files of a storage."""
        return FileUriReader(file_io)

    from_http = unsupported("UriReader.from_http", "fetch the bytes with an HTTP client")


class FileUriReader(UriReader):
    """Reads files of a storage; see `UriReader.from_file`."""

    def __init__(self, file_io: FileIO) -> None:
        self._file_io = file_io

    @property
    def file_io(self) -> FileIO:
        """How the storage is reached."""
        return self._file_io

    def new_input_stream(self, uri: str, offset: int = 0, length: int = -1) -> BinaryIO:
        """A seekable stream over a range of a file; -1: up to its end."""
        return self._file_io.new_input_stream(uri, offset, length)
