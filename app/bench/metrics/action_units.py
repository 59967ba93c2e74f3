"""AUCON: the share of facial action units that are alike in reference and decoded picture. **A proxy.**

Papers take the AUs that OpenFace's classifiers find (Ha et al. 2020, "MarioNETte", arXiv 1911.08139). No classifier can
be had with its weights in a package, so the blendshape scores of MediaPipe's face landmarker stand in for them, grouped
by the action units of the Facial Action Coding System (Ekman and Friesen 1978) that they portray.

A fixed threshold would say nothing: most units are off in most frames, and with 0.5 a photograph agrees with a talking
face in 95 to 98 of 100 cases. So, as OpenFace does, the person's own range is what counts: a unit is on where its score
lies above the middle between its 5th and 95th percentile in the reference footage, and units that hardly move there are
left out. Figures are therefore lower than published ones and compare codecs on the same footage only; what a face that
never moves reaches (`ActionUnits.still`) belongs beside them.
"""

import numpy as np
from numpy.typing import NDArray

from app.tracking.landmarker import BLENDSHAPE_COUNT

Array = NDArray[np.float64]

# fmt: off
BLENDSHAPES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)
# fmt: on
"""The landmarker's scores in their order."""

ACTION_UNITS = {
    1: ("browInnerUp",),
    2: ("browOuterUpLeft", "browOuterUpRight"),
    4: ("browDownLeft", "browDownRight"),
    5: ("eyeWideLeft", "eyeWideRight"),
    6: ("cheekSquintLeft", "cheekSquintRight"),
    7: ("eyeSquintLeft", "eyeSquintRight"),
    9: ("noseSneerLeft", "noseSneerRight"),
    10: ("mouthUpperUpLeft", "mouthUpperUpRight"),
    12: ("mouthSmileLeft", "mouthSmileRight"),
    14: ("mouthDimpleLeft", "mouthDimpleRight"),
    15: ("mouthFrownLeft", "mouthFrownRight"),
    16: ("mouthLowerDownLeft", "mouthLowerDownRight"),
    17: ("mouthShrugLower",),
    18: ("mouthPucker",),
    20: ("mouthStretchLeft", "mouthStretchRight"),
    22: ("mouthFunnel",),
    24: ("mouthPressLeft", "mouthPressRight"),
    26: ("jawOpen",),
    28: ("mouthRollLower", "mouthRollUpper"),
    45: ("eyeBlinkLeft", "eyeBlinkRight"),
}
"""The number of each action unit and the scores whose mean stands for it."""

LOW_PERCENTILE, HIGH_PERCENTILE = 5.0, 95.0
MIN_RANGE = 0.1
"""A unit whose percentiles lie nearer to each other does not move in this footage: its threshold would sort noise."""


class ActionUnits:
    """Which action units move in the reference footage, and when each is on."""

    def __init__(self, reference: Array) -> None:
        """Set the thresholds from the blendshape scores (N, 52) of all reference frames with a face."""
        scores = intensities(reference)
        if len(scores):
            low, high = np.percentile(scores, [LOW_PERCENTILE, HIGH_PERCENTILE], axis=0)
        else:
            low = high = np.zeros(len(ACTION_UNITS))
        self._moves = high - low >= MIN_RANGE
        self._thresholds = (low + high) / 2.0
        self._share_on = (scores > self._thresholds)[:, self._moves].mean(axis=0) if len(scores) else np.empty(0)

    @property
    def moving(self) -> tuple[int, ...]:
        """The numbers of the units that are compared."""
        return tuple(unit for unit, moves in zip(ACTION_UNITS, self._moves, strict=True) if moves)

    @property
    def still(self) -> float:
        """The highest agreement that any unmoving face can reach on the reference; NaN where no unit moves."""
        return float(np.maximum(self._share_on, 1.0 - self._share_on).mean()) if self._share_on.size else float("nan")

    def agreement(self, reference: Array, decoded: Array) -> float:
        """Return the share, 0 to 1, of units alike in frames (N, 52) with a face on both sides; NaN without any."""
        ours, theirs = ((intensities(scores) > self._thresholds)[:, self._moves] for scores in (decoded, reference))
        return float((ours == theirs).mean()) if ours.size else float("nan")


def intensities(blendshapes: Array) -> Array:
    """Return the intensities (N, 20) of `ACTION_UNITS` for blendshape scores (N, 52)."""
    assert len(BLENDSHAPES) == BLENDSHAPE_COUNT
    columns = [[BLENDSHAPES.index(name) for name in names] for names in ACTION_UNITS.values()]
    return np.stack([blendshapes[:, column].mean(axis=1) for column in columns], axis=1)
