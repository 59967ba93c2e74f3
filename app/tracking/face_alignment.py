"""Analysis by synthesis: the face is rendered as the other side will see it, and its pose and expression are corrected
until it looks as the camera shows it.

Landmarks tell the pose of a head to about a pixel, not always in the same way, and of the expression what moves them;
a rendered face beside the real one tells both better. Of each picture one step is taken (Gauss-Newton on the
difference of the two, as in Baker and Matthews, "Lucas-Kanade 20 years on", IJCV 2004) in all six motions of the head,
by the rendering's gradients and its depth, and in all numbers of the expression, by gradients that were taken once.
What the camera's exposure does is fitted along. Motions that look alike, as a nod and a head that sinks, are told apart
by what is usual and by what was found before: `app.tracking.correction`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.tracking.correction import Correction
from app.tracking.expression_gradients import ExpressionGradients
from app.tracking.head_motion import MOTIONS, motion_gradients, moved
from app.tracking.torso_template import FrameCamera, frame_picture
from codec.face_state import FaceState, HeadPose

SIDE: Final = 96
"""Pixels of the frame in which face and picture are compared: no more than the renderer of a laptop has time for."""
BLUR: Final = 0.5
"""Standard deviation in those pixels."""
FADE: Final = 5
"""Pixels over which the outline of the head fades: what is just beside it tells where it ends."""
DOUBT: Final = 0.15
"""Difference of a colour, 0 to 1, from which on a pixel counts less and less."""
POSE_USUAL: Final = np.array([0.008, 0.008, 0.02, 0.024, 0.024, 0.024])
"""Standard deviations of what is wrong with a pose, see `MOTIONS`."""
POSE_LIMITS: Final = np.array([0.03, 0.03, 0.06, 0.06, 0.08, 0.08])
"""Largest of it."""
POSE_KEPT: Final = 0.97
"""Share of it that is still there in the next picture."""
EXPRESSION_USUAL: Final = 0.4
"""Of a number's own deviation, what is wrong with it; beyond three of these nothing is believed."""
EXPRESSION_KEPT: Final = 0.9
"""Share of it that is still there in the next picture."""
LEAST_PIXELS: Final = 85
"""That must be seen of a head, for it to be aligned."""
ALIKE: Final = 60.0
"""Colours that count for one: neighbours err alike, as what is wrong with them is a blurred edge or a shadow."""
LEAST_VARIANCE: Final = (1 / 255) ** 2
"""Of a colour, 0 to 1: pictures have 8 bits."""
ROUNDS: Final = 2
"""Of weighing pixels by what is left unexplained of them."""

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class RenderedHead:
    """What the other side will see, small."""

    picture: NDArray[np.uint8]
    """(SIDE, SIDE, 3) of the frame."""
    distance: Floats
    """(SIDE, SIDE) of the head's surface along the line of sight, cm; infinite where there is no head."""


Render = Callable[[FaceState], RenderedHead | None]
"""Renders an embedded state; None while that cannot be done."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionRange:
    """What embedded expressions (E,) of a person are like."""

    rest: FaceState
    """Their middle, and the head's."""
    spread: Floats
    """(E,) standard deviations."""
    lower: Floats
    """(E,) that a number must not fall below."""
    upper: Floats
    """(E,) that it must not exceed."""


class FaceAligner:
    """Corrects the head's pose and the expression picture by picture, in the order of time."""

    def __init__(
        self, render: Render, expressions: ExpressionRange, camera: FrameCamera, focal: float, budget: float = inf
    ) -> None:
        """Prepare to compare what ``render`` makes with pictures taken with ``focal`` (picture heights).

        ``budget`` is how many seconds a picture comparing may take, on average: where it takes longer, the pictures
        after it are corrected as it was, without a comparison of their own.
        """
        self._render, self._expressions, self._camera = render, expressions, camera
        self._focal, self._budget = focal, budget
        self._skipped = 0
        self._gradients = self._take_gradients()
        expression_usual = EXPRESSION_USUAL * expressions.spread.astype(np.float64)
        self._correction = Correction(
            np.concatenate([POSE_USUAL, expression_usual]),
            np.concatenate([np.full(MOTIONS, POSE_KEPT), np.full(len(expression_usual), EXPRESSION_KEPT)]),
            np.concatenate([POSE_LIMITS, 3.0 * expression_usual]),
        )

    def align(self, image: NDArray[np.uint8], state: FaceState) -> FaceState:
        """Return an embedded state whose face is as the RGB picture (H, W, 3) shows it."""
        if not state.present:
            return self.go_on(state)
        if self._skipped > 0:
            self._skipped -= 1
        else:
            began = time.perf_counter()
            self._compare(image, state)
            self._skipped = int((time.perf_counter() - began) / self._budget)
        return self._corrected(state)

    def go_on(self, state: FaceState) -> FaceState:
        """Return the same for a picture that is not looked at, by what was found before."""
        self._correction.predict()
        return self._corrected(state) if state.present else state

    def _corrected(self, state: FaceState) -> FaceState:
        values, range_ = self._correction.values, self._expressions
        expression = state.expression + values[MOTIONS:].astype(np.float32)
        return replace(
            state,
            pose=moved(state.pose, values[:MOTIONS], self._camera.focal),
            expression=np.clip(expression, range_.lower, range_.upper),
        )

    def _compare(self, image: NDArray[np.uint8], state: FaceState) -> None:
        """Move the correction on by what a picture tells."""
        self._correction.predict()
        shown = self._corrected(state)
        rendered = self._render(shown)
        if self._gradients is None:
            self._gradients = self._take_gradients()
        if rendered is None or self._gradients is None:
            return
        height, width = image.shape[:2]
        frame, (left, right, top, bottom) = frame_picture(image, self._camera.square(self._focal, width, height), SIDE)
        weights, distance = _outlined(rendered.distance)
        weights[:top], weights[bottom:], weights[:, :left], weights[:, right:] = 0.0, 0.0, 0.0, 0.0
        # Neighbours say the same: every other pixel does.
        weights[::2, ::2], weights[1::2, 1::2] = 0.0, 0.0
        rows, columns = np.nonzero(weights)
        if len(rows) < LEAST_PIXELS:
            return
        picture, away = _colours(rendered.picture), distance[rows, columns]
        values = picture[rows, columns]
        changes = (
            motion_gradients(picture, away, rows, columns, shown.pose, self._camera),
            self._gradients.at(self._points(away, rows, columns, shown.pose)),
            # What the camera's exposure does: gain and offset.
            np.stack([values, np.ones_like(values)], axis=-1),
        )
        gradients = np.concatenate(changes, axis=-1).reshape(3 * len(rows), -1)
        residuals = (_colours(frame)[rows, columns] - values).reshape(-1)
        found = most_likely_step(gradients, residuals, np.repeat(weights[rows, columns], 3), self._correction.precision)
        if found is not None:
            self._correction.update(*found)

    def _take_gradients(self) -> ExpressionGradients | None:
        """Render the face at rest with each number changed, which takes half a second; None while that cannot be."""
        known, camera = self._expressions, self._camera
        if self._render(known.rest) is None:
            return None

        def picture(state: FaceState) -> Floats:
            rendered = self._render(state)
            assert rendered is not None, "it was rendered before"
            return _colours(rendered.picture)

        return ExpressionGradients.of(picture, known.rest, known.spread, camera)

    def _points(self, away: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp], pose: HeadPose) -> Floats:
        """Return the points (N, 3) in head space that lie ``away`` (N,) cm behind pixels."""
        c = self._camera
        across = ((columns + 0.5) / SIDE - c.cx) / c.focal
        up = (c.cy - (rows + 0.5) / SIDE) / c.focal
        seen = (away * np.stack([across, up, np.full(len(rows), -1.0)])).T.astype(np.float32)
        return np.asarray((seen - pose.translation) @ pose.rotation, np.float32)


def most_likely_step(
    gradients: Floats, residuals: Floats, weights: Floats, precision: Array
) -> tuple[Array, Array] | None:
    """Return the change that explains differences best, by what is seen and what is likely.

    Args:
        gradients: (N, K + M) of colours, by the K numbers that are looked for and by M of which anything is likely.
        residuals: (N,) differences of colours.
        weights: (N,) of them.
        precision: (K, K) inverse covariance of what is likely.

    Returns:
        The step (K,) and its covariance (K, K); None where the picture does not tell.
    """
    known = len(precision)
    likely = np.zeros((gradients.shape[1],) * 2)
    likely[:known, :known] = precision
    solution: Array = np.zeros(len(likely))
    for _ in range(ROUNDS):
        left = residuals - gradients @ solution.astype(np.float32)
        trust = weights / (1.0 + (left / np.float32(DOUBT)) ** 2)
        variance = ALIKE * max(float(trust @ left**2) / float(trust.sum()), LEAST_VARIANCE)
        weighted = gradients * (trust / np.float32(variance))[:, None]
        normal = (gradients.T @ weighted).astype(np.float64) + likely
        normal[np.diag_indices(len(normal))] *= 1.0 + 1e-6
        try:
            covariance: Array = np.asarray(np.linalg.inv(normal), np.float64)
        except np.linalg.LinAlgError:
            return None
        solution = covariance @ (weighted.T @ residuals).astype(np.float64)
    if not (np.isfinite(solution).all() and np.isfinite(covariance).all()):
        return None
    return solution[:known], covariance[:known, :known]


def _outlined(distance: Floats) -> tuple[Floats, Floats]:
    """Return how much each pixel (SIDE, SIDE) counts, and distances that go on beyond the outline."""
    head = np.isfinite(distance)
    inside = head.astype(np.float32)
    weights = cv2.blur(inside, (FADE, FADE))
    spread = cv2.blur(np.where(head, distance, np.float32(0.0)), (2 * FADE + 1, 2 * FADE + 1))
    share = cv2.blur(inside, (2 * FADE + 1, 2 * FADE + 1))
    beyond = spread / np.maximum(share, np.float32(1e-3))
    return np.asarray(weights, np.float32), np.where(head, distance, beyond)


def _colours(picture: NDArray[np.uint8]) -> Floats:
    """Return the blurred colours (SIDE, SIDE, 3), 0 to 1, of an RGB picture (SIDE, SIDE, 3)."""
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float32) / np.float32(255.0), (0, 0), BLUR), np.float32)
