"""Rounding that the picture does not show: the encoder's choice alone, nothing of which is sent.

The numbers of a face act on the same pixels: a rounding error of one can be made up for by another. With the metric
H (D, D), the mean of J^T J over pixels for the picture's derivative J by the numbers, an error e changes the picture by
the mean square ``e^T H e``. Factored as ``H = L^T diag(d) L`` with L unit lower triangular, that is
``sum_k d_k (e_k + sum_{j < k} L_kj e_j)^2``: taken in order, each number is rounded as if it had to make up for the
errors before it, and what remains of number k counts d_k, and not H_kk. The best steps are then those with which each
adds the same error, step_k = constant / sqrt(d_k) (reverse water-filling).

This is the sequential search for a near lattice point of Babai (1986), and the noise feedback of speech coders.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from codec.errors import TablesError

Matrix = NDArray[np.float64]

DAMPING = 0.1
"""Share of each H_kk that is taken to be unlike what the metric, a mean over some frames, tells of the others: the less
is trusted, the less do errors lean on each other."""


def factor(metric: Matrix, damping: float = DAMPING) -> tuple[Matrix, NDArray[np.float64]]:
    """Return L (D, D) and d (D,) of ``metric`` (D, D), symmetric with a positive diagonal.

    Raises:
        TablesError: it is no metric.
    """
    damped = metric + damping * np.diag(np.diag(metric))
    try:
        if not np.isfinite(damped).all():
            raise np.linalg.LinAlgError
        # Cholesky from the last number to the first: the last ones have the last word.
        upper = np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1]
    except np.linalg.LinAlgError:
        raise TablesError("The metric of the picture is not positive: render what the avatar shows again.") from None
    scale = np.diag(upper)
    return (upper / scale).T, scale**2


def metric_steps(
    metric: Matrix, picture_error: float, deviations: NDArray[np.floating], damping: float = DAMPING
) -> NDArray[np.float64]:
    """Return the steps (D,) with which rounding changes the picture by ``picture_error`` (RMS, unit of the metric).

    ``deviations`` (D,) are those of the numbers over the enrolment: a step lies between 1/50 and 2.5 of them.
    """
    _, weights = factor(metric, damping)
    spread = np.maximum(np.asarray(deviations, np.float64), 1e-4)
    allowed = sqrt(12 / len(weights)) * picture_error / np.sqrt(weights)
    return np.clip(allowed, 0.02 * spread, 2.5 * spread)


def feedback_weights(metric: Matrix, steps: NDArray[np.floating], damping: float = DAMPING) -> Matrix:
    """Return, strictly lower triangular (D, D), what a step's error of number j asks of number k, in steps of k."""
    lower, _ = factor(metric, damping)
    scaled: Matrix = np.tril(lower * steps[None, :] / steps[:, None], -1)
    return scaled
