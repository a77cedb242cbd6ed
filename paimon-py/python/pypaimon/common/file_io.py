"""How a table reaches its storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from pypaimon import _native
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
    """The options with which a table's storage was opened. Reading and writing files is the native module's.

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

    _remedy = "use pyarrow.fs, or the object store's own client"
    new_input_stream = unsupported("FileIO.new_input_stream", _remedy)
    new_output_stream = unsupported("FileIO.new_output_stream", _remedy)
    get_file_status = unsupported("FileIO.get_file_status", _remedy)
    list_status = unsupported("FileIO.list_status", _remedy)
    exists = unsupported("FileIO.exists", _remedy)
    delete = unsupported("FileIO.delete", _remedy)
    mkdirs = unsupported("FileIO.mkdirs", _remedy)
    rename = unsupported("FileIO.rename", _remedy)
    del _remedy
