"""How a table reaches its storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urlsplit

from pypaimon import _native
from pypaimon.common.input_stream import InputStream
from pypaimon.unsupported import unsupported

__all__ = ["FileIO"]

#: Java's keys -> what Daft calls the same.
_JAVA_KEYS = {
    "fs.s3.endpoint": "endpoint_url",
    "fs.s3.region": "region_name",
    "fs.s3.accessKeyId": "key_id",
    "fs.s3.accessKeySecret": "access_key",
    "fs.s3.securityToken": "session_token",
}


@dataclass(frozen=True)
class FileIO:
    """The options with which a table's storage was opened.

    Attributes:
        properties: Catalog options, secrets included; they are not shown in the representation. What they say of S3 is
            there in Java's spelling too, which is the one that Daft's own connector knows.
    """

    properties: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, options: dict[str, str]) -> FileIO:
        """How a table that was opened with `options` reaches its storage."""
        warehouse = urlsplit(options.get("warehouse", ""))
        if warehouse.scheme not in ("s3", "s3a", "s3n"):
            return cls(options)
        said = _native.s3_settings(warehouse.netloc, options)
        return cls({**{key: str(said[name]) for key, name in _JAVA_KEYS.items() if name in said}, **options})

    def new_input_stream(self, path: str, offset: int = 0, length: int = -1) -> BinaryIO:
        """A seekable stream over a range of any file that these options reach.

        Args:
            path: A local path, or a URL.
            offset: Where the range begins.
            length: How many bytes it has; -1: up to the end.

        Raises:
            NotFoundError: There is no such file.
        """
        opened = _native.open_file(self.properties, str(path), offset, None if length < 0 else length)
        return InputStream(opened).as_binary()

    _remedy = "use pyarrow.fs, or the object store's own client"
    new_output_stream = unsupported("FileIO.new_output_stream", _remedy)
    get_file_status = unsupported("FileIO.get_file_status", _remedy)
    list_status = unsupported("FileIO.list_status", _remedy)
    exists = unsupported("FileIO.exists", _remedy)
    delete = unsupported("FileIO.delete", _remedy)
    mkdirs = unsupported("FileIO.mkdirs", _remedy)
    rename = unsupported("FileIO.rename", _remedy)
    del _remedy
