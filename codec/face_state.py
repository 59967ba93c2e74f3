"""What is tracked from a face, sent, and rendered: expression and head pose.

Frames of reference, used by every room:

* **Head space**: the canonical space of a head at rest. Centimetres; the origin lies between the ears as the morphable
  model has it; +x towards the subject's left, +y up, +z out of the face.
* **Camera space**: centimetres; +x to the right of the picture, +y up, +z from the scene towards the camera. The camera
  looks along -z, so that a visible point has z < 0 and a face that looks straight into the camera has rotation I.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EXPRESSION_SIZE = 79
"""Coefficients of the morphable model's expression basis (the paper's delta)."""

EMBEDDED_SIZE = 30
"""Coefficients after the attention embedding (the paper's fine-tuned operating point)."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadPose:
    """Rigid motion from head space to camera space: ``x_camera = rotation @ x_head + translation``."""

    rotation: NDArray[np.float32]
    """(3, 3), proper orthogonal."""
    translation: NDArray[np.float32]
    """(3,), centimetres."""

    @classmethod
    def at_rest(cls, distance: float = 60.0) -> "HeadPose":
        """Return a head that looks into the camera from ``distance`` centimetres."""
        return cls(np.eye(3, dtype=np.float32), np.array([0.0, 0.0, -distance], np.float32))


@dataclass(frozen=True, slots=True, eq=False)
class FaceState:
    """One instant of a face."""

    expression: NDArray[np.float32]
    """(79,) as tracked, 0 at rest and about [0, 1] for the named units; (30,) once embedded, about unit variance."""
    pose: HeadPose
    """Head space to camera space."""
    timestamp: float
    """Seconds of the capture clock."""
    present: bool = True
    """False while no face is seen; expression and pose then hold the last values."""
