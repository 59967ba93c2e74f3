"""Parameters <-> integers.

Steps are integers in units of 2**-20, so that both sides hold exactly the same one.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from codec.errors import CodecError
from codec.face_state import torso_limits
from codec.parameters import ParameterLayout

STEP_SCALE = 1 << 20
"""Units of a step per unit of a parameter."""

# Bounds of what is sent: values beyond are clamped. Rotation vectors are at most pi long; a face at x / -z = 8 is far
# outside any picture; -z lies between 1 cm and e^10 cm = 220 m.
_ROTATION_LIMIT = 4.0
_PLANE_LIMIT = 8.0
_LOG_DEPTH_LIMIT = 10.0
_POSE_LIMITS = (*[_ROTATION_LIMIT] * 3, *[_PLANE_LIMIT] * 2, _LOG_DEPTH_LIMIT)
_EXPRESSION_LIMIT = 256.0
_LOG_DEPTH = 5


@dataclass(frozen=True, eq=False)
class Quantiser:
    """Uniform scalar quantiser with one step per parameter."""

    layout: ParameterLayout
    """D parameters of which kinds."""
    steps: NDArray[np.int64] = field(repr=False)
    """(D,), units of 2**-20, positive."""
    lowest: NDArray[np.int64] = field(init=False, repr=False)
    """(D,), the smallest symbol of each parameter."""
    highest: NDArray[np.int64] = field(init=False, repr=False)
    """(D,), the largest symbol of each parameter."""

    def __post_init__(self) -> None:
        layout, steps = self.layout, self.steps
        if steps.shape != (layout.size,):
            raise CodecError(f"There are steps of shape {steps.shape} for {layout.size} parameters.")
        if steps.min() < 16 or steps.max() > 64 * STEP_SCALE:
            raise CodecError("A quantiser step lies between 2^-16 and 64.")
        expression = [_EXPRESSION_LIMIT] * layout.expression_size
        limits = [*_POSE_LIMITS, *torso_limits(layout.torso_size), *expression]
        highest = np.array([int(limit * STEP_SCALE) for limit in limits], np.int64) // steps
        lowest = -highest
        lowest[_LOG_DEPTH] = 0
        object.__setattr__(self, "highest", highest)
        object.__setattr__(self, "lowest", lowest)

    def quantise(self, parameters: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the symbols (..., D) nearest to finite ``parameters`` (..., D), clamped to the bounds."""
        scaled = np.rint(parameters * (STEP_SCALE / self.steps))
        return np.clip(scaled, self.lowest, self.highest).astype(np.int64)

    def dequantise(self, symbols: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the parameters (..., D) that ``symbols`` (..., D) stand for."""
        values: NDArray[np.float64] = symbols * (self.steps / STEP_SCALE)
        return values


def step_units(step: float) -> int:
    """Return ``step`` in units of 2**-20."""
    return round(step * STEP_SCALE)
