"""Creates, lists and deletes the tags of a table."""

from __future__ import annotations

from datetime import timedelta

from pypaimon import _native
from pypaimon.catalog.catalog_exception import TagNotExistException
from pypaimon.common.options.config_option import ConfigOption
from pypaimon.exceptions import InvalidInputError
from pypaimon.snapshot.snapshot import Snapshot
from pypaimon.tag.tag import Tag

__all__ = ["TagManager"]


class TagManager:
    """The tags of a table, or of a branch of it; made by `FileStoreTable.tag_manager`."""

    def __init__(self, native: _native.NativeTags) -> None:
        self._native = native

    def create_tag(
        self,
        snapshot: Snapshot | int | None,
        tag_name: str,
        ignore_if_exists: bool = False,
        time_retained: str | timedelta | None = None,
    ) -> None:
        """Names a snapshot (``None``: the latest); see `FileStoreTable.create_tag`."""
        self._native.create(tag_name, _id(snapshot), ignore_if_exists, _millis(time_retained))

    def replace_tag(
        self, snapshot: Snapshot | int | None, tag_name: str, time_retained: str | timedelta | None = None
    ) -> None:
        """Lets a tag name another snapshot; see `FileStoreTable.replace_tag`."""
        self._native.replace(tag_name, _id(snapshot), _millis(time_retained))

    def rename_tag(self, old_name: str, new_name: str) -> None:
        """Renames a tag.

        Raises:
            TagNotExistException: `old_name` does not exist.
            TagAlreadyExistException: `new_name` exists.
        """
        self._native.rename(old_name, new_name)

    def delete_tag(self, tag_name: str) -> bool:
        """Deletes a tag; ``False`` when there was none."""
        return self._native.delete(tag_name)

    def expire_tags(self) -> list[str]:
        """Deletes the tags whose time of retention is over, and returns their names."""
        return self._native.expire()

    def list_tags(self) -> list[str]:
        """The names of all tags, in order."""
        return self._native.list()

    def tag_exists(self, tag_name: str) -> bool:
        """Whether there is such a tag."""
        return self.get(tag_name) is not None

    def get(self, tag_name: str) -> Tag | None:
        """A tag; ``None`` when there is none of that name."""
        data = self._native.get(tag_name)
        return None if data is None else Tag.from_dict(data)

    def get_or_throw(self, tag_name: str) -> Tag:
        """A tag.

        Raises:
            TagNotExistException: There is none of that name.
        """
        tag = self.get(tag_name)
        if tag is None:
            raise TagNotExistException(tag_name)
        return tag


def _id(snapshot: Snapshot | int | None) -> int | None:
    return snapshot.id if isinstance(snapshot, Snapshot) else snapshot


def _millis(time: str | timedelta | None) -> int | None:
    if time is None:
        return None
    if isinstance(time, str):
        time = ConfigOption("time_retained", timedelta, None).read({"time_retained": time})
    if not isinstance(time, timedelta):
        raise TypeError(f"time_retained must be a text such as '7 d' or a timedelta, got: {time!r}")
    millis = round(time.total_seconds() * 1000)
    if millis < 0:
        raise InvalidInputError(f"a tag cannot be retained for a negative time, found {time}")
    return millis
