"""Steadies decoded faces: what flickers between neighbouring symbols, or moves by less than anybody sees, stands still.

A symbol says of its parameter that it lies within half a step. The middle of that cell jumps by a whole step whenever
a parameter that hardly moves crosses a border, which a noisy one does all the time. So the middle is approached only by
a part of the way each frame, and yet never left farther than `REACH` steps, each of which is chosen (see
`codec.tables`) as the change that nobody notices: a still face stands still, and a moving one is followed as closely as
the symbols tell.
"""

import numpy as np

from codec.face_state import FaceState
from codec.quantiser import STEP_SCALE, Quantiser, state_from_parameters, state_parameters

APPROACH = 0.15
"""Part of the way towards what is received, in a nominal interval."""
REACH = 0.75
"""Steps from what is received that a steadied parameter keeps at most: half a step is what the symbol leaves open, the
rest what the tracker's noise may take."""
NOMINAL_INTERVAL = 0.04
"""Seconds between frames for which the approach is given; other intervals keep the same time constant."""


class Steadier:
    """Steadies the faces of one stream."""

    def __init__(self, quantiser: Quantiser) -> None:
        self._size = quantiser.expression_size
        self._steps = quantiser.steps / STEP_SCALE

    def follow(self, before: FaceState | None, state: FaceState) -> FaceState:
        """Return ``state`` steadied, where ``before`` is what was steadied before it, if anything.

        A face that is not there, or comes after one that was not, stays as it is; so does what comes out of order.
        """
        if before is None or not (before.present and state.present) or state.timestamp <= before.timestamp:
            return state
        received, start = (state_parameters(face, self._size) for face in (state, before))
        weight = 1.0 - (1.0 - APPROACH) ** ((state.timestamp - before.timestamp) / NOMINAL_INTERVAL)
        reach = REACH * self._steps
        steadied = np.clip(start + weight * (received - start), received - reach, received + reach)
        return state_from_parameters(steadied, state.timestamp, present=True)
