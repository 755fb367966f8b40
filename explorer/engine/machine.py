"""What the machine gives this app: cores and memory, a container's limits included."""

import os
from pathlib import Path

_MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_CORE_LIMIT = Path("/sys/fs/cgroup/cpu.max")
_UNKNOWN_MEMORY = 8_000_000_000
"""Where the system does not say, as on Windows: what a laptop has at least."""


def n_cores() -> int:
    """Count the cores that this process may use at once, at least 1."""
    usable = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    quota = _read(_CORE_LIMIT).split()
    if len(quota) == 2 and quota[0].isdigit():
        usable = min(usable, round(int(quota[0]) / int(quota[1])))
    return max(1, usable)


def memory_bytes() -> int:
    """Say how much memory this process and its workers may use together."""
    found = [int(text) for path in _MEMORY_LIMITS if (text := _read(Path(path)).strip()).isdigit()]
    return min([_physical_memory(), *found])


def _physical_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _UNKNOWN_MEMORY


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
