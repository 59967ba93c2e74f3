"""Metrics of a tracked face: PRMSE and landmark distance."""

import numpy as np
from numpy.typing import NDArray

from app.tracking.landmarker import LEFT_EYE_CORNER, RIGHT_EYE_CORNER

Array = NDArray[np.float64]


def prmse(reference: Array, decoded: Array) -> float:
    """Return the pose RMSE in degrees: over frames and the angles yaw, pitch and roll (N, 3); NaN without a frame.

    The PRMSE of talking-head papers (Ha et al. 2020, "MarioNETte", arXiv 1911.08139), which take other trackers.
    """
    if not len(reference):
        return float("nan")
    difference = (decoded - reference + 180.0) % 360.0 - 180.0
    return float(np.sqrt(np.square(difference).mean()))


def landmark_distance(reference: Array, decoded: Array) -> float:
    """Return how far landmarks (N, 478, 2) lie apart, in percent of the distance between the outer corners of the eyes.

    The mean over landmarks and frames, each frame by its reference's own distance: the normalised mean error of face
    alignment with the inter-ocular distance of Sagonas et al. 2013 (300-W). NaN without a frame.
    """
    if not len(reference):
        return float("nan")
    eyes = np.linalg.norm(reference[:, LEFT_EYE_CORNER] - reference[:, RIGHT_EYE_CORNER], axis=1)
    errors = np.linalg.norm(decoded - reference, axis=2).mean(axis=1)
    return float(100.0 * (errors / eyes).mean())
