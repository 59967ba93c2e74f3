"""How a head's picture changes with each number of its expression: looked up, as rendering it takes too long."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from app.tracking.torso_template import FrameCamera
from codec.face_state import FaceState, HeadPose

STEP: Final = 0.7
"""Of a number's deviation, by which it is changed to see what it does."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionGradients:
    """Derivatives of the colours of a head at rest, fixed to the head as its colours are.

    As those of an active appearance model, which are taken once as well (Matthews and Baker, "Active Appearance Models
    Revisited", IJCV 2004); there they are fixed to a mesh, here to the depth of the rendered head.
    """

    camera: FrameCamera
    rest: HeadPose
    values: Floats
    """(S, S, 3 E), a colour per unit of each number, of the picture of the head at rest."""

    @classmethod
    def of(cls, picture: Callable[[FaceState], Floats], rest: FaceState, spread: Floats, camera: FrameCamera) -> Self:
        """Take them from pictures of the head.

        Args:
            picture: renders the frame, (S, S, 3).
            rest: the head in the middle of what it does.
            spread: (E,) deviation of each number.
            camera: of the frame.
        """
        gradients = []
        for number, deviation in enumerate(spread):
            change = np.zeros_like(rest.expression)
            change[number] = STEP * deviation
            ends = [picture(replace(rest, expression=rest.expression + sign * change)) for sign in (1, -1)]
            gradients.append((ends[0] - ends[1]) / (2.0 * change[number]))
        values = np.stack(gradients, axis=-1).astype(np.float32)
        return cls(camera, rest.pose, values.reshape(*values.shape[:2], -1))

    def at(self, points: Floats) -> Floats:
        """Return them for points (N, 3) of the head, cm in head space: (N, 3, E); zero where rest does not show any."""
        side, c = len(self.values), self.camera
        x, y, z = (points @ self.rest.rotation.T + self.rest.translation).T
        away = np.maximum(-z, np.float32(1.0))
        columns = np.floor((c.cx + c.focal * x / away) * side).astype(np.intp)
        rows = np.floor((c.cy - c.focal * y / away) * side).astype(np.intp)
        within = (rows >= 0) & (rows < side) & (columns >= 0) & (columns < side)
        found = self.values[np.clip(rows, 0, side - 1), np.clip(columns, 0, side - 1)]
        found[~within] = 0.0
        return np.asarray(found.reshape(len(points), 3, -1), np.float32)
