"""Sees when what is behind the person is no longer as the avatar shows it, and codes what has become of it.

A few times a minute a picture is separated into person and background. What the last pictures have there in the median
is the background now: a passer-by is in none but one of them. Where the person hides it, it is taken to have changed as
it has around.

Most changes are a camera that has moved, which takes a few bytes to tell; then comes what else has changed, at once,
though it be coarsely. The rate that backgrounds may take is saved meanwhile; when it is enough, what is still as it was
is told once more, finely.
"""

from collections import deque
from contextlib import suppress
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from app.tracking.backdrop_alignment import find_motion, moved
from app.tracking.torso_template import FrameCamera, frame_picture
from codec.backdrop import MAX_BYTES, MAX_STEP, SIDES, decode_backdrop, encode_backdrop
from codec.backdrop_motion import Motion
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
"""Mean square difference from what was told last, from which on it is told again."""
BLURRED: Final = (2.0 / 255) ** 2
"""Mean square difference from what a coarse picture shows, from which on a fine one is worth its bits."""
STEP: Final = 4
"""Of 255: what coefficients are rounded to at least."""
ROUNDED: Final = (1.5 / 255) ** 2
"""Mean square of what rounding may leave out: a step that leaves no more is fine enough."""
RATE: Final = 200.0
"""Bits a second that backgrounds take at most, on average."""
SAVED_SECONDS: Final = 120.0
"""For how long the rate is saved at most."""
FIRST_SAVED_SECONDS: Final = 60.0
"""For how long it counts as saved when a call begins: another place, or light, than at enrolment shows at once then."""
LEAST_FINE: Final = 4000.0
"""Bits from which on it is worth a try what a fine picture takes."""

_COARSE, _FINE = SIDES

Array = NDArray[np.float32]


class Segmenter(Protocol):
    """Tells person from background (app.tracking.segmenter.PersonSegmenter)."""

    def segment(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the class of each pixel (H, W) of an RGB picture (H, W, 3)."""


class BackdropWatcher:
    """Watches what is behind one person in a call, picture by picture in the order of time."""

    def __init__(self, background: Array, camera: FrameCamera, focal: float, segmenter: Segmenter) -> None:
        """Watch for changes against an avatar's ``background`` (S, S, 3), 0 to 1, S at least the largest of `SIDES`.

        Args:
            background: what the other side shows to begin with.
            camera: of the frame.
            focal: of the pictures' camera, picture heights.
            segmenter: tells person from background.
        """
        self._enrolled = _resized(background, _FINE)
        self._camera, self._focal, self._segmenter = camera, focal, segmenter
        self._looks: deque[Array] = deque(maxlen=LOOKS)
        self._difference = np.full((_FINE, _FINE, 3), np.nan, np.float32)
        self._told: Array = np.zeros((_FINE, _FINE, 3), np.float32)
        self._shown = self._told
        self._finely = False
        """Whether what was told last was so."""
        self._next_look = float("-inf")
        self._looked_at: float | None = None
        self._saved, self._fine_bits = RATE * FIRST_SAVED_SECONDS, LEAST_FINE

    def due(self, timestamp: float) -> bool:
        """Return whether a picture of this time is worth looking at."""
        return timestamp >= self._next_look

    def look(self, image: NDArray[np.uint8], timestamp: float) -> bytes | None:
        """Look at an RGB picture (H, W, 3), and return a coded backdrop if there is something to tell."""
        if self._looked_at is not None:
            self._saved = min(self._saved + RATE * (timestamp - self._looked_at), RATE * SAVED_SECONDS)
        self._looked_at = timestamp
        self._looks.append(self._seen(image))
        full = len(self._looks) == LOOKS
        self._next_look = timestamp + (LOOK_SECONDS if full else FIRST_SECONDS)
        if not full:
            return None
        looks = np.stack(self._looks)
        often = np.isfinite(looks).sum(0) > LOOKS // 2
        self._difference[often] = np.nanmedian(looks[:, often], axis=0)
        known = np.isfinite(self._difference[..., 0])
        return self._news(known) if known.any() else None

    def _news(self, known: NDArray[np.bool_]) -> bytes | None:
        """Return what there is to tell, coded, as far as there is rate saved for it."""
        # What no picture can show as coarsely, or rounded so, is no change.
        change = _resized(spread(self._difference - self._told, known), _COARSE)
        changed = float(np.square(change).mean()) >= CHANGED
        blurred = not self._finely and float(np.square(self._difference - self._shown)[known].mean()) >= BLURRED
        finely = (changed or blurred) and self._saved >= self._fine_bits
        if not finely and not (changed and self._saved >= 0.0):
            return None
        motion = find_motion(self._enrolled, self._enrolled + spread(self._difference, known), known)
        before = moved(self._enrolled, motion) - self._enrolled
        rest = spread(self._difference - before, known)
        data = self._affordable(rest, motion) if finely else None
        if data is None and changed and self._saved >= 0.0:
            self._fine_bits = LEAST_FINE
            data = _encoded(_resized(rest, _COARSE), motion, MAX_BYTES)
        if data is not None:
            self._saved -= 8 * len(data)
            shown = decode_backdrop(data).difference
            self._finely = len(shown) == _FINE
            # As the receiver enlarges it.
            self._shown = before + cv2.resize(shown, (_FINE, _FINE), interpolation=cv2.INTER_LINEAR)
            self._told = before + rest
        return data

    def _affordable(self, rest: Array, motion: Motion) -> bytes | None:
        """Return a fine picture, coded, if the rate for it is saved, and remember what it takes."""
        data = _encoded(rest, motion, int(RATE * SAVED_SECONDS) // 8)
        self._fine_bits = 8.0 * len(data) if data is not None else float("inf")
        return data if self._fine_bits <= self._saved else None

    def _seen(self, image: NDArray[np.uint8]) -> Array:
        """Return by how much the background differs from the enrolled one (128, 128, 3); NaN where it is hidden."""
        height, width = image.shape[:2]
        frame, extent = frame_picture(image, self._camera.square(self._focal, width, height), SEEN_SIDE)
        left, right, top, bottom = extent
        person = (self._segmenter.segment(frame) != BACKGROUND).astype(np.uint8)
        visible = np.zeros((SEEN_SIDE, SEEN_SIDE), np.float32)
        visible[top:bottom, left:right] = 1.0
        visible[cv2.dilate(person, np.ones((MARGIN, MARGIN), np.uint8)) > 0] = 0.0
        share = _resized(visible, _FINE)[..., None]
        colours = _resized(frame / np.float32(255.0) * visible[..., None], _FINE)
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


def _resized(image: NDArray[np.floating], side: int) -> Array:
    """Return means of an image (S, S, ...), S a multiple of ``side``."""
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _encoded(difference: Array, motion: Motion, most: int) -> bytes | None:
    """Return a backdrop in ``most`` bytes, rounded as finely as can be seen or as there is room for; None without."""
    fitting, step = None, MAX_STEP
    while step >= STEP:
        with suppress(BackdropError):
            data = encode_backdrop(difference, step, motion)
            if len(data) > most:
                break
            fitting = data
            if float(np.square(decode_backdrop(data).difference - difference).mean()) <= ROUNDED:
                break
        step //= 2
    return fitting
