"""What tracking gets wrong, followed over time: a Kalman filter of errors that come and go about zero."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Correction:
    """Errors that are zero on average, spread as usual, and forgotten little by little (Ornstein-Uhlenbeck)."""

    def __init__(self, usual: Array, kept: Array, limits: Array) -> None:
        """Start with no error known.

        Args:
            usual: (K,) standard deviation of each error.
            kept: (K,) share of it that is still there in the next picture.
            limits: (K,) that no error exceeds, and half of which none changes by in one picture.
        """
        self._usual, self._kept, self._limits = usual, kept, limits
        self.values: Array = np.zeros(len(usual))
        self._covariance: Array = np.diag(usual**2)

    def predict(self) -> None:
        """Go on to the next picture."""
        kept = self._kept
        self.values = kept * self.values
        self._covariance = kept[:, None] * self._covariance * kept + np.diag((1.0 - kept**2) * self._usual**2)

    @property
    def precision(self) -> Array:
        """Inverse (K, K) of the covariance of what is not known of the errors."""
        return np.asarray(np.linalg.inv(self._covariance), np.float64)

    def update(self, step: Array, covariance: Array) -> None:
        """Take over what a picture told: by how much the errors (K,) are others, and how well (K, K) that is known."""
        step = step / max(1.0, float((np.abs(step) / (0.5 * self._limits)).max()))
        self.values = np.clip(self.values + step, -self._limits, self._limits)
        self._covariance = 0.5 * (covariance + covariance.T)
