"""How a table reaches its storage."""

from __future__ import annotations

from dataclasses import dataclass, field

from pypaimon.unsupported import unsupported

__all__ = ["FileIO"]


@dataclass(frozen=True)
class FileIO:
    """The options with which a table's storage was opened. Reading and writing files is the native module's.

    Attributes:
        properties: Catalog options, secrets included; they are not shown in the representation.
    """

    properties: dict[str, str] = field(default_factory=dict, repr=False)

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
