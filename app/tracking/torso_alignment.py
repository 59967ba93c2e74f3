"""Registration of a torso to its template: inverse compositional Lucas-Kanade (Baker and Matthews, "Lucas-Kanade 20
years on", IJCV 2004) with an affine warp, a gain and an offset of the brightness, weights that doubt what a hand, hair
or the background cover, and a prior: a narrow strip of shirt says next to nothing about bends, and without a prior they
run to their limits until the torso is lost.

Motions are (6,): the displacement of the template's centre in sides of the frame, then the deviation of the linear part
from the identity, row by row; see `codec.face_state.FaceState`.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.tracking.torso_template import SIDE, Extent, Tones, TorsoTemplate
from codec.face_state import TORSO_SIZE

ITERATIONS = 15
MIN_PIXELS = 200
"""A template with fewer pixels tells nothing."""
CONVERGED = 0.02
"""Pixels by which the outermost points still move."""
DOUBT = 1.5
"""Residuals beyond so many standard deviations (from their median) count less and less."""
NOISE = 2.0
"""Of 255: differences as small as that are never doubted."""
MIN_CORRELATION = 0.7
"""Between template and picture, below which it is something else that is seen."""
MIN_COVER = 0.1
"""Share of the template's pixels that must lie within the picture: of lowered shoulders not much is left."""
MAX_SHIFT = 0.6
"""Sides of the frame; a torso beyond is not followed."""
MAX_BEND = 0.35
"""Deviation of the linear part: shrugged shoulders rise further than the rest, but are no reason to give up."""
DAMPING = 1e-3
PRIOR = np.array([0.5, 0.5, 0.05, 0.05, 0.05, 0.05])
"""Standard deviations of a motion about none: a torso goes where it likes, and bends little."""
PIXELS_EACH = 12.0
"""Pixels that say together what one would alone: neighbours of a blurred picture are off alike."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where the torso was found."""

    motion: Array
    """(6,) see the module."""
    correlation: float
    """Between template and picture under the weights, -1 to 1."""


class TorsoAligner:
    """Finds the torso of a template in pictures of it."""

    def __init__(self, template: TorsoTemplate) -> None:
        rows, columns = np.nonzero(template.mask)
        self.usable = len(rows) >= MIN_PIXELS
        """Whether there is enough of a torso to be found."""
        if not self.usable:
            return
        self._centre = template.centre * SIDE - 0.5
        self._points = np.stack([columns, rows]) - self._centre[:, None]
        tones = template.tones
        self._values = tones[rows, columns].astype(np.float64)
        across = (cv2.Scharr(tones, cv2.CV_32F, 1, 0) / 32)[rows, columns].astype(np.float64)
        down = (cv2.Scharr(tones, cv2.CV_32F, 0, 1) / 32)[rows, columns].astype(np.float64)
        x, y = self._points / SIDE
        # In pixels per unit of the motion over SIDE, so that all columns are of one size.
        self._steepest = np.stack([across, down, across * x, across * y, down * x, down * y], 1)

    def align(self, tones: Tones, extent: Extent, start: Array) -> Alignment | None:
        """Find the torso in a frame.

        Args:
            tones: (SIDE, SIDE), see `app.tracking.torso_template.frame_tones`.
            extent: what the picture covers of it.
            start: (6,) motion to begin with.

        Returns:
            None where it is not seen.
        """
        if not self.usable:
            return None
        linear, shift = np.eye(2) + start[2:].reshape(2, 2), start[:2] * SIDE
        correlation = -1.0
        for _ in range(ITERATIONS):
            places = linear @ self._points + (self._centre + shift)[:, None]
            seen = self._within(places, extent)
            if seen.mean() < MIN_COVER:
                return None
            columns, rows = places.astype(np.float32)[:, None]
            read = cv2.remap(tones, columns, rows, cv2.INTER_LINEAR)[0].astype(np.float64)
            weights, residuals, spread, correlation = self._compare(read, seen)
            motion = np.concatenate([shift / SIDE, (linear - np.eye(2)).ravel()])
            step = self._step(weights, residuals, PIXELS_EACH * spread**2 / PRIOR**2, motion)
            # Compose with the inverse of the step's warp, which acts on the template's side.
            inverse = np.linalg.inv(np.eye(2) + step[2:].reshape(2, 2))
            linear = np.eye(2) + np.clip(linear @ inverse - np.eye(2), -MAX_BEND, MAX_BEND)
            shift = shift - linear @ step[:2]
            if not np.all(np.isfinite(shift)) or np.abs(shift).max() > MAX_SHIFT * SIDE:
                return None
            if max(np.abs(step[:2]).max(), np.abs(step[2:]).max() * SIDE / 2) < CONVERGED:
                break
        motion = np.concatenate([shift / SIDE, (linear - np.eye(2)).ravel()])
        return Alignment(motion, correlation) if correlation >= MIN_CORRELATION else None

    def _within(self, places: Array, extent: Extent) -> NDArray[np.bool_]:
        left, right, top, bottom = extent
        column, row = places
        return np.asarray((column >= left) & (column <= right - 1) & (row >= top) & (row <= bottom - 1))

    def _compare(self, read: Array, seen: NDArray[np.bool_]) -> tuple[Array, Array, float, float]:
        """Compare picture and template, after the brightness has been brought in line.

        Returns:
            weights (N,), residuals (N,), their standard deviation, and the correlation.
        """
        weights = seen.astype(np.float64)
        residuals = read
        spread, correlation = NOISE, -1.0
        for _ in range(2):
            total = weights.sum()
            mean_read, mean = weights @ read / total, weights @ self._values / total
            deviation_read, deviation = read - mean_read, self._values - mean
            covariance = weights @ (deviation_read * deviation)
            power_read, power = weights @ deviation_read**2, weights @ deviation**2
            correlation = float(covariance / np.sqrt(max(power_read * power, 1e-12)))
            gain = np.clip(np.sqrt(power / max(power_read, 1e-12)), 0.5, 2.0)
            residuals = gain * deviation_read - deviation
            spread = 1.4826 * float(np.median(np.abs(residuals[seen]))) + NOISE
            weights = seen / (1.0 + (residuals / (DOUBT * spread)) ** 2)
        return weights, residuals, spread, correlation

    def _step(self, weights: Array, residuals: Array, stiffness: Array, motion: Array) -> Array:
        """Return the warp of the template (6,) that is to be undone: pixels, then the linear part.

        Args:
            weights: (N,) of the pixels.
            residuals: (N,) what the warp explains of them.
            stiffness: (6,) inverse variances of ``motion`` under the prior, relative to those of the residuals.
            motion: (6,) as it is now; near the identity, undoing a warp subtracts it.
        """
        weighted = self._steepest * weights[:, None]
        normal = self._steepest.T @ weighted
        normal[np.diag_indices(TORSO_SIZE)] *= 1.0 + DAMPING
        # All columns were taken in pixels over the frame's side, and the motion is in sides of the frame.
        normal[np.diag_indices(TORSO_SIZE)] += stiffness / SIDE**2
        step = np.asarray(np.linalg.solve(normal, weighted.T @ residuals + stiffness * motion / SIDE), np.float64)
        step[2:] /= SIDE
        return step
