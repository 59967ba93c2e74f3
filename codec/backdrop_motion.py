"""By how much what is behind a person has moved in the picture, as when somebody moves the camera.

Where the background shows a place now, an avatar's own shows it ``motion @ (u, v, 1)`` farther on: (2, 3) of an affine
map, with u and v, in sides of the frame, counted from its middle to the right and down.

In bytes these are six i16 in units of `UNIT`, little-endian, row by row.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.errors import BackdropError

UNIT: Final = 2.0**-14
"""A 64th of a pixel of 256 across."""
LARGEST: Final = 0.5
"""Of each number: what is shown from farther away is another background."""
MOTION_BYTES: Final = 12

_LAYOUT: Final = np.dtype("<i2")

Motion = NDArray[np.float64]
"""(2, 3), -0.5 to 0.5."""


def still() -> Motion:
    """Return the motion of what has not moved."""
    return np.zeros((2, 3))


def quantised(motion: NDArray[np.floating]) -> Motion:
    """Return a motion as it is sent. Raises BackdropError: it is none, or too large."""
    if motion.shape != (2, 3) or not (np.abs(motion) <= LARGEST).all():
        raise BackdropError("The background has moved farther than can be told.")
    return np.asarray(np.rint(motion / UNIT) * UNIT, np.float64)


def encode_motion(motion: NDArray[np.floating]) -> bytes:
    """Return a motion in bytes. Raises BackdropError: it is none, or too large."""
    return np.rint(quantised(motion) / UNIT).astype(_LAYOUT).tobytes()


def decode_motion(data: bytes) -> Motion:
    """Return the motion in ``data``. Raises BackdropError: it has another length, or the motion is too large."""
    if len(data) != MOTION_BYTES:
        raise BackdropError("A picture of what is behind a person is damaged: its motion is cut off.")
    return quantised(np.frombuffer(data, _LAYOUT).reshape(2, 3) * UNIT)
