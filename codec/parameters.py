"""Face states <-> parameter vectors.

A state is coded as 6 + T + E parameters: the rotation vector (3, radians), the translation as seen in the picture plane
(x / -z, y / -z, ln(-z / cm)), the motion of the torso (T), and the expression (E). In these units an error of a
picture-plane offset is an error in pixels at any distance, and an error of ln(-z) one of the face's size.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodecError, FaceStateError, PacketError
from codec.face_state import MAX_TORSO_SIZE, MIN_TORSO_SIZE, FaceState, HeadPose
from codec.rotation import matrix_to_rotation_vector, rotation_vector_to_matrix

POSE_SIZE = 6
"""Parameters of a pose: rotation vector, picture-plane offsets, log depth."""

MAX_EXPRESSION_SIZE = 128

_LARGEST_TURN = np.pi + 0.05
"""Radians: half a turn and its rounding."""


@dataclass(frozen=True, slots=True)
class ParameterLayout:
    """How many parameters a state of one avatar has of each kind."""

    torso_size: int
    """T, 2 to 18."""
    expression_size: int
    """E, 1 to 128."""

    def __post_init__(self) -> None:
        if not MIN_TORSO_SIZE <= self.torso_size <= MAX_TORSO_SIZE:
            raise CodecError(
                f"A torso's motion has {MIN_TORSO_SIZE} to {MAX_TORSO_SIZE} numbers, not {self.torso_size}."
            )
        if not 1 <= self.expression_size <= MAX_EXPRESSION_SIZE:
            raise CodecError(f"An expression has 1 to {MAX_EXPRESSION_SIZE} coefficients, not {self.expression_size}.")

    @classmethod
    def of(cls, state: FaceState) -> Self:
        """Return the layout that takes all of a state."""
        return cls(len(state.torso), len(state.expression))

    @property
    def size(self) -> int:
        """D, all of them."""
        return POSE_SIZE + self.torso_size + self.expression_size

    @property
    def pose(self) -> slice:
        """Where the pose stands."""
        return slice(0, POSE_SIZE)

    @property
    def torso(self) -> slice:
        """Where the torso's motion stands."""
        return slice(POSE_SIZE, POSE_SIZE + self.torso_size)

    @property
    def expression(self) -> slice:
        """Where the expression stands."""
        return slice(POSE_SIZE + self.torso_size, self.size)

    @property
    def groups(self) -> tuple[slice, slice, slice]:
        """Pose, torso, expression."""
        return self.pose, self.torso, self.expression


def state_parameters(state: FaceState, layout: ParameterLayout) -> NDArray[np.float64]:
    """Return the parameters (D,) of a state; :class:`FaceStateError` for a wrong shape or a number not finite.

    A torso of which fewer modes are known has none of the rest.
    """
    if state.expression.shape != (layout.expression_size,):
        raise FaceStateError(
            f"The expression has shape {state.expression.shape} where ({layout.expression_size},) is coded: "
            "embed it with this avatar first."
        )
    expression = state.expression.astype(np.float64)
    if not np.isfinite(expression).all():
        raise FaceStateError("The expression holds a number that is not finite: the tracker lost the face.")
    return np.concatenate([pose_parameters(state.pose), torso_parameters(state.torso, layout.torso_size), expression])


def pose_parameters(pose: HeadPose) -> NDArray[np.float64]:
    """Return rotation vector, x / -z, y / -z and ln(-z) (6,) of a pose; a head behind the camera is brought to 1 cm."""
    rotation, translation = pose.rotation.astype(np.float64), pose.translation.astype(np.float64)
    if rotation.shape != (3, 3) or translation.shape != (3,):
        raise FaceStateError(f"A pose has shapes (3, 3) and (3,), not {rotation.shape} and {translation.shape}.")
    if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
        raise FaceStateError("The pose holds a number that is not finite: the tracker lost the face.")
    depth = max(-translation[2], 1.0)
    return np.concatenate([matrix_to_rotation_vector(rotation), translation[:2] / depth, [np.log(depth)]])


def torso_parameters(torso: NDArray[np.floating], size: int) -> NDArray[np.float64]:
    """Return a torso's motion (size,), zeros where ``torso`` ends before; see `state_parameters` for the errors."""
    if torso.ndim != 1 or not MIN_TORSO_SIZE <= len(torso) <= size:
        raise FaceStateError(
            f"The motion of a torso has shape {torso.shape} where ({size},) is coded: track it with this avatar."
        )
    parameters = np.zeros(size)
    parameters[: len(torso)] = torso
    if not np.isfinite(parameters).all():
        raise FaceStateError("The torso's motion holds a number that is not finite: the tracker lost the torso.")
    return parameters


def pose_from_parameters(parameters: NDArray[np.float64]) -> HeadPose:
    """Return the pose of its parameters (6,)."""
    depth = np.exp(parameters[5])
    translation = np.array([parameters[3] * depth, parameters[4] * depth, -depth])
    return HeadPose(
        rotation_vector_to_matrix(parameters[:3]).astype(np.float32),
        translation.astype(np.float32),
    )


def check_turn(parameters: NDArray[np.float64]) -> None:
    """Raise :class:`PacketError` where parameters (D,) turn the head by more than half a turn."""
    if np.linalg.norm(parameters[:3]) > _LARGEST_TURN:
        raise PacketError("A packet turns the head by more than half a turn: no encoder makes that.")


def state_from_parameters(
    parameters: NDArray[np.float64], layout: ParameterLayout, timestamp: float, present: bool
) -> FaceState:
    """Return the state of its parameters (D,)."""
    return FaceState(
        expression=parameters[layout.expression].astype(np.float32),
        pose=pose_from_parameters(parameters[layout.pose]),
        timestamp=timestamp,
        present=present,
        torso=parameters[layout.torso].astype(np.float32),
    )
