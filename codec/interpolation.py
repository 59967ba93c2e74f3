"""Faces between faces: expressions and torsos linearly, rotations along the shortest way."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.face_state import FaceState, HeadPose, torso_limits
from codec.rotation import interpolate_rotation, matrix_to_rotation_vector, rotation_vector_to_matrix


def interpolate_pose(start: HeadPose, end: HeadPose, weight: float) -> HeadPose:
    """Return the pose ``weight`` (0..1) of the way from ``start`` to ``end``: slerp, and a straight line."""
    return HeadPose(
        interpolate_rotation(start.rotation, end.rotation, weight).astype(np.float32),
        ((1 - weight) * start.translation + weight * end.translation).astype(np.float32),
    )


def interpolate_state(start: FaceState, end: FaceState, weight: float) -> FaceState:
    """Return the face ``weight`` (0..1) of the way from ``start`` to ``end``, as present as ``start``."""
    return FaceState(
        expression=((1 - weight) * start.expression + weight * end.expression).astype(np.float32),
        pose=interpolate_pose(start.pose, end.pose, weight),
        timestamp=(1 - weight) * start.timestamp + weight * end.timestamp,
        present=start.present,
        torso=((1 - weight) * start.torso + weight * end.torso).astype(np.float32),
    )


@dataclass(frozen=True, eq=False)
class StateOffset:
    """What takes one face to another; scaled down frame by frame, it turns a jump into a short glide."""

    expression: NDArray[np.float64]
    """(E,), added."""
    rotation: NDArray[np.float64]
    """(3,), rotation vector, applied in camera space after the pose's own rotation."""
    translation: NDArray[np.float64]
    """(3,), centimetres, added."""
    torso: NDArray[np.float64]
    """(T,), added."""

    @classmethod
    def between(cls, start: FaceState, end: FaceState) -> Self:
        """Return the offset that takes ``start`` to ``end``."""
        turn = end.pose.rotation.astype(np.float64) @ start.pose.rotation.astype(np.float64).T
        return cls(
            end.expression.astype(np.float64) - start.expression,
            matrix_to_rotation_vector(turn),
            end.pose.translation.astype(np.float64) - start.pose.translation,
            end.torso.astype(np.float64) - start.torso,
        )

    def apply(self, state: FaceState, weight: float) -> FaceState:
        """Return ``state`` moved by ``weight`` (0..1) of the offset; its torso stays within the limits."""
        rotation = rotation_vector_to_matrix(weight * self.rotation) @ state.pose.rotation
        pose = HeadPose(
            rotation.astype(np.float32), (state.pose.translation + weight * self.translation).astype(np.float32)
        )
        expression = (state.expression + weight * self.expression).astype(np.float32)
        # The offset was taken from another torso: added to this one, it may lead to a matrix that has no inverse.
        limits = np.array(torso_limits(len(state.torso)))
        torso = np.clip(state.torso + weight * self.torso, -limits, limits).astype(np.float32)
        return FaceState(expression, pose, state.timestamp, state.present, torso)
