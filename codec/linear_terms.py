"""Two vectors in, one out: an integer matrix with a gain for each operating point and gap.

Layout, all integers little-endian, in units of 2**-12::

    matrix  D x 2 x D x i16, of each number what it takes of the first vector, then of the second
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
class LinearTerms:
    """``bytes(terms)`` is part of prediction tables, and ``parse`` its inverse."""

    matrix: Integers = field(repr=False)
    """(D, 2 D)."""
    gains: Integers = field(repr=False)
    """(3, 16)."""

    def __call__(self, point: int, gap: int, first: Integers, second: Integers) -> Integers:
        """Return what the two vectors (D,) come to (D,), rounded, in their unit."""
        told = (self.matrix @ np.concatenate((first, second))) >> WEIGHT_BITS
        terms: Integers = (told * self.gains[point, gap - 1] + (1 << WEIGHT_BITS - 1)) >> WEIGHT_BITS
        return terms

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
