"""Which versions of Daft this connector is tested with."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version

#: First version tested, and the first one that is not.
TESTED_FROM, TESTED_BELOW = (0, 7, 26), (0, 8, 0)


def require_daft() -> None:
    """Checks that Daft is installed in a tested version.

    The connector leans on Daft's data source interface, which Daft calls early and subject to change: an untested
    version is refused rather than risked.

    Raises:
        ImportError: Daft is missing or outside the tested range; the text says what to install.
    """
    _check(_installed())


def daft_version() -> tuple[int, ...]:
    """The numbers of the installed version, such as ``(0, 7, 26)``."""
    return tuple(int(number) for number in re.findall(r"\d+", _installed() or "")[:3])


@cache
def _installed() -> str | None:
    try:
        return version("daft")
    except PackageNotFoundError:
        return None


@cache
def _check(installed: str | None) -> None:
    low, high = (".".join(map(str, numbers)) for numbers in (TESTED_FROM, TESTED_BELOW))
    if installed is None:
        raise ImportError("pypaimon.daft needs Daft: pip install 'pypaimon[daft]'")
    numbers = tuple(int(number) for number in re.findall(r"\d+", installed)[:3])
    if not TESTED_FROM <= numbers < TESTED_BELOW:
        raise ImportError(
            f"pypaimon.daft is tested with daft >= {low}, < {high}, found {installed}: "
            f"pip install 'daft>={low},<{high}'"
        )
