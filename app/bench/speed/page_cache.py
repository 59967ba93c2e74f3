"""A cold start: the files that a process loads are taken out of the system's page cache before it starts."""

import contextlib
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path


def loaded_files() -> list[str]:
    """Return the files that this process runs from: Python modules, compiled or not, and what is mapped from disk."""
    found: set[str] = set()
    for module in list(sys.modules.values()):
        for name in ("__file__", "__cached__"):
            value = getattr(module, name, None)
            if isinstance(value, str):
                found.add(value)
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/maps").read_text().splitlines():
            if match := re.search(r" (/\S.*)$", line):
                found.add(match[1])
    return sorted(name for name in found if os.path.isfile(name))


def evict(files: Iterable[str]) -> bool:
    """Ask the system to forget what it holds of ``files``; what another process has mapped stays.

    Returns:
        Whether this system can be asked.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    for name in files:
        with contextlib.suppress(OSError):
            descriptor = os.open(name, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)
    return True


def read_from_disk_mb() -> float | None:
    """Return how many MB this process had to have read from a disk; None where the system does not count."""
    try:
        fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return round(int(fields["read_bytes"]) / 1e6, 1)
    except (OSError, ValueError, KeyError):
        return None
