"""Face states <-> parameter vectors <-> integers.

A state is coded as 6 + E parameters: the rotation vector (3, radians), the translation as seen in the picture plane
(x / -z, y / -z, ln(-z / cm)), and the expression (E). In these units an error of a picture-plane offset is an error in
pixels at any distance, and an error of ln(-z) one of the face's size.

Steps are integers in units of 2**-20, so that both sides hold exactly the same one.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodecError, FaceStateError
from codec.face_state import FaceState, HeadPose
from codec.rotation import matrix_to_rotation_vector, rotation_vector_to_matrix

POSE_SIZE = 6
"""Parameters of a pose: rotation vector, picture-plane offsets, log depth."""

STEP_SCALE = 1 << 20
"""Units of a step per unit of a parameter."""

MAX_EXPRESSION_SIZE = 128

# Bounds of what is sent, in whole units: values beyond are clamped. Rotation vectors are at most pi long; a face at
# x / -z = 8 is far outside any picture; -z lies between 1 cm and e^10 cm = 220 m.
_ROTATION_LIMIT = 4
_PLANE_LIMIT = 8
_LOG_DEPTH_LIMIT = 10
_EXPRESSION_LIMIT = 256


@dataclass(frozen=True, eq=False)
class Quantiser:
    """Uniform scalar quantiser with one step per parameter."""

    steps: NDArray[np.int64] = field(repr=False)
    """(6 + E,), units of 2**-20, positive."""
    lowest: NDArray[np.int64] = field(init=False, repr=False)
    """(6 + E,), the smallest symbol of each parameter."""
    highest: NDArray[np.int64] = field(init=False, repr=False)
    """(6 + E,), the largest symbol of each parameter."""

    def __post_init__(self) -> None:
        steps = self.steps
        if steps.ndim != 1 or not POSE_SIZE < len(steps) <= POSE_SIZE + MAX_EXPRESSION_SIZE:
            raise CodecError(f"There are {POSE_SIZE} pose steps and 1 to {MAX_EXPRESSION_SIZE} expression steps.")
        if steps.min() < 16 or steps.max() > 64 * STEP_SCALE:
            raise CodecError("A quantiser step lies between 2^-16 and 64.")
        limit = np.full(len(steps), _EXPRESSION_LIMIT * STEP_SCALE, np.int64)
        limit[:3], limit[3:5], limit[5] = (
            _ROTATION_LIMIT * STEP_SCALE,
            _PLANE_LIMIT * STEP_SCALE,
            _LOG_DEPTH_LIMIT * STEP_SCALE,
        )
        highest = limit // steps
        lowest = -highest
        lowest[5] = 0
        object.__setattr__(self, "highest", highest)
        object.__setattr__(self, "lowest", lowest)

    @property
    def expression_size(self) -> int:
        """E, the number of expression coefficients."""
        return len(self.steps) - POSE_SIZE

    def quantise(self, parameters: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the symbols (..., 6 + E) nearest to finite ``parameters`` (..., 6 + E), clamped to the bounds."""
        scaled = np.rint(parameters * (STEP_SCALE / self.steps))
        return np.clip(scaled, self.lowest, self.highest).astype(np.int64)

    def dequantise(self, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the parameters (..., 6 + E) that ``symbols`` (..., 6 + E) stand for."""
        values: NDArray[np.float64] = symbols * (self.steps / STEP_SCALE)
        return values


def step_units(step: float) -> int:
    """Return ``step`` in units of 2**-20."""
    return round(step * STEP_SCALE)


def state_parameters(state: FaceState, expression_size: int) -> NDArray[np.float64]:
    """Return the parameters (6 + E,) of a state; :class:`FaceStateError` for a wrong shape or a number not finite."""
    if state.expression.shape != (expression_size,):
        raise FaceStateError(
            f"The expression has shape {state.expression.shape} where ({expression_size},) is coded: "
            "embed it with this avatar first."
        )
    expression = state.expression.astype(np.float64)
    if not np.isfinite(expression).all():
        raise FaceStateError("The expression holds a number that is not finite: the tracker lost the face.")
    return np.concatenate([pose_parameters(state.pose), expression])


def pose_parameters(pose: HeadPose) -> NDArray[np.float64]:
    """Return rotation vector, x / -z, y / -z and ln(-z) (6,) of a pose; a head behind the camera is brought to 1 cm."""
    rotation, translation = pose.rotation.astype(np.float64), pose.translation.astype(np.float64)
    if rotation.shape != (3, 3) or translation.shape != (3,):
        raise FaceStateError(f"A pose has shapes (3, 3) and (3,), not {rotation.shape} and {translation.shape}.")
    if not (np.isfinite(rotation).all() and np.isfinite(translation).all()):
        raise FaceStateError("The pose holds a number that is not finite: the tracker lost the face.")
    depth = max(-translation[2], 1.0)
    return np.concatenate([matrix_to_rotation_vector(rotation), translation[:2] / depth, [np.log(depth)]])


def pose_from_parameters(parameters: NDArray[np.float64]) -> HeadPose:
    """Return the pose of its parameters (6,)."""
    depth = np.exp(parameters[5])
    translation = np.array([parameters[3] * depth, parameters[4] * depth, -depth])
    return HeadPose(
        rotation_vector_to_matrix(parameters[:3]).astype(np.float32),
        translation.astype(np.float32),
    )


def state_from_parameters(parameters: NDArray[np.float64], timestamp: float, present: bool) -> FaceState:
    """Return the state of its parameters (6 + E,)."""
    return FaceState(
        expression=parameters[POSE_SIZE:].astype(np.float32),
        pose=pose_from_parameters(parameters[:POSE_SIZE]),
        timestamp=timestamp,
        present=present,
    )
