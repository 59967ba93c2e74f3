"""The morphable model reduced to its 478 landmarks: all that the tracker computes with, frame by frame."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.morphable_model import MorphableModel

Array = NDArray[np.float64]

FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""MediaPipe's indices of the outline of the face. These follow the silhouette, not the skin."""

OVAL_WEIGHT = 0.7
"""Relative information of an outline point: even with the model's slide it follows the silhouette, not the skin.

Less weight makes the rotation less steady, for these points lie farthest behind the tip of the nose.
"""


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkTables:
    """Where the model has the 478 landmarks and what moves them."""

    mean: Array
    """(478, 3) centimetres in head space."""
    identity: Array
    """(K, 478, 3) centimetres per standard deviation."""
    expression: Array
    """(3, 478, 79) centimetres per unit, axis first."""
    expression_names: tuple[str, ...]
    """The 79 directions."""
    named_count: int
    """The first so many are named units that act one-sidedly: 0 at rest, 1 in full."""
    slide: Array
    """(478, 2, 5) centimetres by yaw, pitch, yaw², yaw·pitch, pitch² (radians): see `MorphableModel`."""
    expression_sigma: Array
    """(79,) standard deviation of each coefficient in lively faces."""
    slide_range: Array
    """(2,) yaw and pitch, radians, up to which the slide is known."""
    weights: Array
    """(478,) relative information of each landmark."""
    digest: bytes
    """8 bytes that name the baked model: calibrations hold for one model only."""

    @classmethod
    def of(cls, model: MorphableModel) -> "LandmarkTables":
        """Interpolate the model's vertices at the landmarks."""
        expression = model.at_landmarks(model.expression_basis).astype(np.float64)
        weights = np.ones(len(model.landmark_triangles))
        weights[list(FACE_OVAL)] *= OVAL_WEIGHT
        return cls(
            mean=model.landmarks().astype(np.float64),
            identity=model.at_landmarks(model.identity_basis).astype(np.float64),
            expression=np.ascontiguousarray(expression.transpose(2, 1, 0)),
            expression_names=model.expression_names,
            named_count=model.expression_named,
            expression_sigma=model.expression_sigma.astype(np.float64),
            slide=model.landmark_slide.astype(np.float64),
            slide_range=model.landmark_slide_range.astype(np.float64),
            weights=weights,
            digest=model.digest,
        )
