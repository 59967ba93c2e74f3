"""A patterned ellipsoid with two expressions, rendered by intersecting rays with it: a head whose truth is known."""

import cv2
import numpy as np

from app.tracking.face_alignment import SIDE, ExpressionRange, RenderedHead
from app.tracking.torso_template import FrameCamera
from codec.face_state import FaceState, HeadPose
from codec.rotation import matrix_to_rotation_vector, rotation_vector_to_matrix

CAMERA = FrameCamera(2.0, 0.5, 0.5)
FOCAL = 2.0
AXES = np.array([8.5, 12.0, 9.5])


def posed(turn=(0.0, 0.0, 0.0), place=(0.0, 0.0, -60.0), expression=(0.0, 0.0)) -> FaceState:
    rotation = rotation_vector_to_matrix(np.array(turn)).astype(np.float32)
    return FaceState(np.array(expression, np.float32), HeadPose(rotation, np.array(place, np.float32)), 0.0)


def rays(side: int) -> np.ndarray:
    """Directions (side, side, 3) of the pixels in camera space, of depth 1."""
    places = (np.arange(side) + 0.5) / side - 0.5
    return np.stack([*np.meshgrid(places / CAMERA.focal, -places / CAMERA.focal), np.full((side, side), -1.0)], axis=-1)


def surface(pose: HeadPose, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance (side, side) along the line of sight, infinite beside the head, and the points in head space."""
    rotation, translation = pose.rotation.astype(float), pose.translation.astype(float)
    # In a space where the ellipsoid becomes a unit ball.
    origin, directions = -translation @ rotation / AXES, rays(side) @ rotation / AXES
    a, b, c = (directions**2).sum(-1), directions @ origin, origin @ origin - 1.0
    root = b**2 - a * c
    distance = (-b - np.sqrt(np.maximum(root, 0.0))) / a
    points = (origin + distance[..., None] * directions) * AXES
    return np.where(root > 0.0, distance, np.inf), points


def colours(points: np.ndarray, expression: np.ndarray) -> np.ndarray:
    """Colours (..., 3) of points: a pattern, a mouth that darkens with the first number, a brow with the second."""
    x, y, z = np.moveaxis(points, -1, 0)
    pattern = np.stack([np.sin(x) * np.cos(0.7 * y), np.cos(0.8 * x + 0.5 * y), np.sin(0.6 * y + 0.4 * z)], axis=-1)
    mouth, brow = (np.exp(-(x**2) / 8 - (y - middle) ** 2 / 2) * (z > 0) for middle in (-5.0, 4.0))
    darker = expression[0] * mouth + expression[1] * brow
    return 0.5 + 0.2 * pattern - 0.1 * darker[..., None]


def picture(state: FaceState, side: int = SIDE) -> np.ndarray:
    """The head (side, side, 3) uint8 before a plain wall."""
    distance, points = surface(state.pose, side)
    colour = np.where(np.isfinite(distance)[..., None], colours(points, state.expression), [0.1, 0.3, 0.9])
    return np.rint(255 * cv2.GaussianBlur(np.clip(colour, 0, 1), (0, 0), 0.5 * side / SIDE)).astype(np.uint8)


def render(state: FaceState) -> RenderedHead:
    return RenderedHead(picture(state), surface(state.pose, SIDE)[0].astype(np.float32))


def expression_range() -> ExpressionRange:
    ones = np.ones(2, np.float32)
    return ExpressionRange(posed(), ones, -3 * ones, 3 * ones)


def apart(one: HeadPose, other: HeadPose) -> tuple[float, float]:
    """Return degrees and centimetres in the picture plane."""
    turn = np.degrees(np.linalg.norm(matrix_to_rotation_vector(one.rotation @ other.rotation.T)))
    return float(turn), float(np.abs(one.translation - other.translation)[:2].max())
