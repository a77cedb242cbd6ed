"""What this process has cost so far."""

import contextlib
import pathlib
import resource


def cpu_seconds() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def bytes_read() -> int:
    """Bytes through read calls so far; 0 where the system does not say."""
    try:
        lines = pathlib.Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return 0
    return int(next(line for line in lines if line.startswith("rchar")).split()[1])


def peak_bytes(reset: bool = False) -> int:
    """The most memory that was resident; with `reset`, from now on, where the system can."""
    if reset:
        with contextlib.suppress(OSError):
            pathlib.Path("/proc/self/clear_refs").write_text("5")
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    except (OSError, StopIteration):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
