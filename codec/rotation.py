"""Rotation matrix <-> unit quaternion <-> rotation vector, and interpolation between two rotations.

Matrices are proper orthogonal, (..., 3, 3), and act on column vectors. Quaternions are (..., 4) in the order w, x, y, z
with w >= 0. Rotation vectors are (..., 3): the axis times the angle in radians, at most pi long. Everything is computed
in float64 and takes any number of leading dimensions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SMALL = 1e-8
"""Below this sine of half an angle, the first term of the series is exact in float64."""


def matrix_to_quaternion(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the unit quaternion (..., 4) of a rotation matrix (..., 3, 3).

    Of the four expressions for the quaternion (one per component taken as pivot; Shepperd 1978), the one with the
    largest pivot is used, so that no angle loses precision. A matrix that is slightly off orthogonal is tolerated.
    """
    m = np.asarray(matrix, np.float64)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    # Row i is 4 q_i q: each row is the quaternion up to scale, and its i-th entry is 4 q_i squared.
    outer = np.stack(
        [
            np.stack([1 + m00 + m11 + m22, wx, wy, wz], -1),
            np.stack([wx, 1 + m00 - m11 - m22, xy, xz], -1),
            np.stack([wy, xy, 1 - m00 + m11 - m22, yz], -1),
            np.stack([wz, xz, yz, 1 - m00 - m11 + m22], -1),
        ],
        -2,
    )
    pivot = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    quaternion: NDArray[np.float64] = np.take_along_axis(outer, pivot[..., None, None], axis=-2)[..., 0, :]
    return _canonical(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True))


def quaternion_to_matrix(quaternion: ArrayLike) -> NDArray[np.float64]:
    """Return the rotation matrix (..., 3, 3) of a quaternion (..., 4); its length and sign do not matter."""
    q = np.asarray(quaternion, np.float64)
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    w, x, y, z = (q[..., i] for i in range(4))
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], -1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], -1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], -1),
        ],
        -2,
    )


def rotation_vector_to_quaternion(vector: ArrayLike) -> NDArray[np.float64]:
    """Return the unit quaternion (..., 4) of a rotation vector (..., 3) of any length."""
    v = np.asarray(vector, np.float64)
    half = 0.5 * np.linalg.norm(v, axis=-1, keepdims=True)
    # sin(half) / angle; np.sinc is sin(pi x) / (pi x) and knows the limit at 0.
    return _canonical(np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * v], -1))


def quaternion_to_rotation_vector(quaternion: ArrayLike) -> NDArray[np.float64]:
    """Return the rotation vector (..., 3), at most pi long, of a unit quaternion (..., 4)."""
    q = _canonical(np.asarray(quaternion, np.float64))
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    vector: NDArray[np.float64] = q[..., 1:] * np.where(sine > _SMALL, angle / np.maximum(sine, _SMALL), 2.0)
    return vector


def matrix_to_rotation_vector(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the rotation vector (..., 3), at most pi long, of a rotation matrix (..., 3, 3)."""
    return quaternion_to_rotation_vector(matrix_to_quaternion(matrix))


def rotation_vector_to_matrix(vector: ArrayLike) -> NDArray[np.float64]:
    """Return the rotation matrix (..., 3, 3) of a rotation vector (..., 3) of any length."""
    return quaternion_to_matrix(rotation_vector_to_quaternion(vector))


def interpolate_rotation(start: ArrayLike, end: ArrayLike, weight: float) -> NDArray[np.float64]:
    """Return the rotation matrix (3, 3) that lies ``weight`` of the shortest way from ``start`` to ``end`` (slerp).

    ``weight`` 0 is ``start`` and 1 is ``end``; the angular speed is constant in between.
    """
    first = np.asarray(start, np.float64)
    step = matrix_to_rotation_vector(first.swapaxes(-1, -2) @ np.asarray(end, np.float64))
    turned: NDArray[np.float64] = first @ rotation_vector_to_matrix(weight * step)
    return turned


def _canonical(quaternion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the one of the two quaternions of a rotation that has w >= 0."""
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
