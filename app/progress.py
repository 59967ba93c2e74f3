"""Progress of long work on the terminal, with the time left."""

import shutil
import sys
import time
from types import TracebackType
from typing import TextIO

REDRAW_SECONDS = 0.1
"""A terminal is redrawn no more often than this."""
LINE_SECONDS = 5.0
"""Where the output is no terminal, a plain line is written no more often than this."""


class Progress:
    """A progress bar on ``stream`` (default: standard error).

    On a terminal one line is redrawn; elsewhere plain lines are written every few seconds, so that logs stay short. ::

        with Progress(len(frames), "tracking") as progress:
            for index, frame in enumerate(frames, 1):
                ...
                progress.update(index, note="12 ms a frame")

    ``total`` is None where the end is not known: then the count and the time passed are shown.
    """

    def __init__(self, total: float | None, label: str, stream: TextIO | None = None) -> None:
        self.total = total
        self.label = label
        self.done = 0.0
        self.note = ""
        self._stream = sys.stderr if stream is None else stream
        self._tty = self._stream.isatty()
        self._started = time.monotonic()
        self._drawn: float | None = None
        self._closed = False

    def update(self, done: float, note: str = "") -> None:
        """Say that ``done`` of ``total`` is finished; ``note`` is shown at the end of the line."""
        self.done = done
        self.note = note
        now = time.monotonic()
        if self._drawn is None or now - self._drawn >= (REDRAW_SECONDS if self._tty else LINE_SECONDS):
            self._draw(now)

    def close(self) -> None:
        """Draw the last state and end the line. Further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        self._draw(time.monotonic())
        if self._tty:
            self._stream.write("\n")
            self._stream.flush()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _draw(self, now: float) -> None:
        self._drawn = now
        columns = shutil.get_terminal_size().columns if self._tty else 200
        line = progress_line(self.label, self.done, self.total, now - self._started, self.note, columns - 1)
        # Carriage return and "erase to the end of the line": the new line may be shorter than the old one.
        self._stream.write(f"\r{line}\x1b[K" if self._tty else f"{line}\n")
        self._stream.flush()


def progress_line(label: str, done: float, total: float | None, elapsed: float, note: str, columns: int) -> str:
    """Return one line of at most ``columns`` characters for ``done`` of ``total`` after ``elapsed`` seconds."""
    if total is None:
        parts = [label, f"{done:.0f}", duration(elapsed)]
    else:
        fraction = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
        filled = round(20 * fraction)
        parts = [label, f"[{'#' * filled}{'.' * (20 - filled)}]", f"{100 * fraction:3.0f} %"]
        if fraction >= 1.0:
            parts.append(f"in {duration(elapsed)}")
        elif fraction > 0.0 and elapsed >= 1.0:
            parts.append(f"{duration(elapsed * (1.0 - fraction) / fraction)} left")
    if note:
        parts.append(note)
    return "  ".join(parts)[:columns]


def duration(seconds: float) -> str:
    """Return ``seconds`` as a person writes it: ``42 s``, ``3:07 min``, ``1:02:03 h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02} h"
