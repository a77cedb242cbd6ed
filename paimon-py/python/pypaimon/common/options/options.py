"""A map of options."""

from __future__ import annotations

from typing import Any

from pypaimon.common.options.config_option import ConfigOption

__all__ = ["Options"]


class Options:
    """Options by key, read as text or through a typed `ConfigOption`."""

    def __init__(self, data: dict[str, str] | None = None) -> None:
        self.data = dict(data or {})

    def get(self, option: str | ConfigOption[Any], default: Any = None) -> Any:
        """The value of `option`: text for a key, typed for a `ConfigOption`; `default` or its own when not set."""
        if isinstance(option, ConfigOption):
            return option.read(self.data, default)
        return self.data.get(option, default)

    def set(self, option: str | ConfigOption[Any], value: Any) -> None:
        """Sets an option of this map alone."""
        self.data[option if isinstance(option, str) else option.key()] = str(value)

    def contains(self, option: ConfigOption[Any]) -> bool:
        """Whether `option` is set."""
        return option.key() in self.data

    def contains_key(self, key: str) -> bool:
        """Whether `key` is set."""
        return key in self.data

    def to_map(self) -> dict[str, str]:
        """The options as text."""
        return self.data

    def __repr__(self) -> str:
        from pypaimon._native import without_secrets

        return f"Options({without_secrets(self.data)})"
