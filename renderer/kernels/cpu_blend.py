"""Blends the head's planes for one frame, see `HeadField.blend`: what moves them is read once, in 16 bits."""

from typing import Any, Final

import numpy as np
from numba import njit, types

from renderer.kernels.cpu_march import CHANNELS
from renderer.kernels.cpu_vector import FAST

MOVING: Final = 8
"""Channels that move, the first ones."""
TOGETHER: Final = 6
"""Numbers whose planes are added in one pass; there are so many, or a multiple of it."""
TILE: Final = 1024
"""Texels added up before the next: they stay in a core's first cache."""
_F = np.float32


@njit(
    types.void(types.float32[::1], types.int16[:, :, ::1], types.float32[::1], types.int64, types.int64),
    nogil=True,
    cache=True,
    fastmath=FAST,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def combine(weights: Any, levels: Any, total: Any, first: Any, last: Any) -> None:
    """Add up planes, each as often as its number says.

    Args:
        weights: (E,) of the numbers, E a multiple of TOGETHER.
        levels: (T, E, TILE), all planes' texels from T parts of them: a part is read in one stream.
        total: (T * TILE,), written.
        first: of the parts to add up.
        last: the one behind them.
    """
    for part in range(first, last):
        sums, planes = total[part * TILE : (part + 1) * TILE], levels[part]
        for texel in range(TILE):
            sums[texel] = _F(0.0)
        for number in range(0, len(weights), TOGETHER):
            a, b, c = weights[number], weights[number + 1], weights[number + 2]
            d, e, f = weights[number + 3], weights[number + 4], weights[number + 5]
            for texel in range(TILE):
                sums[texel] += (
                    a * _F(planes[number, texel])
                    + b * _F(planes[number + 1, texel])
                    + c * _F(planes[number + 2, texel])
                    + d * _F(planes[number + 3, texel])
                    + e * _F(planes[number + 4, texel])
                    + f * _F(planes[number + 5, texel])
                )


@njit(
    types.void(
        types.float32[:, :, :, ::1],
        types.float32[:, :, :, ::1],
        types.float32[:, :, :, ::1],
        types.int64[:, ::1],
        types.float32[:, :, :, ::1],
        types.int64,
        types.int64,
    ),
    nogil=True,
    cache=True,
    fastmath=FAST,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def compose(static: Any, wide: Any, face: Any, corners: Any, planes: Any, first: Any, last: Any) -> None:
    """Add what moves to some rows of the static planes.

    Args:
        static: (3, R, R, 16).
        wide: (3, K, K, 8), interpolated over the planes corner to corner.
        face: (3, S, S, 8), added where the expression acts.
        corners: (3, 2) first row and column of that.
        planes: (3, R, R, 16), written.
        first: of the rows, those of the second plane after those of the first.
        last: the one behind them.
    """
    size, side, window = static.shape[1], wide.shape[1], face.shape[1]
    scale = _F(side - 1) / _F(size - 1)
    line = np.empty((side, MOVING), np.float32)
    for index in range(first, last):
        plane, y = index // size, index % size
        place = _F(y) * scale
        above = min(int(place), side - 2)
        share = place - _F(above)
        for x in range(side):
            for channel in range(MOVING):
                upper = wide[plane, above, x, channel]
                line[x, channel] = upper + share * (wide[plane, above + 1, x, channel] - upper)
        for x in range(size):
            place = _F(x) * scale
            before = min(int(place), side - 2)
            share = place - _F(before)
            for channel in range(MOVING):
                left = line[before, channel]
                added = left + share * (line[before + 1, channel] - left)
                planes[plane, y, x, channel] = static[plane, y, x, channel] + added
            for channel in range(MOVING, CHANNELS):
                planes[plane, y, x, channel] = static[plane, y, x, channel]
        row = y - corners[plane, 0]
        if 0 <= row < window:
            column = corners[plane, 1]
            for x in range(window):
                for channel in range(MOVING):
                    planes[plane, y, column + x, channel] += face[plane, row, x, channel]
