"""Processor time and memory of a process and its children while they run, read from ``/proc``."""

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

INTERVAL: Final = 0.25
"""Seconds between two looks."""
_PROC: Final = Path("/proc")


@dataclass(slots=True)
class Watched:
    """What was seen of one process."""

    pid: int
    command: list[str]
    """Its command line, as last seen."""
    cpu: list[tuple[float, float]] = field(default_factory=list)
    """(moment, processor seconds used until then)."""
    proportional: list[tuple[float, float]] = field(default_factory=list)
    """(moment, bytes held, shared ones divided among those who share them)."""
    peak_rss: int = 0
    """The most bytes held, shared ones included."""

    def cores(self, begin: float, end: float) -> float | None:
        """Return how many cores it kept busy between two moments; None if it was seen less than twice then."""
        within = [sample for sample in self.cpu if begin <= sample[0] <= end]
        if len(within) < 2:
            return None
        (first, before), (last, after) = within[0], within[-1]
        return round((after - before) / (last - first), 3)


class ProcessWatch:
    """Looks at the process ``pid`` and its children a few times a second until the block ends. ::

        with ProcessWatch(process.pid) as watch:
            process.wait()
        watch.processes  # the process itself comes first

    Where there is no ``/proc`` (no Linux), nothing is seen.
    """

    def __init__(self, pid: int) -> None:
        self._root = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process watch", daemon=True)
        self._seen: dict[int, Watched] = {}

    @property
    def processes(self) -> list[Watched]:
        """What was seen, in the order of appearance."""
        return list(self._seen.values())

    def memory(self) -> float | None:
        """Return the most bytes that all of them held together, shared ones counted once; None if that is unknown."""
        totals: dict[float, float] = {}
        for process in self._seen.values():
            for moment, held in process.proportional:
                totals[moment] = totals.get(moment, 0.0) + held
        return max(totals.values(), default=None)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        looks = 0
        while not self._stop.is_set():
            now = time.monotonic()
            for pid in (self._root, *descendants(self._root)):
                # How memory is shared takes the system a while to add up.
                self._look(pid, now, thorough=looks % 4 == 0)
            looks += 1
            self._stop.wait(INTERVAL)

    def _look(self, pid: int, now: float, thorough: bool) -> None:
        folder = _PROC / str(pid)
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            status = _numbers((folder / "status").read_text())
            rollup = _numbers((folder / "smaps_rollup").read_text()) if thorough else {}
            words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")
        except (OSError, IndexError):
            return  # it has just ended
        process = self._seen.setdefault(pid, Watched(pid, []))
        # Each time: one that has only just been forked still has its parent's, and one that has ended has none.
        process.command = [word for word in words if word] or process.command
        ticks = int(fields[11]) + int(fields[12])
        process.cpu.append((now, ticks / os.sysconf("SC_CLK_TCK")))
        process.peak_rss = max(process.peak_rss, status.get("VmHWM", 0))
        if "Pss" in rollup:
            process.proportional.append((now, rollup["Pss"]))


def descendants(pid: int) -> list[int]:
    """Return the children of a process, and theirs, in no particular order; none where there is no ``/proc``."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue  # it has just ended
        children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _numbers(text: str) -> dict[str, int]:
    """Return the sizes in bytes of the lines ``Name:   123 kB``."""
    numbers = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB" and words[0].endswith(":"):
            numbers[words[0].rstrip(":")] = int(words[1]) * 1024
    return numbers
