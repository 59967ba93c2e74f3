"""What a machine renders in time: whether the head's outline finely, and at which size."""

import math
from typing import Final

SMOOTH_FPS: Final = 25.0
"""Frames a second, the camera's, below which the outline of the head is not sampled more finely than the rest: the
frames that it takes the time of are missed more."""
OUTLINE_COST: Final = 1.5
"""Times as long as without that a picture takes with it, about: 1.3 to 1.7."""
_MARGIN: Final = 1.2
"""Of time that must be left before it comes back, so that it does not come and go."""


class FrameBudget:
    """Chooses what of a picture's quality holds a frame rate; knows no clock.

    It keeps an estimate of the seconds a pixel costs and of what a frame costs at any size, and shrinks the picture by
    one factor on both sides. It shrinks at once when frames come late and grows only when the gain is worth it, so
    that the resolution does not swing. Before that the outline of the head is let jag: a larger picture without fine
    outlines is closer to the truth than a smaller one with them.
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
        self._smooth = True

    @property
    def smooth(self) -> bool:
        """Whether to sample the outline of the head finely, as `choose` has found (`renderer.outline`)."""
        return self._smooth

    @property
    def scale(self) -> float:
        """Chosen part of the wanted side length, in (0, 1]."""
        return self._scale

    def choose(self, width: int, height: int) -> tuple[int, int]:
        """Return the size to render when width x height is wanted: the same shape, even numbers, never larger."""
        if self._pixel_seconds is not None:
            self._choose_outline(width * height * self._scale**2)
            affordable = math.sqrt(self._seconds / (self._pixel_seconds * width * height))
            # The whole picture, too, must be worth it: just at its limit the size would come and go.
            if affordable < self._scale * 0.97 or affordable > self._scale * 1.15:
                self._scale = min(1.0, affordable)
        floor = min(1.0, self._smallest / min(width, height))
        scale = max(self._scale, floor)
        if scale >= 1.0:
            return width, height
        return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)

    def _choose_outline(self, pixels: float) -> None:
        """Decide on the outline in a picture of so many pixels; what either costs is learnt once it is rendered."""
        assert self._pixel_seconds is not None
        seconds = self._pixel_seconds * pixels
        if self._smooth and seconds * SMOOTH_FPS > 1.0:
            self._smooth = False
            self._pixel_seconds /= OUTLINE_COST
        elif not self._smooth and seconds * SMOOTH_FPS * OUTLINE_COST * _MARGIN < 1.0:
            self._smooth = True
            self._pixel_seconds *= OUTLINE_COST

    def report(self, width: int, height: int, seconds: float) -> None:
        """Learn that a frame of width x height, with or without a fine outline as chosen, took so many seconds."""
        cost = max(seconds, 1e-6) / (width * height)
        if self._pixel_seconds is None:
            self._pixel_seconds = cost
        else:
            # One slow frame (another process woke up) must not halve the picture.
            self._pixel_seconds += 0.1 * (min(cost, 4.0 * self._pixel_seconds) - self._pixel_seconds)
