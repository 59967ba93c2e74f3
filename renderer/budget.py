"""The picture size that a machine renders in time."""

import math


class FrameBudget:
    """Chooses the internal resolution that holds a frame rate; knows no clock.

    It keeps an estimate of the seconds a pixel costs and of what a frame costs at any size, and shrinks the picture by
    one factor on both sides. It shrinks at once when frames come late and grows only when the gain is worth it, so
    that the resolution does not swing.
    """

    def __init__(self, target_fps: float, share: float = 0.9, smallest: int = 64):
        """Set the goal.

        Args:
            target_fps: frames a second to hold.
            share: part of the frame's time that rendering may take.
            smallest: pixels of the shorter side below which it never goes.
        """
        if not (target_fps > 0.0 and 0.0 < share <= 1.0):
            raise ValueError("the frame rate must be positive and the share in (0, 1]")
        self._seconds = share / target_fps
        self._smallest = smallest
        self._pixel_seconds: float | None = None
        self._scale = 1.0

    @property
    def scale(self) -> float:
        """Chosen part of the wanted side length, in (0, 1]."""
        return self._scale

    def choose(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to render when width x height is wanted: the same shape, even numbers, never larger."""
        if self._pixel_seconds is not None:
            affordable = math.sqrt(self._seconds / (self._pixel_seconds * width * height))
            # The whole picture, too, must be worth it: just at its limit the size would come and go.
            if affordable < self._scale * 0.97 or affordable > self._scale * 1.15:
                self._scale = min(1.0, affordable)
        floor = min(1.0, self._smallest / min(width, height))
        scale = max(self._scale, floor)
        if scale >= 1.0:
            return width, height
        return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)

    def report(self, width: int, height: int, seconds: float) -> None:
        """Learn that a frame of width x height took so many seconds."""
        cost = max(seconds, 1e-6) / (width * height)
        if self._pixel_seconds is None:
            self._pixel_seconds = cost
        else:
            # One slow frame (another process woke up) must not halve the picture.
            self._pixel_seconds += 0.1 * (min(cost, 4.0 * self._pixel_seconds) - self._pixel_seconds)
