"""Small motions of a head, and how its picture changes with them."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.tracking.torso_template import FrameCamera
from codec.face_state import HeadPose
from codec.rotation import rotation_vector_to_matrix

MOTIONS: Final = 6
"""To the right and down in sides of the frame, relative growth, and turns in radians: clockwise as seen, to the right,
and down."""

Floats = NDArray[np.float32]


def moved(pose: HeadPose, motion: NDArray[np.floating], focal: float) -> HeadPose:
    """Return a pose whose picture is moved.

    Args:
        pose: of the head.
        motion: (6,), see `MOTIONS`.
        focal: of the camera, sides of the frame.
    """
    right, down, growth, turn, aside, nod = motion
    x, y, z = pose.translation.astype(np.float64) / (1.0 + growth)
    away = max(-z, 1.0)
    cosine, sine = np.cos(turn), np.sin(turn)
    # Clockwise as seen is a negative turn about the line of sight, as y is up.
    about_sight = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    # What is before the middle goes to the right, and down.
    rotation = rotation_vector_to_matrix(np.array([nod, aside, 0.0])) @ about_sight @ pose.rotation
    translation = np.array([x + right * away / focal, y - down * away / focal, z])
    return HeadPose(rotation.astype(np.float32), translation.astype(np.float32))


def motion_gradients(
    picture: Floats, distance: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp], pose: HeadPose, c: FrameCamera
) -> Floats:
    """Return how colours change while the head moves.

    Args:
        picture: (S, S, 3) of the frame.
        distance: (N,) cm along the line of sight, of what each pixel shows.
        rows: (N,) of the pixels; likewise ``columns``.
        pose: of the head in the picture.
        c: camera of the frame.

    Returns:
        (N, 3, 6), a colour per unit of each of `MOTIONS`.
    """
    side = len(picture)
    x, y, z = pose.translation
    away = max(-float(z), 1.0)
    # A head that moves to the right shows at a place what was to the left of it.
    to_right, to_bottom = (
        -cv2.Scharr(picture, cv2.CV_32F, *axes)[rows, columns] * np.float32(side / 32.0) for axes in ((1, 0), (0, 1))
    )
    right = ((columns + 0.5) / side - (c.cx + c.focal * float(x) / away)).astype(np.float32)[:, None]
    below = ((rows + 0.5) / side - (c.cy - c.focal * float(y) / away)).astype(np.float32)[:, None]
    # What is nearer than the head's middle moves farther, and turns with it.
    nearer = (away / distance)[:, None]
    before = ((away - distance) * c.focal / distance)[:, None]
    motions = (
        to_right * nearer,
        to_bottom * nearer,
        (to_right * right + to_bottom * below) * nearer,
        to_bottom * right - to_right * below,
        to_right * before,
        to_bottom * before,
    )
    return np.stack(motions, axis=-1)
