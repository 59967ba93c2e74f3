"""Plays the videos of a pair in step, over and over."""

import time
from collections.abc import Callable

from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal

from app.bench.blind.videos import PairVideos

TICK_MILLISECONDS = 8
"""The clock is looked at this often: a frame of 60 fps is met within half its time."""


class PairPlayer(QObject):
    """One clock for three videos: all show the same frame at any time, late or not.

    Frames are left out, never queued, when painting is slower than the videos.
    """

    moved = pyqtSignal(int)
    """The frame to show now."""
    watched_once = pyqtSignal()
    """The end was reached for the first time."""

    def __init__(self, now: Callable[[], float] = time.monotonic, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._now = now
        self._length, self._fps = 0, 25.0
        self._began = 0.0
        self._at: float | None = None
        """Seconds into the video where it stands still; None while it plays."""
        self._shown = -1
        self._watched = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(TICK_MILLISECONDS)
        self._timer.timeout.connect(self.tick)

    @property
    def playing(self) -> bool:
        """Whether the pictures move."""
        return self._timer.isActive()

    @property
    def watched(self) -> bool:
        """Whether the end was reached since :meth:`play` was called."""
        return self._watched

    @property
    def frame(self) -> int:
        """The frame that is shown, -1 before the first."""
        return self._shown

    def play(self, videos: PairVideos) -> None:
        """Begin with another pair."""
        self._length, self._fps = len(videos), videos.fps
        self._watched = False
        self.replay()

    def replay(self) -> None:
        """Begin at the first frame again."""
        if self._length:
            self._began, self._at, self._shown = self._now(), None, -1
            self._timer.start()
            self.tick()

    def toggle(self) -> None:
        """Stand still, or go on from there."""
        if not self._length:
            return
        if self._at is None:
            self._at = self._now() - self._began
            self._timer.stop()
        else:
            self._began, self._at = self._now() - self._at, None
            self._timer.start()

    def stop(self) -> None:
        """Stand still for good."""
        self._timer.stop()
        self._length = 0

    def tick(self) -> None:
        """Look at the clock."""
        if not self._length or self._at is not None:
            return
        count = int((self._now() - self._began) * self._fps + 1e-6)
        # The last frame counts as seen when it has stood its time.
        if count >= self._length and not self._watched:
            self._watched = True
            self.watched_once.emit()
        if count % self._length != self._shown:
            self._shown = count % self._length
            self.moved.emit(self._shown)
