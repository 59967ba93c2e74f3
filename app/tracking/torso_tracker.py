"""Follows the torso from picture to picture: align, filter, hold where it is hidden, glide where it is found again."""

import numpy as np
from numpy.typing import NDArray

from app.tracking.filter import Gains, VectorFilter
from app.tracking.torso_alignment import TorsoAligner
from app.tracking.torso_template import TorsoTemplate, frame_picture, frame_tones

SHIFT_GAINS = Gains((0.6, 0.3), (0.9, 0.6), speed=0.05)
"""Sides of the frame a second."""
BEND_GAINS = Gains((0.35, 0.15), (0.8, 0.5), speed=0.15)
"""Of a mode, a second."""
LOST_SECONDS = 0.3
"""After a gap as long as this the torso is looked for anew, and glided to."""
GLIDE_SECONDS = 0.15
"""Time constant of the glide."""

Array = NDArray[np.float64]


class TorsoTracker:
    """Tracks one person's torso live, causal and smoothed. Enrolment uses it too, to the same result."""

    def __init__(self, template: TorsoTemplate, focal: float) -> None:
        """Prepare to find a template's torso in pictures taken with ``focal`` (picture heights)."""
        self._camera, self._mix, self._focal = template.camera, template.mix, focal
        self._aligner = TorsoAligner(template)
        self._shift: VectorFilter | None = None
        self._bend = VectorFilter(BEND_GAINS, self._aligner.rest[2:], joint=True)
        self._seen_at = 0.0
        self._held = self._aligner.rest
        self._found_at = 0.0
        self._jump = self._aligner.rest

    @property
    def held(self) -> NDArray[np.float32]:
        """The last motion (2 + M,) found; none before the first."""
        return self._held.astype(np.float32)

    def track(self, image: NDArray[np.uint8], timestamp: float) -> NDArray[np.float32]:
        """Return the motion (2 + M,) of the torso in an RGB picture (H, W, 3) at ``timestamp`` seconds, in their order.

        See `codec.face_state.FaceState`. Where the torso is not seen the last motion is held.
        """
        height, width = image.shape[:2]
        frame, extent = frame_picture(image, self._camera.square(self._focal, width, height))
        tones = frame_tones(frame, self._mix)
        lost = self._shift is None or timestamp - self._seen_at > LOST_SECONDS
        found = self._aligner.align(tones, extent, self._held)
        if found is None and lost:
            found = self._aligner.align(tones, extent, self._aligner.rest)
        if found is not None:
            self._take(found.motion, timestamp, lost)
        return (self._held + self._jump * self._fade(timestamp)).astype(np.float32)

    def _take(self, motion: Array, timestamp: float, lost: bool) -> None:
        interval = max(timestamp - self._seen_at, 1e-3)
        if lost or self._shift is None:
            appeared = self._shift is None
            shown = self._held + self._jump * self._fade(timestamp)
            self._shift = VectorFilter(SHIFT_GAINS, motion[:2], joint=True)
            self._bend = VectorFilter(BEND_GAINS, motion[2:], joint=True)
            self._jump = self._aligner.rest if appeared else shown - motion
            self._found_at = timestamp
        else:
            self._shift.update(motion[:2], interval)
            self._bend.update(motion[2:], interval)
        self._held = np.concatenate([self._shift.value, self._bend.value])
        self._seen_at = timestamp

    def _fade(self, timestamp: float) -> float:
        return float(np.exp(-(timestamp - self._found_at) / GLIDE_SECONDS)) if self._jump.any() else 0.0
