"""Pyramids of integers, as a wavelet transform of quantised planes leaves them.

A pyramid of N planes of S x S has one coarse band and, from coarse to fine, details of three orientations: with L
halvings, bands of shape (N, S/2^L, S/2^L), then (3, N, S/2^L, S/2^L) and so on up to (3, N, S/2, S/2). A plane is
halved as long as its side is even and at least 8.

A pyramid at shift k holds sign(q) (|q| >> k) of each integer q: its bit planes from k on.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.errors import AvatarFileError

Band = NDArray[np.int16]
LEAST_SIDE = 4
"""Of a coarse band; planes that are smaller are not halved at all."""
MAX_MAGNITUDE = 1 << 14
"""Of an integer: twice that and a bit still fit into 16 bits."""


@dataclass(frozen=True, slots=True)
class PyramidShape:
    """How many planes there are, and their size."""

    planes: int
    side: int

    @property
    def levels(self) -> int:
        """How often the side is halved."""
        side, count = self.side, 0
        while side % 2 == 0 and side >= 2 * LEAST_SIDE:
            side, count = side // 2, count + 1
        return count

    @property
    def bands(self) -> list[tuple[int, ...]]:
        """The shapes of the bands from coarse to fine."""
        coarse = self.side >> self.levels
        details = [(3, self.planes, coarse << level, coarse << level) for level in range(self.levels)]
        return [(self.planes, coarse, coarse), *details]

    @property
    def size(self) -> int:
        """Number of integers."""
        return self.planes * self.side * self.side


@dataclass(frozen=True, eq=False)
class Pyramid:
    """The bands of ``shape`` at some shift."""

    shape: PyramidShape
    bands: list[Band]

    @classmethod
    def of(cls, bands: list[NDArray[np.integer]], side: int) -> Self:
        """Take the bands of planes of ``side``; AvatarFileError for integers from `MAX_MAGNITUDE` on."""
        if any(band.size and int(np.abs(band).max()) >= MAX_MAGNITUDE for band in bands):
            raise AvatarFileError("The planes of this field hold numbers too large to be coded: enrol it again.")
        shape = PyramidShape(len(bands[0]), side)
        if [band.shape for band in bands] != shape.bands:
            raise ValueError(f"these are not the bands of a pyramid: {[band.shape for band in bands]}")
        return cls(shape, [band.astype(np.int16) for band in bands])

    @classmethod
    def zeros(cls, shape: PyramidShape) -> Self:
        """Return a pyramid of zeros."""
        return cls(shape, [np.zeros(band, np.int16) for band in shape.bands])

    def shifted(self, shift: int) -> "Pyramid":
        """Return the pyramid without its ``shift`` lowest bit planes."""
        return Pyramid(self.shape, [(np.sign(band) * (np.abs(band) >> shift)).astype(np.int16) for band in self.bands])
