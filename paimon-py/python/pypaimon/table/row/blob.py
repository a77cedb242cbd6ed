"""BLOB values and the references to them, as pypaimon's own API has them."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import BinaryIO

from pypaimon import _native
from pypaimon.common.file_io import FileIO
from pypaimon.common.identifier import Identifier
from pypaimon.common.uri_reader import UriReader
from pypaimon.exceptions import InvalidInputError, PaimonError
from pypaimon.unsupported import unsupported

__all__ = ["Blob", "BlobData", "BlobDescriptor", "BlobRef", "BlobViewStruct"]


class BlobDescriptor:
    """Says where the bytes of a BLOB are. It never changes.

    What a table with the option ``blob-as-descriptor`` gives for its BLOB columns, and what may be written to one:
    the bytes are then copied from there. Descriptors may point into the table's folder and below what
    the catalog's option ``blob-descriptor.allowed-prefixes`` names, and nowhere else.

    Args:
        uri: The file's URL, or a path.
        offset: Where it begins in the file.
        length: How many bytes it has; -1: up to the end of the file.

    Example:
        >>> descriptor = BlobDescriptor("s3://lake/cat.png", 0, -1)
        >>> BlobDescriptor.deserialize(descriptor.serialize()) == descriptor
        True
    """

    CURRENT_VERSION = 2

    def __init__(self, uri: str, offset: int, length: int) -> None:
        self._version, self._uri, self._offset, self._length = self.CURRENT_VERSION, uri, offset, length

    @property
    def version(self) -> int:
        """The version of the bytes it was read from; 2 unless it was read."""
        return self._version

    @property
    def uri(self) -> str:
        """The file's URL, or a path."""
        return self._uri

    @property
    def offset(self) -> int:
        """Where it begins in the file."""
        return self._offset

    @property
    def length(self) -> int:
        """How many bytes it has; -1: up to the end of the file."""
        return self._length

    def serialize(self) -> bytes:
        """The descriptor as bytes, in the current version."""
        return _native.encode_descriptor(self._uri, self._offset, self._length)

    @classmethod
    def deserialize(cls, data: bytes) -> BlobDescriptor:
        """The inverse of `serialize`.

        Raises:
            ValueError: The bytes are no descriptor.
        """
        try:
            version, uri, offset, length = _native.decode_descriptor(bytes(data))
        except PaimonError as error:
            raise InvalidInputError(f"Invalid BlobDescriptor data: {error}") from error
        descriptor = cls(uri, offset, length)
        descriptor._version = version
        return descriptor

    @classmethod
    def is_blob_descriptor(cls, data: object) -> bool:
        """Whether this is a descriptor's bytes. Those of version 1 cannot be told from others, and are not."""
        return isinstance(data, (bytes, bytearray)) and _native.looks_like_descriptor(bytes(data))

    def _parts(self) -> tuple[int, str, int, int]:
        return self._version, self._uri, self._offset, self._length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BlobDescriptor) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        return (
            f"BlobDescriptor(version={self._version}, uri='{self._uri}', offset={self._offset}, length={self._length})"
        )


@dataclass(frozen=True, init=False)
class BlobViewStruct:
    """Says that a BLOB is that of a row of another table: what columns of ``blob-view-field`` hold.

    Attributes:
        identifier: The table.
        field_id: Its column.
        row_id: Its row, by ``_ROW_ID``.
    """

    identifier: Identifier
    field_id: int
    row_id: int

    def __init__(self, identifier: Identifier | str, field_id: int, row_id: int) -> None:
        # The class is frozen; this is its constructor.
        super().__setattr__("identifier", Identifier.of(identifier))
        super().__setattr__("field_id", field_id)
        super().__setattr__("row_id", row_id)

    def serialize(self) -> bytes:
        """The view as bytes."""
        return _native.encode_view(self.identifier.get_full_name(), self.field_id, self.row_id)

    @classmethod
    def deserialize(cls, data: bytes) -> BlobViewStruct:
        """The inverse of `serialize`.

        Raises:
            ValueError: The bytes are no view.
        """
        try:
            return cls(*_native.decode_view(bytes(data)))
        except PaimonError as error:
            raise InvalidInputError(f"Invalid BlobViewStruct data: {error}") from error


class Blob(ABC):
    """A BLOB value: its bytes, or where they are."""

    @abstractmethod
    def to_data(self) -> bytes:
        """All bytes."""

    @abstractmethod
    def to_descriptor(self) -> BlobDescriptor:
        """Where the bytes are.

        Raises:
            RuntimeError: They are nowhere but in memory.
        """

    @abstractmethod
    def new_input_stream(self) -> BinaryIO:
        """A seekable stream over the bytes."""

    @staticmethod
    def from_data(data: bytes) -> Blob:
        """A BLOB in memory."""
        return BlobData(data)

    @staticmethod
    def from_local(file: str) -> Blob:
        """A whole local file, by its path or ``file:`` URL."""
        return Blob.from_file(FileIO(), file, 0, -1)

    @staticmethod
    def from_file(file_io: FileIO, file_path: str, offset: int, length: int) -> Blob:
        """A range of a file.

        Args:
            file_io: How its storage is reached, such as ``table.file_io``.
            file_path: Its path or URL.
            offset: Where the range begins.
            length: How many bytes it has; -1: up to the end.
        """
        return Blob.from_descriptor(UriReader.from_file(file_io), BlobDescriptor(file_path, offset, length))

    @staticmethod
    def from_descriptor(uri_reader: UriReader, descriptor: BlobDescriptor) -> Blob:
        """What a descriptor points to; the caller vouches for it."""
        return BlobRef(uri_reader, descriptor)

    from_http = unsupported("Blob.from_http", "fetch the bytes with an HTTP client, and use Blob.from_data")


class BlobData(Blob):
    """A BLOB in memory; see `Blob.from_data`."""

    def __init__(self, data: bytes | bytearray | None = None) -> None:
        if data is not None and not isinstance(data, (bytes, bytearray)):
            raise TypeError(f"BlobData expects bytes, bytearray, or None, got {type(data)}")
        self._data = bytes(data or b"")

    @property
    def data(self) -> bytes:
        """All bytes."""
        return self._data

    def to_data(self) -> bytes:
        """All bytes."""
        return self._data

    def to_descriptor(self) -> BlobDescriptor:
        """There is none."""
        raise RuntimeError("Blob data can not convert to descriptor.")

    def new_input_stream(self) -> BinaryIO:
        """A stream over the bytes."""
        return io.BytesIO(self._data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BlobData) and self._data == other._data

    def __hash__(self) -> int:
        return hash(self._data)


class BlobRef(Blob):
    """A BLOB somewhere else; see `Blob.from_descriptor`."""

    def __init__(self, uri_reader: UriReader, descriptor: BlobDescriptor) -> None:
        self._uri_reader, self._descriptor = uri_reader, descriptor

    @property
    def uri_reader(self) -> UriReader:
        """How its storage is reached."""
        return self._uri_reader

    def to_data(self) -> bytes:
        """All bytes, read now."""
        with self.new_input_stream() as stream:
            return stream.read()

    def to_descriptor(self) -> BlobDescriptor:
        """Where the bytes are."""
        return self._descriptor

    def new_input_stream(self) -> BinaryIO:
        """A seekable stream over the bytes."""
        return self._uri_reader.new_input_stream(self._descriptor.uri, self._descriptor.offset, self._descriptor.length)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BlobRef) and self._descriptor == other._descriptor

    def __hash__(self) -> int:
        return hash(self._descriptor)
