"""Registration of a torso to its template: Lucas-Kanade along its owner's modes of deformation, with the template's
gradients in place of the picture's (Baker and Matthews, "Lucas-Kanade 20 years on", IJCV 2004; Matthews and Baker,
"Active appearance models revisited", IJCV 2004), a gain and an offset of the brightness, weights that doubt what a
hand, hair or the background cover, and a prior: a narrow strip of shirt says next to nothing about bends, and without a
prior they run to their limits until the torso is lost.

Motions are (2 + M,): a displacement in sides of the frame, then how much there is of each mode; see
`codec.face_state.FaceState`.
"""

from copy import copy
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.tracking.torso_template import SIDE, Extent, Tones, TorsoTemplate

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
"""Of each mode: shrugged shoulders rise further than the rest, but are no reason to give up."""
DAMPING = 1e-3
SHIFT_PRIOR, BEND_PRIOR = 0.5, 0.05
"""Standard deviations of a displacement and of a mode about none: a torso goes where it likes, and bends little."""
PIXELS_EACH = 12.0
"""Pixels that say together what one would alone: neighbours of a blurred picture are off alike."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where the torso was found."""

    motion: Array
    """(2 + M,) see the module."""
    correlation: float
    """Between template and picture under the weights, -1 to 1."""


class TorsoAligner:
    """Finds the torso of a template in pictures of it."""

    def __init__(self, template: TorsoTemplate) -> None:
        rows, columns = np.nonzero(template.mask)
        self.usable = len(rows) >= MIN_PIXELS
        """Whether there is enough of a torso to be found."""
        self.points = np.stack([columns, rows]).astype(np.float64)
        """(2, N) column and row of the template's pixels."""
        tones = template.tones
        self._values = tones[rows, columns].astype(np.float64)
        across, down = (cv2.Scharr(tones, cv2.CV_32F, *axes) / 32 for axes in ((1, 0), (0, 1)))
        self.gradients = np.stack([across, down])[:, rows, columns].astype(np.float64)
        """(2, N) of the tones, a pixel."""
        self._modes = template.displacements()[:, :, rows, columns].astype(np.float64)
        self._prior = np.array([SHIFT_PRIOR] * 2 + [BEND_PRIOR] * len(self._modes))
        bends = (self.gradients * self._modes).sum(1)
        self._steepest = SIDE * np.concatenate([self.gradients, bends]).T
        """(N, 2 + M) change of the tones by each number of the motion."""

    @property
    def rest(self) -> Array:
        """No motion, (2 + M,)."""
        return np.zeros(2 + len(self._modes))

    def thinned(self, most: int) -> "TorsoAligner":
        """Return an aligner that looks at so many pixels at most."""
        every = -(-self.points.shape[1] // most)
        other = copy(self)
        other.points, other.gradients = self.points[:, ::every], self.gradients[:, ::every]
        other._values, other._modes = self._values[::every], self._modes[:, :, ::every]
        other._steepest = self._steepest[::every]
        return other

    def align(self, tones: Tones, extent: Extent, start: Array) -> Alignment | None:
        """Find the torso in a frame.

        Args:
            tones: (SIDE, SIDE), see `app.tracking.torso_template.frame_tones`.
            extent: what the picture covers of it.
            start: (2 + M,) motion to begin with.

        Returns:
            None where it is not seen.
        """
        if not self.usable:
            return None
        motion = np.array(start, np.float64)
        correlation = -1.0
        for _ in range(ITERATIONS):
            places = self.points + SIDE * (motion[:2, None] + np.tensordot(motion[2:], self._modes, 1))
            seen = self._within(places, extent)
            if seen.mean() < MIN_COVER:
                return None
            columns, rows = places.astype(np.float32)[:, None]
            read = cv2.remap(tones, columns, rows, cv2.INTER_LINEAR)[0].astype(np.float64)
            weights, residuals, spread, correlation = self.compare(read, seen)
            step = self._step(weights, residuals, PIXELS_EACH * spread**2 / self._prior**2, motion)
            motion = motion - step
            motion[2:] = np.clip(motion[2:], -MAX_BEND, MAX_BEND)
            if not np.all(np.isfinite(motion)) or np.abs(motion[:2]).max() > MAX_SHIFT:
                return None
            if np.abs(step).max() * SIDE < CONVERGED:
                break
        return Alignment(motion, correlation) if correlation >= MIN_CORRELATION else None

    def _within(self, places: Array, extent: Extent) -> NDArray[np.bool_]:
        left, right, top, bottom = extent
        column, row = places
        return np.asarray((column >= left) & (column <= right - 1) & (row >= top) & (row <= bottom - 1))

    def compare(self, read: Array, seen: NDArray[np.bool_]) -> tuple[Array, Array, float, float]:
        """Compare picture and template, after the brightness has been brought in line.

        Args:
            read: (N,) tones of the picture where the template's pixels are thought to be.
            seen: (N,) which of them the picture shows.

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
        """Return by how much the motion (2 + M,) is to be taken back.

        Args:
            weights: (N,) of the pixels.
            residuals: (N,) what the step explains of them.
            stiffness: (2 + M,) inverse variances of ``motion`` under the prior, relative to those of the residuals.
            motion: (2 + M,) as it is now.
        """
        weighted = self._steepest * weights[:, None]
        normal = self._steepest.T @ weighted
        normal[np.diag_indices(len(motion))] *= 1.0 + DAMPING
        normal[np.diag_indices(len(motion))] += stiffness
        return np.asarray(np.linalg.solve(normal, weighted.T @ residuals + stiffness * motion), np.float64)
