"""Sees when what is behind the person is no longer as the avatar shows it, and codes what has become of it.

A few times a minute a picture is separated into person and background. What the last pictures have there in the median
is the background now: a passer-by is in none but one of them. Where the person hides it, it is taken to have changed as
it has around.
"""

from collections import deque
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from app.tracking.torso_template import FrameCamera, frame_picture
from codec.backdrop import MAX_STEP, SIDE, decode_backdrop, encode_backdrop
from codec.errors import BackdropError
from renderer.training.dataset import BACKGROUND

SEEN_SIDE: Final = 256
"""Pixels of the frame in which person and background are told apart."""
LOOKS: Final = 3
"""Pictures of which the median is taken."""
FIRST_SECONDS: Final = 0.5
"""Between the first of them."""
LOOK_SECONDS: Final = 2.0
"""Between all others."""
MARGIN: Final = 9
"""Pixels of 256 across, around the person, that are not looked at: hair is there, and shadow."""
CHANGED: Final = (2.5 / 255) ** 2
"""Mean square difference from what the other side shows, from which on it is told."""
STEP: Final = 8
"""Of 255: what coefficients are rounded to."""
RATE: Final = 200.0
"""Bits a second that backgrounds take at most, on average."""

Array = NDArray[np.float32]


class Segmenter(Protocol):
    """Tells person from background (app.tracking.segmenter.PersonSegmenter)."""

    def segment(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the class of each pixel (H, W) of an RGB picture (H, W, 3)."""


class BackdropWatcher:
    """Watches what is behind one person in a call, picture by picture in the order of time."""

    def __init__(self, background: Array, camera: FrameCamera, focal: float, segmenter: Segmenter) -> None:
        """Watch for changes against an avatar's ``background`` (S, S, 3), 0 to 1, S at least `SIDE`.

        Args:
            background: what the other side shows to begin with.
            camera: of the frame.
            focal: of the pictures' camera, picture heights.
            segmenter: tells person from background.
        """
        self._enrolled = cv2.resize(background, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        self._camera, self._focal, self._segmenter = camera, focal, segmenter
        self._looks: deque[Array] = deque(maxlen=LOOKS)
        self._difference = np.full((SIDE, SIDE, 3), np.nan, np.float32)
        self._shown = np.zeros((SIDE, SIDE, 3), np.float32)
        self._next_look = self._next_message = float("-inf")

    def due(self, timestamp: float) -> bool:
        """Return whether a picture of this time is worth looking at."""
        return timestamp >= self._next_look

    def look(self, image: NDArray[np.uint8], timestamp: float) -> bytes | None:
        """Look at an RGB picture (H, W, 3), and return a coded backdrop if there is something to tell."""
        self._looks.append(self._seen(image))
        full = len(self._looks) == LOOKS
        self._next_look = timestamp + (LOOK_SECONDS if full else FIRST_SECONDS)
        if not full:
            return None
        looks = np.stack(self._looks)
        often = np.isfinite(looks).sum(0) > LOOKS // 2
        self._difference[often] = np.nanmedian(looks[:, often], axis=0)
        known = np.isfinite(self._difference[..., 0])
        error = np.square(self._difference - self._shown)[known]
        if timestamp < self._next_message or error.size == 0 or float(error.mean()) < CHANGED:
            return None
        data = _encoded(spread(self._difference, known))
        if data is None:
            return None
        self._shown = decode_backdrop(data)
        self._next_message = timestamp + 8 * len(data) / RATE
        return data

    def _seen(self, image: NDArray[np.uint8]) -> Array:
        """Return by how much the background differs from the enrolled one (SIDE, SIDE, 3); NaN where it is hidden."""
        height, width = image.shape[:2]
        frame, extent = frame_picture(image, self._camera.square(self._focal, width, height), SEEN_SIDE)
        left, right, top, bottom = extent
        person = (self._segmenter.segment(frame) != BACKGROUND).astype(np.uint8)
        visible = np.zeros((SEEN_SIDE, SEEN_SIDE), np.float32)
        visible[top:bottom, left:right] = 1.0
        visible[cv2.dilate(person, np.ones((MARGIN, MARGIN), np.uint8)) > 0] = 0.0
        share = cv2.resize(visible, (SIDE, SIDE), interpolation=cv2.INTER_AREA)[..., None]
        colours = cv2.resize(frame / np.float32(255.0) * visible[..., None], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(share > 0.5, colours / share, np.nan)
        return np.asarray(mean - self._enrolled, np.float32)


def spread(values: Array, known: NDArray[np.bool_]) -> Array:
    """Return values (S, S, C) with those that are not ``known`` (S, S) taken from around, the smoother the farther.

    They are means of what is known within 1, 2, 4 … pixels; zero where nothing is.
    """
    weight = known.astype(np.float32)
    held = np.where(known[..., None], values, 0.0).astype(np.float32)
    filled, done = held.copy(), known.copy()
    radius = 1
    while not done.all() and radius < 2 * len(values):
        size = (2 * radius + 1, 2 * radius + 1)
        share = cv2.boxFilter(weight, -1, size, borderType=cv2.BORDER_REPLICATE)
        mean = cv2.boxFilter(held, -1, size, borderType=cv2.BORDER_REPLICATE)
        new = ~done & (share > 1e-6)
        filled[new] = mean[new] / share[new][:, None]
        done |= new
        radius *= 2
    return filled


def _encoded(difference: Array) -> bytes | None:
    """Return a difference in bytes, rounded no more than it must be; None where nothing helps."""
    step = STEP
    while step <= MAX_STEP:
        try:
            return encode_backdrop(difference, step)
        except BackdropError:
            step *= 2
    return None
