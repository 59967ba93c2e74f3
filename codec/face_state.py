"""What is tracked from a face, sent, and rendered: expression, head pose and the motion of the torso.

Frames of reference, used by every room:

* **Head space**: the canonical space of a head at rest. Centimetres; the origin lies between the ears as the morphable
  model has it; +x towards the subject's left, +y up, +z out of the face.
* **Camera space**: centimetres; +x to the right of the picture, +y up, +z from the scene towards the camera. The camera
  looks along -z, so that a visible point has z < 0 and a face that looks straight into the camera has rotation I.
* **The frame**: the square picture that the avatar shows, in which the torso moves. Unit: the side of the frame; +x to
  the right, +y down.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

EXPRESSION_SIZE = 79
"""Coefficients of the morphable model's expression basis (the paper's delta)."""

EMBEDDED_SIZE = 30
"""Coefficients after the attention embedding (the paper's fine-tuned operating point)."""

MIN_TORSO_SIZE = 2
"""Numbers of the motion of a torso that is known to move as a whole: its displacement."""

MAX_TORSO_SIZE = 18
"""Numbers with as many modes of deformation as there may be: 16."""

_DISPLACEMENT_LIMIT = 2.0
_MODE_LIMIT = 0.4


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
    """False while no face is seen; expression, pose and torso then hold the last values."""
    torso: NDArray[np.float32] = field(default_factory=lambda: np.zeros(MIN_TORSO_SIZE, np.float32))
    """(T,) motion of the torso in the frame since the template of the enrolment, zero where the template has it.

    First a displacement d: to the right and down, in sides of the frame. Then how much there is of each mode of
    deformation, smooth displacement fields m that come with the avatar. The point p of the template now lies at
    ``p + d + sum of torso[2 + k] m_k(p)``. Finite; what is received, or lies between faces that were, is within
    :func:`torso_limits`.
    """


def torso_limits(size: int) -> tuple[float, ...]:
    """Return the largest magnitude of each number of a torso's motion (size,) that is sent."""
    return (_DISPLACEMENT_LIMIT,) * MIN_TORSO_SIZE + (_MODE_LIMIT,) * (size - MIN_TORSO_SIZE)
