"""Finds how far what is behind a person has moved since enrolment, as it does when the camera is moved."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from codec.backdrop_motion import LARGEST, Motion, quantised, still

SEARCHES: Final = ((4, 8), (2, 2), (1, 2))
"""Of shifts, one after the other: by how much the pictures are made smaller, and pixels of those on every side."""
STEPS: Final = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-5)
"""Of the search for an affine map, at most, and the gain in correlation from which on it has ended."""
BLUR: Final = 5
"""Pixels by which pictures are smoothed for it."""
EXPLAINED: Final = 0.7
"""Share that may be left, for a motion to be one, of the variance that is not explained without it: it takes nothing to
send, but a wall that is lit from elsewhere must not be pulled along with the light."""
LEAST: Final = 3 * (0.5 / 255) ** 2
"""Variance, of the three colours together, that a motion must explain: what is less cannot be seen."""

Array = NDArray[np.float32]


def find_motion(enrolled: Array, seen: Array, known: NDArray[np.bool_]) -> Motion:
    """Return by how much a background has moved; nothing where it has not, or not so that it can be told.

    First shifts are tried, then an affine map is sought from the best of them on.

    Args:
        enrolled: (S, S, 3), 0 to 1, S a multiple of the largest of `SEARCHES`.
        seen: (S, S, 3), what is there now; something like it where it is not known.
        known: (S, S), where it is.
    """
    best = still()
    for shrunk, reach in SEARCHES:
        side = len(enrolled) // shrunk
        template, picture, weights = (_shrunk(image, side) for image in (enrolled, seen, known.astype(np.float32)))
        inside = weights > 0.5
        shifts = [(x, y) for y in range(-reach, reach + 1) for x in range(-reach, reach + 1)]
        tried = [best + np.array([[0.0, 0.0, x / side], [0.0, 0.0, y / side]]) for x, y in shifts]
        best = min(tried, key=lambda motion: _left(template, picture, inside, motion))
    candidates = [
        motion for motion in (best, _affine(enrolled, seen, known, best)) if (np.abs(motion) <= LARGEST).all()
    ]
    motion = min(map(quantised, candidates), key=lambda motion: _left(enrolled, seen, known, motion), default=still())
    unmoved, left = _left(enrolled, seen, known, still()), _left(enrolled, seen, known, motion)
    return motion if left < EXPLAINED * unmoved and unmoved - left > LEAST else still()


def moved(background: Array, motion: Motion) -> Array:
    """Return a background (S, S, 3) that has moved, as `renderer.backdrop` moves it: its border goes on beyond it."""
    if not motion.any():
        return background
    side = len(background)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(background, _warp(motion, side), (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    )


def _affine(enrolled: Array, seen: Array, known: NDArray[np.bool_], start: Motion) -> Motion:
    """Return an affine motion near ``start``, or that where none is found.

    By the enhanced correlation coefficient (Evangelidis and Psarakis, 2008), which does not mind other light.
    """
    # What hides the background goes with the picture, so that the search is for the way back.
    warp = np.asarray(cv2.invertAffineTransform(_warp(start, len(enrolled))), np.float32)
    template, picture = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (enrolled, seen))
    mask = known.astype(np.uint8)
    try:
        _, found = cv2.findTransformECC(template, picture, warp, cv2.MOTION_AFFINE, STEPS, mask, BLUR)
    except cv2.error:
        # Nothing to hold on to: a bare wall, or another room.
        return start
    motion = cv2.invertAffineTransform(np.asarray(found, np.float64)) - np.eye(2, 3)
    middle = (len(enrolled) - 1) / 2
    motion[:, 2] = (motion[:, 2] + motion[:, :2].sum(1) * middle) / len(enrolled)
    return np.asarray(motion, np.float64)


def _warp(motion: Motion, side: int) -> Motion:
    """Return a motion as a map of pixels (2, 3)."""
    warp = np.eye(2, 3) + motion * [1.0, 1.0, side]
    # The middle of the frame lies between pixels.
    warp[:, 2] -= motion[:, :2].sum(1) * (side - 1) / 2
    return np.asarray(warp, np.float64)


def _left(enrolled: Array, seen: Array, known: NDArray[np.bool_], motion: Motion) -> float:
    """Return the variance of what is seen that a motion does not explain, whatever light it is in."""
    if not known.any():
        return 0.0
    before, now = moved(enrolled, motion)[known], seen[known]
    before, now = before - before.mean(0), now - now.mean(0)
    together = np.maximum((before * now).mean(0), 0.0)
    explained = together**2 / np.maximum(np.square(before).mean(0), 1e-9)
    return float((np.square(now).mean(0) - explained).sum())


def _shrunk(image: Array, side: int) -> Array:
    return np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA), np.float32)
