"""Analysis by synthesis: the head is rendered as the other side will see it, and its pose corrected until it lies where
the camera shows it.

Landmarks tell the pose of a head to about a pixel, and not always in the same way; the edges of a rendered face beside
those of the real one tell it to a tenth. Of each picture one step is taken (Lucas-Kanade, by the rendering's gradients:
Baker and Matthews, "Lucas-Kanade 20 years on", IJCV 2004) in all six motions: across, down, in size, about the line of
sight, and, with a head taken for an ellipsoid, to the sides and up and down, which move the face and leave the outline.
What the camera's exposure does is fitted along. Motions that look alike, as a nod and a head that sinks, are told apart
by what is usual: the step is the most likely one, with corrections that lie about zero before anything is seen.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.tracking.torso_template import FrameCamera, frame_picture
from codec.face_state import FaceState, HeadPose
from codec.rotation import rotation_vector_to_matrix

SIDE: Final = 96
"""Pixels of the frame in which head and picture are compared: no more than the renderer of a laptop has time for."""
BLUR: Final = 0.7
"""Standard deviation in those pixels."""
SEMI_AXES: Final = (8.5, 12.0, 9.5)
"""Centimetres across, down and towards the camera, of the ellipsoid about the head's origin."""
MARGIN: Final = 1.15
"""Of the ellipsoid's outline, up to which pictures are compared: the outline itself tells most."""
DOUBT: Final = 0.15
"""Difference of a colour, 0 to 1, from which on a pixel counts less and less."""
GAIN: Final = 0.7
"""Of what is found in a picture, that is taken over."""
LIMITS: Final = np.array([0.03, 0.03, 0.06, 0.06, 0.08, 0.08])
"""Largest corrections: sides of the frame, share of the size, radians."""
STEP_LIMITS: Final = LIMITS / 2
"""Largest steps: a larger one is shortened."""
LEAST_PIXELS: Final = 170
"""That must be seen of a head, for it to be aligned."""
USUAL: Final = np.array([0.004, 0.004, 0.01, 0.012, 0.012, 0.012])
"""Standard deviations of corrections: sides of the frame, share of the size, radians."""
ALIKE: Final = 150.0
"""Colours that count for one: neighbours err alike, as what is wrong with them is a blurred edge or a shadow."""
LEAST_VARIANCE: Final = (1 / 255) ** 2
"""Of a colour, 0 to 1: pictures have 8 bits."""
FORGET: Final = 0.8
"""Share of a correction that is left after each picture without a face."""

Array = NDArray[np.float64]
Colours = NDArray[np.float32]
Render = Callable[[FaceState], NDArray[np.uint8] | None]
"""Renders a tracked state as a picture (SIDE, SIDE, 3) of the frame; None while that cannot be done."""


class HeadAligner:
    """Corrects the head's pose picture by picture, in the order of time."""

    def __init__(self, render: Render, camera: FrameCamera, focal: float, budget: float = inf) -> None:
        """Prepare to compare what ``render`` makes with pictures taken with ``focal`` (picture heights).

        ``budget`` is how many seconds a picture comparing may take, on average: where it takes longer, the pictures
        after it are corrected as it was, without a comparison of their own.
        """
        self._render, self._camera, self._focal, self._budget = render, camera, focal, budget
        self._skipped = 0
        self._correction = np.zeros(6)

    def align(self, image: NDArray[np.uint8], state: FaceState) -> FaceState:
        """Return a tracked state whose head lies where the RGB picture (H, W, 3) shows it."""
        if not state.present:
            self._correction = FORGET * self._correction
            return state
        if self._skipped > 0:
            self._skipped -= 1
        else:
            began = time.perf_counter()
            self._compare(image, state)
            self._skipped = int((time.perf_counter() - began) / self._budget)
        return replace(state, pose=moved(state.pose, self._correction, self._camera.focal))

    def _compare(self, image: NDArray[np.uint8], state: FaceState) -> None:
        """Move the correction on by what a picture tells."""
        height, width = image.shape[:2]
        frame, (left, right, top, bottom) = frame_picture(image, self._camera.square(self._focal, width, height), SIDE)
        shown = replace(state, pose=moved(state.pose, self._correction, self._camera.focal))
        weights = self._weights(shown.pose)
        weights[:top], weights[bottom:], weights[:, :left], weights[:, right:] = 0.0, 0.0, 0.0, 0.0
        rendered = self._render(shown) if np.count_nonzero(weights) >= LEAST_PIXELS else None
        if rendered is not None:
            ellipsoid = self._ellipsoid(shown.pose)
            step = picture_step(_colours(frame), _colours(rendered), weights, *ellipsoid, self._correction)
            if step is not None:
                step = step / max(1.0, float((np.abs(step) / STEP_LIMITS).max()))
                self._correction = np.clip(self._correction + GAIN * step, -LIMITS, LIMITS)

    def _ellipsoid(self, pose: HeadPose) -> tuple[Array, Array]:
        """Return the ellipsoid's middle in the frame, (column, row), and its semi-axes (3,), all in sides."""
        x, y, z = pose.translation.astype(np.float64)
        camera, away = self._camera, max(-z, 1.0)
        middle = np.array([camera.cx + camera.focal * x / away, camera.cy - camera.focal * y / away])
        return middle, np.array(SEMI_AXES) * camera.focal / away

    def _weights(self, pose: HeadPose) -> Array:
        """Return how much each pixel (SIDE, SIDE) counts: an ellipse, fading towards its edge."""
        (column, row), (width, height, _) = self._ellipsoid(pose)
        places = (np.arange(SIDE) + 0.5) / SIDE
        across, down = (places - column) / width, (places - row) / height
        return np.asarray(np.clip(4.0 * (MARGIN**2 - across[None] ** 2 - down[:, None] ** 2), 0.0, 1.0), np.float64)


def picture_step(
    seen: Colours, rendered: Colours, weights: Array, middle: Array, semi_axes: Array, correction: Array
) -> Array | None:
    """Return by how much the rendered head must move to lie where it is seen.

    Args:
        seen: (SIDE, SIDE, 3) colours of the camera's picture, 0 to 1.
        rendered: (SIDE, SIDE, 3) of the rendering.
        weights: (SIDE, SIDE) of the pixels.
        middle: (2,) of the head, column and row in sides, about which it grows and turns.
        semi_axes: (3,) across, down and towards the camera, of the ellipsoid that it is taken for.
        correction: (6,) that the rendering has already, as what is returned.

    Returns:
        (6,): to the right and down in sides of the frame, relative growth, and turns in radians: clockwise as seen, to
        the right, and down; None where the picture does not tell.
    """
    rows, columns = np.nonzero(weights)
    across, down = (cv2.Scharr(rendered, cv2.CV_32F, *axes)[rows, columns] * (SIDE / 32.0) for axes in ((1, 0), (0, 1)))
    x, y = ((columns + 0.5) / SIDE - middle[0])[:, None], ((rows + 0.5) / SIDE - middle[1])[:, None]
    # How far the ellipsoid's surface lies before its middle.
    before = semi_axes[2] * np.sqrt(np.maximum(1.0 - (x / semi_axes[0]) ** 2 - (y / semi_axes[1]) ** 2, 0.0))
    values = rendered[rows, columns]
    # A head that moves to the right shows at a place what was to the left of it.
    motions = [-across, -down, -(across * x + down * y), across * y - down * x, -across * before, -down * before]
    steepest = np.stack([*motions, values, np.ones_like(values)], axis=-1).reshape(-1, 8)
    residuals = (seen[rows, columns] - values).reshape(-1)
    base = np.repeat(weights[rows, columns], 3)
    # Of gain and offset, which come last, anything is usual.
    usual, so_far = np.append(USUAL**-2.0, [0.0, 0.0]), np.append(correction, [0.0, 0.0])
    solution: Array = np.zeros(8)
    for _ in range(2):
        left = residuals - steepest @ solution
        trust = base / (1.0 + (left / DOUBT) ** 2)
        variance = ALIKE * max(float(trust @ left**2) / float(trust.sum()), LEAST_VARIANCE)
        weighted = steepest * trust[:, None]
        # What is seen, and what is usual, each over its variance.
        normal = steepest.T @ weighted + variance * np.diag(usual)
        normal[np.diag_indices(8)] *= 1.0 + 1e-6
        try:
            told = weighted.T @ residuals - variance * usual * so_far
            solution = np.asarray(np.linalg.solve(normal, told), np.float64)
        except np.linalg.LinAlgError:
            return None
    return solution[:6] if np.isfinite(solution).all() else None


def moved(pose: HeadPose, motion: Array, focal: float) -> HeadPose:
    """Return a pose whose picture is moved by ``motion`` (6,), see `picture_step`.

    Args:
        pose: of the head.
        motion: how its picture is to move.
        focal: of the camera, sides of the frame.
    """
    right, down, growth, turn, aside, nod = motion
    x, y, z = pose.translation.astype(np.float64) / (1.0 + growth)
    away = max(-z, 1.0)
    cosine, sine = np.cos(turn), np.sin(turn)
    # Clockwise as seen is a negative turn about the line of sight, as y is up.
    about_sight = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    # What is before the middle goes to the right, and down.
    rotation = rotation_vector_to_matrix(np.array([nod, aside, 0.0])) @ about_sight @ pose.rotation
    translation = np.array([x + right * away / focal, y - down * away / focal, z])
    return HeadPose(rotation.astype(np.float32), translation.astype(np.float32))


def _colours(picture: NDArray[np.uint8]) -> Colours:
    """Return the blurred colours (SIDE, SIDE, 3), 0 to 1, of an RGB picture (SIDE, SIDE, 3)."""
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float32) / np.float32(255.0), (0, 0), BLUR), np.float32)
