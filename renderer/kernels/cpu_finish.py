"""Finishes a picture: shades the torso over the background, puts the head before both, rounds to 8 bits."""

from typing import Any, Final

import numpy as np
from numba import njit, types

from renderer.kernels.cpu_features import NUMBER, NUMBER_BYTES
from renderer.kernels.cpu_layer import ROWS, WIDTH, layer
from renderer.kernels.cpu_vector import FAST, exp, texel, texel_reader

CHANNELS: Final = 8
"""Of the torso's plane."""

_PIXELS: Final = 48
"""Shaded together."""
_F = np.float32
_shade_layer = layer(CHANNELS, 4, None)
_read_texels = texel_reader(CHANNELS)

_NUMBERS = types.int16 if NUMBER is np.int16 else types.float32


@njit(inline="always")  # type: ignore[untyped-decorator]
def _rounded(value: Any) -> Any:
    return np.uint8(min(max(value * _F(255.0) + _F(0.5), _F(0.0)), _F(255.0)))


@njit(
    types.void(
        types.float32[:, :, ::1],
        types.float32[:, :, ::1],
        types.float32[:, ::1],
        types.int64[::1],
        types.int64[::1],
        types.float32,
        types.float32[:, :, ::1],
        types.float32[::1],
        types.float32[:, :, ::1],
        types.float32[:, :, ::1],
        types.float32[:, ::1],
        _NUMBERS[::1],
        types.float32[::1],
        types.float32[::1],
        types.uint8[:, :, ::1],
        types.int64[::1],
    ),
    nogil=True,
    cache=True,
    fastmath=FAST,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def finish(
    background: Any,
    rgb: Any,
    passed: Any,
    window: Any,
    torso: Any,
    opaque: Any,
    uv: Any,
    shift: Any,
    offsets: Any,
    plane: Any,
    box: Any,
    shade_weights: Any,
    shade_bias: Any,
    colour_weights: Any,
    picture: Any,
    counts: Any,
) -> None:
    """Finish some rows of a picture.

    Args:
        background: (H, W, 3) in [0, 1].
        rgb: (h, w, 3) premultiplied colour of the head in its window.
        passed: (h, w) transmittance of the head in its window.
        window: (6,) first row and column of the window in the picture, its height and width, the first row of the
            picture that is wanted and the one after the last.
        torso: (N,) ascending indices of the pixels in those rows where the torso may be seen.
        opaque: transmittance of the head below which the torso is not looked for.
        uv: (H, W, 2) frame coordinates.
        shift: (2,) displacement of the torso, frame sides.
        offsets: (L, L, 2) the warp's displacements on a lattice over the frame, in half frame sides.
        plane: (R, R, 8) the canonical torso plane.
        box: (2, 2) where in the frame its first texel lies, and how many texels there are to a frame side.
        shade_weights: as `pack` lays them out.
        shade_bias: (64,).
        colour_weights: (4 x 64 + 4,), the last four are the biases.
        picture: (H, W, 3), holds the background in 8 bits and is written where anything is before it.
        counts: see `renderer.kernels.cpu_launch.Counts`, added to.
    """
    top, left, height, width, first, last = window
    columns = picture.shape[1]
    for y in range(max(first - top, 0), min(last - top, height)):
        for x in range(width):
            through = passed[y, x]
            if through < _F(1.0):
                for channel in range(3):
                    behind = background[top + y, left + x, channel]
                    picture[top + y, left + x, channel] = _rounded(behind * through + rgb[y, x, channel])

    size, lattice = plane.shape[0], offsets.shape[0]
    limit, lattice_limit = _F(size - 1), _F(lattice - 1)
    row_bytes = np.int64(4 * CHANNELS * size)
    features = np.zeros((_PIXELS + ROWS, CHANNELS), NUMBER)
    values = np.empty((4, _PIXELS + ROWS), np.float32)
    places = np.empty(_PIXELS, np.int64)
    gathered = 0
    for index in range(len(torso)):
        y, x = torso[index] // columns, torso[index] % columns
        inside = top <= y < top + height and left <= x < left + width
        if not inside or passed[y - top, x - left] > opaque:
            u, v = uv[y, x, 0] - shift[0], uv[y, x, 1] - shift[1]
            lx = min(max(u * lattice_limit, _F(0.0)), lattice_limit)
            ly = min(max(v * lattice_limit, _F(0.0)), lattice_limit)
            ix, iy = texel(lx, lattice), texel(ly, lattice)
            fx, fy = lx - _F(ix), ly - _F(iy)
            upper = offsets[iy, ix, 0] + fx * (offsets[iy, ix + 1, 0] - offsets[iy, ix, 0])
            lower = offsets[iy + 1, ix, 0] + fx * (offsets[iy + 1, ix + 1, 0] - offsets[iy + 1, ix, 0])
            u += _F(0.5) * (upper + fy * (lower - upper))
            upper = offsets[iy, ix, 1] + fx * (offsets[iy, ix + 1, 1] - offsets[iy, ix, 1])
            lower = offsets[iy + 1, ix, 1] + fx * (offsets[iy + 1, ix + 1, 1] - offsets[iy + 1, ix, 1])
            v += _F(0.5) * (upper + fy * (lower - upper))
            px = min(max((u - box[0, 0]) * box[1, 0], _F(0.0)), limit)
            py = min(max((v - box[0, 1]) * box[1, 1], _F(0.0)), limit)
            ix, iy = texel(px, size), texel(py, size)
            corner = plane.ctypes.data + iy * row_bytes + ix * 4 * CHANNELS
            target = features.ctypes.data + gathered * CHANNELS * NUMBER_BYTES
            _read_texels(corner, 4 * CHANNELS, row_bytes, px - _F(ix), py - _F(iy), target)
            places[gathered] = torso[index]
            gathered += 1
        if gathered < _PIXELS and index < len(torso) - 1:
            continue
        _shade_layer(
            gathered,
            features.ctypes.data,
            shade_weights.ctypes.data,
            shade_bias.ctypes.data,
            colour_weights.ctypes.data,
            0,
            values.ctypes.data,
            values.strides[0],
        )
        for channel in range(4):
            # Opacity is twice as steep.
            steepness, bias = _F(2.0) if channel == 3 else _F(1.0), colour_weights[4 * WIDTH + channel]
            for place in range(gathered):
                values[channel, place] = _F(1.0) / (_F(1.0) + exp(-steepness * (values[channel, place] + bias)))
        for place in range(gathered):
            y, x = places[place] // columns, places[place] % columns
            alpha = values[3, place]
            inside = top <= y < top + height and left <= x < left + width
            for channel in range(3):
                behind = background[y, x, channel]
                colour = behind + alpha * (values[channel, place] - behind)
                if inside:
                    colour = colour * passed[y - top, x - left] + rgb[y - top, x - left, channel]
                picture[y, x, channel] = _rounded(colour)
        counts[4] += gathered
        gathered = 0
