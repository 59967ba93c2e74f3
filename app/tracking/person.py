"""The landmarks of one calibrated person: where they are seen for a pose and an expression, and how that changes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.calibration_record import Calibration
from app.tracking.landmark_tables import LandmarkTables
from app.tracking.landmarker import LEFT_EYE_CORNER, RIGHT_EYE_CORNER
from codec.face_state import EXPRESSION_SIZE, HeadPose
from codec.rotation import rotation_vector_to_matrix

Array = NDArray[np.float64]

POSE_SIZE = 6
"""Parameters of a pose step: rotation vector (3, radians), displacement of the pivot (3, cm)."""


def normalise(points: NDArray[np.floating], width: int, height: int) -> Array:
    """Pixels (N, 2) to the camera's axes: picture heights from the centre, x to the right, y up."""
    centred = np.asarray(points, np.float64) - (width / 2, height / 2)
    return centred * (1.0 / height, -1.0 / height)


def denormalise(points: Array, width: int, height: int) -> Array:
    """Inverse of `normalise`."""
    pixels: Array = points * (height, -height) + (width / 2, height / 2)
    return pixels


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """Pose and expression as the solver holds them: the rotation turns about the face's own centre.

    Rotation about the centre of the landmarks hardly moves them, so that rotation and displacement are nearly
    independent, as they would not be about the origin of head space between the ears.
    """

    rotation: Array
    """(3, 3) head space to camera space."""
    centre: Array
    """(3,) the pivot in camera space, centimetres."""
    expression: Array
    """(79,)"""

    def stepped(self, step: Array) -> "Parameters":
        """Return the parameters moved by ``step`` (85,): rotation vector, displacement, change of expression."""
        return Parameters(
            rotation_vector_to_matrix(step[:3]) @ self.rotation,
            self.centre + step[3:POSE_SIZE],
            self.expression + step[POSE_SIZE:],
        )


class PersonModel:
    """The landmark tables of the morphable model with one person's calibration worked in."""

    def __init__(self, tables: LandmarkTables, calibration: Calibration) -> None:
        self.tables = tables
        self.neutral: Array = (
            tables.mean + np.tensordot(calibration.identity, tables.identity, axes=1) + calibration.landmark_offsets
        ).astype(np.float64)
        """(478, 3) cm, head space."""
        self.basis: Array = tables.expression
        """(3, 478, 79) cm per unit: axis first, which makes the Jacobian a sum of three products."""
        self.slide: Array = tables.slide
        """(478, 2, 5) cm: how a landmark slides on the face as the head turns."""
        self.slide_range: Array = tables.slide_range
        """(2,) largest yaw and pitch for which the slide is known, radians."""
        self.weights: Array = tables.weights
        """(478,) relative information of each landmark."""
        self.focal = calibration.focal
        self.pivot: Array = np.average(self.neutral, axis=0, weights=self.weights)
        self.identity_pivots: Array = np.einsum("klx,l->kx", tables.identity, self.weights / self.weights.sum())
        """(K, 3) how the identity directions move the pivot, centimetres per standard deviation."""
        self.eye_distance = float(np.linalg.norm(self.neutral[RIGHT_EYE_CORNER] - self.neutral[LEFT_EYE_CORNER]))
        """Between the outer corners of the eyes, centimetres."""

    def head_pose(self, parameters: Parameters) -> HeadPose:
        """Return the pose with the translation of head space's own origin."""
        translation = parameters.centre - parameters.rotation @ self.pivot
        return HeadPose(parameters.rotation.astype(np.float32), translation.astype(np.float32))

    def parameters(self, pose: HeadPose, expression: NDArray[np.floating]) -> Parameters:
        """Inverse of `head_pose`."""
        rotation = np.asarray(pose.rotation, np.float64)
        return Parameters(
            rotation,
            rotation @ self.pivot + np.asarray(pose.translation, np.float64),
            np.asarray(expression, np.float64),
        )

    def face_scale(self, parameters: Parameters) -> float:
        """Return how many picture heights one centimetre at the face measures."""
        return float(self.focal / -parameters.centre[2])

    def project(self, parameters: Parameters) -> Array:
        """Return where the landmarks are seen, (478, 2) in picture heights (see `normalise`)."""
        camera = self.camera_points(parameters)
        slide, _ = self._slide(parameters.rotation)
        seen: Array = (camera[:, :2] + slide) * (self.focal / -camera[:, 2])[:, None]
        return seen

    def linearise(self, parameters: Parameters) -> tuple[Array, Array]:
        """Return the seen landmarks and their Jacobian, both in centimetres at the face.

        Returns:
            (478, 2) positions and (2, 478, 85) derivatives by `Parameters.stepped`'s step, divided by `face_scale`.
        """
        camera = self.camera_points(parameters)
        slide, by_angle = self._slide(parameters.rotation)
        closeness = parameters.centre[2] / camera[:, 2]
        seen = (camera[:, :2] + slide) * closeness[:, None]
        rows = self.projection_rows(parameters)
        arm = camera - parameters.centre
        jacobian = np.empty((2, len(camera), POSE_SIZE + EXPRESSION_SIZE))
        for axis in range(2):
            row = rows[axis]
            # d(exp(w) arm)/dw = -[arm]x, so that row . (w x arm) = w . (arm x row).
            jacobian[axis, :, :3] = np.cross(arm, row)
            # Yaw turns about the camera's y axis and pitch about x, nearly so while the head is upright.
            jacobian[axis, :, 0] += closeness * by_angle[:, axis, 1]
            jacobian[axis, :, 1] += closeness * by_angle[:, axis, 0]
            jacobian[axis, :, 3:POSE_SIZE] = row
            turned = row @ parameters.rotation
            expression = jacobian[axis, :, POSE_SIZE:]
            np.multiply(turned[:, :1], self.basis[0], out=expression)
            expression += turned[:, 1:2] * self.basis[1]
            expression += turned[:, 2:] * self.basis[2]
        return seen, jacobian

    def projection_rows(self, parameters: Parameters) -> Array:
        """Return (2, 478, 3): the seen landmarks (cm at the face) derived by the camera-space points (cm)."""
        camera = self.camera_points(parameters)
        slide, _ = self._slide(parameters.rotation)
        closeness = parameters.centre[2] / camera[:, 2]
        rows = np.zeros((2, len(camera), 3))
        rows[0, :, 0] = rows[1, :, 1] = closeness
        rows[:, :, 2] = (closeness / -camera[:, 2])[:, None].T * (camera[:, :2] + slide).T
        return rows

    def head_points(self, expression: Array) -> Array:
        """Return the landmarks (478, 3) in head space."""
        points: Array = self.neutral + (self.basis @ expression).T
        return points

    def camera_points(self, parameters: Parameters) -> Array:
        """Return the landmarks (478, 3) in camera space, without their slide."""
        camera: Array = (
            self.head_points(parameters.expression) - self.pivot
        ) @ parameters.rotation.T + parameters.centre
        return camera

    def _slide(self, rotation: Array) -> tuple[Array, Array]:
        """Slide (478, 2) in cm for a rotation, and its derivative (478, 2, 2) by yaw and pitch."""
        # The landmarker turns its crop upright before it looks, so that a rolled head slides as an upright one does.
        roll = np.arctan2(rotation[1, 0], rotation[0, 0])
        cosine, sine = np.cos(roll), np.sin(roll)
        forward = np.array([[cosine, sine, 0.0], [-sine, cosine, 0.0], [0.0, 0.0, 1.0]]) @ rotation[:, 2]
        raw = np.array([np.arctan2(forward[0], forward[2]), -np.arctan2(forward[1], np.hypot(forward[0], forward[2]))])
        yaw, pitch = np.clip(raw, -self.slide_range, self.slide_range)
        free = (np.abs(raw) < self.slide_range).astype(np.float64)
        terms = np.array(
            [
                [yaw, pitch, yaw * yaw, yaw * pitch, pitch * pitch],
                [free[0], 0.0, 2 * yaw * free[0], pitch * free[0], 0.0],
                [0.0, free[1], 0.0, yaw * free[1], 2 * pitch * free[1]],
            ]
        )
        upright = self.slide @ terms.T
        rolled = np.stack(
            [cosine * upright[:, 0] - sine * upright[:, 1], sine * upright[:, 0] + cosine * upright[:, 1]], axis=1
        )
        return rolled[:, :, 0], rolled[:, :, 1:]
