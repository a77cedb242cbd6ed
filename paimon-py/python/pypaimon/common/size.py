"""Sizes for people."""

from __future__ import annotations


def size_text(size: float) -> str:
    """A number of bytes in the unit that suits it, such as ``"1.3 KiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
