"""How busy the machine is with other work while something is measured."""

import os
import resource
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

NOTICEABLE: Final = 0.1
"""Cores' worth of other work above which a figure is called unreliable."""

_STAT: Final = Path("/proc/stat")
_BUSY_FIELDS: Final = (0, 1, 2, 5, 6, 7)
"""user, nice, system, irq, softirq, steal: steal is what a virtual machine's host gives to others."""


class OtherLoad:
    """Measures what everything but this process and its children uses of the processors. ::

    with OtherLoad() as load:
        ...  # children that are started here must be waited for here
    load.cores
    """

    def __init__(self) -> None:
        self.cores: float | None = None
        """Processors' worth of other work, mean over the block; None where the system does not tell (no Linux)."""

    def __enter__(self) -> Self:
        self._busy, self._own, self._started = _busy_seconds(), _own_seconds(), time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        busy, elapsed = _busy_seconds(), time.monotonic() - self._started
        if busy is not None and self._busy is not None and elapsed > 0.0:
            others = (busy - self._busy) - (_own_seconds() - self._own)
            self.cores = round(max(0.0, others / elapsed), 3)


def load_average() -> list[float] | None:
    """Return the system's load average over 1, 5 and 15 minutes; None where it has none."""
    try:
        return [round(value, 2) for value in os.getloadavg()]
    except OSError:
        return None


def busy_seconds(stat: str) -> float:
    """Return the processor seconds spent on anything, of all processors together, from the text of ``/proc/stat``."""
    fields = [int(field) for field in stat.split("\n", 1)[0].split()[1:]]
    return sum(fields[index] for index in _BUSY_FIELDS if index < len(fields)) / os.sysconf("SC_CLK_TCK")


def _busy_seconds() -> float | None:
    try:
        return busy_seconds(_STAT.read_text())
    except OSError:
        return None


def _own_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
