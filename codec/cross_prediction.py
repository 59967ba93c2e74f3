"""What each number of a frame tells of all the others a little later: the cross terms of a vector autoregression.

A head that turns will soon have moved its shoulders, and a mouth that opens goes on to what mouths do then. On top of
what each number tells of itself (:mod:`codec.prediction`), the D numbers of a frame that lies ``gap`` frames after its
reference A, and after B, the frame sent before A, are expected to be further on by::

    gain_gap (sum_j place_kj (A_j - centre_j) + motion_kj (A_j - B_j) >> 12) + 2**11 >> 12

with one matrix for all gaps and operating points: over other gaps the same happens, more of it or less.

Layout, all integers little-endian, in units of 2**-12::

    matrix  D x 2 x D x i16, of each number the places, then the motions
    gains   3 x 16 x i16, of each operating point, gaps 1 to 16
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.frame_record import GAPS
from codec.operating_point import OPERATING_POINTS
from codec.table_fitting import WEIGHT_BITS

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CrossPrediction:
    """``bytes(cross)`` is part of prediction tables, and ``parse`` its inverse."""

    matrix: Integers = field(repr=False)
    """(D, 2 D)."""
    gains: Integers = field(repr=False)
    """(3, 16)."""

    def __call__(self, point: int, gap: int, places: Integers, motions: Integers) -> Integers:
        """Return by how much (D,) further on the numbers are, from A - centre (D,) and A - B (D,)."""
        told = (self.matrix @ np.concatenate((places, motions))) >> WEIGHT_BITS
        further: Integers = (told * self.gains[point, gap - 1] + (1 << WEIGHT_BITS - 1)) >> WEIGHT_BITS
        return further

    def __bytes__(self) -> bytes:
        return self.matrix.astype("<i2").tobytes() + self.gains.astype("<i2").tobytes()

    @classmethod
    def parse(cls, data: bytes, size: int) -> Self:
        """Return what is in ``data``, which are `length` bytes, for ``size`` numbers a frame."""
        values = np.frombuffer(data, "<i2").astype(np.int64)
        ends = 2 * size * size
        return cls(values[:ends].reshape(size, 2 * size), values[ends:].reshape(len(OPERATING_POINTS), GAPS))

    @staticmethod
    def length(size: int) -> int:
        """Return the bytes for ``size`` numbers a frame."""
        return 2 * (2 * size * size + len(OPERATING_POINTS) * GAPS)
