"""Face states <-> parameter vectors <-> integers.

A state is coded as 12 + E parameters: the rotation vector (3, radians), the translation as seen in the picture plane
(x / -z, y / -z, ln(-z / cm)), the motion of the torso (6), and the expression (E). In these units an error of a
picture-plane offset is an error in pixels at any distance, and an error of ln(-z) one of the face's size.

Steps are integers in units of 2**-20, so that both sides hold exactly the same one.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodecError, FaceStateError
from codec.face_state import TORSO_LIMITS, TORSO_SIZE, FaceState, HeadPose
from codec.rotation import matrix_to_rotation_vector, rotation_vector_to_matrix

POSE_SIZE = 6
"""Parameters of a pose: rotation vector, picture-plane offsets, log depth."""

MOTION_SIZE = POSE_SIZE + TORSO_SIZE
"""Parameters before those of the expression: pose, then torso."""

STEP_SCALE = 1 << 20
"""Units of a step per unit of a parameter."""

MAX_EXPRESSION_SIZE = 128

# Bounds of what is sent: values beyond are clamped. Rotation vectors are at most pi long; a face at x / -z = 8 is far
# outside any picture; -z lies between 1 cm and e^10 cm = 220 m.
_ROTATION_LIMIT = 4.0
_PLANE_LIMIT = 8.0
_LOG_DEPTH_LIMIT = 10.0
_MOTION_LIMITS = (*[_ROTATION_LIMIT] * 3, *[_PLANE_LIMIT] * 2, _LOG_DEPTH_LIMIT, *TORSO_LIMITS)
_EXPRESSION_LIMIT = 256.0
_LOG_DEPTH = 5


@dataclass(frozen=True, eq=False)
class Quantiser:
    """Uniform scalar quantiser with one step per parameter."""

    steps: NDArray[np.int64] = field(repr=False)
    """(12 + E,), units of 2**-20, positive."""
    lowest: NDArray[np.int64] = field(init=False, repr=False)
    """(12 + E,), the smallest symbol of each parameter."""
    highest: NDArray[np.int64] = field(init=False, repr=False)
    """(12 + E,), the largest symbol of each parameter."""

    def __post_init__(self) -> None:
        steps = self.steps
        if steps.ndim != 1 or not 1 <= len(steps) - MOTION_SIZE <= MAX_EXPRESSION_SIZE:
            raise CodecError(
                f"There are {POSE_SIZE} pose steps, {TORSO_SIZE} torso steps and 1 to {MAX_EXPRESSION_SIZE} "
                "expression steps."
            )
        if steps.min() < 16 or steps.max() > 64 * STEP_SCALE:
            raise CodecError("A quantiser step lies between 2^-16 and 64.")
        limits = [*_MOTION_LIMITS, *[_EXPRESSION_LIMIT] * self.expression_size]
        highest = np.array([int(limit * STEP_SCALE) for limit in limits], np.int64) // steps
        lowest = -highest
        lowest[_LOG_DEPTH] = 0
        object.__setattr__(self, "highest", highest)
        object.__setattr__(self, "lowest", lowest)

    @property
    def expression_size(self) -> int:
        """E, the number of expression coefficients."""
        return len(self.steps) - MOTION_SIZE

    def quantise(self, parameters: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the symbols (..., 12 + E) nearest to finite ``parameters`` (..., 12 + E), clamped to the bounds."""
        scaled = np.rint(parameters * (STEP_SCALE / self.steps))
        return np.clip(scaled, self.lowest, self.highest).astype(np.int64)

    def dequantise(self, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the parameters (..., 12 + E) that ``symbols`` (..., 12 + E) stand for."""
        values: NDArray[np.float64] = symbols * (self.steps / STEP_SCALE)
        return values


def step_units(step: float) -> int:
    """Return ``step`` in units of 2**-20."""
    return round(step * STEP_SCALE)


def state_parameters(state: FaceState, expression_size: int) -> NDArray[np.float64]:
    """Return the parameters (12 + E,) of a state; :class:`FaceStateError` for a wrong shape or a number not finite."""
    if state.expression.shape != (expression_size,):
        raise FaceStateError(
            f"The expression has shape {state.expression.shape} where ({expression_size},) is coded: "
            "embed it with this avatar first."
        )
    expression = state.expression.astype(np.float64)
    if not np.isfinite(expression).all():
        raise FaceStateError("The expression holds a number that is not finite: the tracker lost the face.")
    return np.concatenate([pose_parameters(state.pose), torso_parameters(state.torso), expression])


def pose_parameters(pose: HeadPose) -> NDArray[np.float64]:
    """Return rotation vector, x / -z, y / -z and ln(-z) (6,) of a pose; a head behind the camera is brought to 1 cm."""
    rotation, translation = pose.rotation.astype(np.float64), pose.translation.astype(np.float64)
    if rotation.shape != (3, 3) or translation.shape != (3,):
        raise FaceStateError(f"A pose has shapes (3, 3) and (3,), not {rotation.shape} and {translation.shape}.")
    if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
        raise FaceStateError("The pose holds a number that is not finite: the tracker lost the face.")
    depth = max(-translation[2], 1.0)
    return np.concatenate([matrix_to_rotation_vector(rotation), translation[:2] / depth, [np.log(depth)]])


def torso_parameters(torso: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return a torso's motion (6,) as parameters; :class:`FaceStateError` for a wrong shape or a number not finite."""
    if torso.shape != (TORSO_SIZE,):
        raise FaceStateError(f"The motion of a torso has shape ({TORSO_SIZE},), not {torso.shape}.")
    parameters = torso.astype(np.float64)
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


def state_from_parameters(parameters: NDArray[np.float64], timestamp: float, present: bool) -> FaceState:
    """Return the state of its parameters (12 + E,)."""
    return FaceState(
        expression=parameters[MOTION_SIZE:].astype(np.float32),
        pose=pose_from_parameters(parameters[:POSE_SIZE]),
        timestamp=timestamp,
        present=present,
        torso=parameters[POSE_SIZE:MOTION_SIZE].astype(np.float32),
    )
