"""Marches rays through the head: plane reading, decoder, quadrature of a few rays at a time, in a core's own cache."""

import math
from typing import Any, Final

import numpy as np
from numba import njit, types

from renderer.kernels.cpu_features import NUMBER, NUMBER_BYTES
from renderer.kernels.cpu_layer import ROWS, WIDTH, layer
from renderer.kernels.cpu_vector import FAST, as_number, exp, softplus, texel, texel_reader

CHANNELS: Final = 16
"""Of a plane of the head."""
FEATURES: Final = 3 * CHANNELS
HIDDEN: Final = WIDTH + 4
"""Inputs of the colour layer: hidden units, view direction, and a zero for the sake of pairs."""

_RAYS: Final = 48
"""Marched together: what is kept of them fits into a core's first cache."""
_F = np.float32
_OPEN: Final = _F(2e-3)
"""Transmittance up to which a ray is followed: what lies behind it changes an 8-bit colour by half a step at most."""
_HIT: Final = _F(1e-3)
"""Opacity in the density grid from which a ray is marched."""

_density_layer = layer(FEATURES, 1, HIDDEN * NUMBER_BYTES)
_colour_layer = layer(HIDDEN, 3, None)
_read_texels = texel_reader(CHANNELS)

_NUMBERS = types.int16 if NUMBER is np.int16 else types.float32


@njit(nogil=True)  # type: ignore[untyped-decorator]
def _hits(opacity: Any, window: Any, rgb: Any, passed: Any) -> Any:
    """Return row, column and block of each pixel that is marched (N, 3), and leave the window empty.

    The arguments are those of `march`.
    """
    _, _, height, width, side, first, last = window
    end = min(last * side, height)
    hits = np.empty(((end - first * side) * width, 3), np.int32)
    count = 0
    columns = opacity.shape[1]
    for y in range(first * side, end):
        row = y // side
        for column in range(columns):
            hit = opacity[row, column] > _HIT
            for x in range(column * side, min((column + 1) * side, width)):
                rgb[y, x, 0] = rgb[y, x, 1] = rgb[y, x, 2] = _F(0.0)
                passed[y, x] = _F(1.0)
                if hit:
                    hits[count, 0], hits[count, 1], hits[count, 2] = y, x, row * columns + column
                    count += 1
    return hits[:count]


@njit(
    types.void(
        types.float32[:, :, ::1],
        types.float32[::1],
        types.float32[:, ::1],
        types.float32[:, ::1],
        types.int64[::1],
        types.float32[:, :, :, ::1],
        types.float32[:, ::1],
        _NUMBERS[::1],
        types.float32[::1],
        types.float32[::1],
        _NUMBERS[::1],
        types.float32[::1],
        types.float32[::1],
        types.float32[:, :, ::1],
        types.float32[:, ::1],
        types.int64[::1],
    ),
    nogil=True,
    cache=True,
    fastmath=FAST,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def march(
    directions: Any,
    pose: Any,
    edges: Any,
    opacity: Any,
    window: Any,
    planes: Any,
    box: Any,
    density_weights: Any,
    density_bias: Any,
    sigma_weights: Any,
    colour_weights: Any,
    colour_bias: Any,
    rgb_weights: Any,
    rgb: Any,
    passed: Any,
    counts: Any,
) -> None:
    """March the rays of some rows of blocks.

    Args:
        directions: (H, W, 3) camera-space ray directions of the picture.
        pose: (12,) origin in head space, then the rotation (3, 3) from head space to camera space.
        edges: (blocks, samples + 1) ray parameters of `search`.
        opacity: (rows of blocks, columns of blocks) of `search`.
        window: (7,) first row and column of the window in the picture, its height and width, the side of a block, the
            first row of blocks and the one after the last.
        planes: (3, R, R, 16) blended planes.
        box: (2, 3) lower corner of the head's box, and texels a centimetre.
        density_weights: as `pack` lays them out; likewise ``colour_weights``.
        density_bias: (64,).
        sigma_weights: (65,), the last is the bias.
        colour_bias: (64,).
        rgb_weights: (3 x 64 + 3,), the last three are the biases.
        rgb: (h, w, 3) of the window, written: premultiplied colour.
        passed: (h, w) of the window, written: transmittance.
        counts: see `renderer.kernels.cpu_launch.Counts`, added to.
    """
    top, left = window[0], window[1]
    samples = edges.shape[1] - 1
    size = planes.shape[1]
    limit = _F(size - 1)
    row_bytes = np.int64(4 * CHANNELS * size)
    front = planes.ctypes.data
    across = front + row_bytes * size
    above = across + row_bytes * size
    stride, part = 4 * CHANNELS, CHANNELS * NUMBER_BYTES
    # In texels.
    origin = np.empty(3, np.float32)
    for axis in range(3):
        origin[axis] = (pose[axis] - box[0, axis]) * box[1, axis]

    hits = _hits(opacity, window, rgb, passed)
    count = len(hits)

    # Of the rays that are marched together; a tile may reach beyond the last.
    slopes = np.empty((3, _RAYS), np.float32)
    norms = np.empty(_RAYS, np.float32)
    views = np.zeros((_RAYS, HIDDEN - WIDTH), NUMBER)
    still = np.empty(_RAYS, np.int64)
    before = np.empty(_RAYS, np.float32)
    sums = np.empty((_RAYS, 3), np.float32)
    # Of one sample of each of them.
    texels = np.empty((3, _RAYS), np.int32)
    fractions = np.empty((3, _RAYS), np.float32)
    features = np.zeros((_RAYS + ROWS, FEATURES), NUMBER)
    lengths = np.empty(_RAYS, np.float32)
    depths = np.empty(_RAYS, np.float32)
    logits = np.empty(_RAYS + ROWS, np.float32)
    # Of all samples.
    hidden = np.zeros((_RAYS * samples + ROWS, HIDDEN), NUMBER)
    owners = np.empty(_RAYS * samples, np.int64)
    weights = np.empty(_RAYS * samples, np.float32)
    colours = np.empty((3, _RAYS * samples + ROWS), np.float32)

    for start in range(0, count, _RAYS):
        rays = open_rays = min(_RAYS, count - start)
        for ray in range(rays):
            y, x = hits[start + ray, 0], hits[start + ray, 1]
            dx, dy, dz = directions[top + y, left + x]
            rx = dx * pose[3] + dy * pose[6] + dz * pose[9]
            ry = dx * pose[4] + dy * pose[7] + dz * pose[10]
            rz = dx * pose[5] + dy * pose[8] + dz * pose[11]
            norm = math.sqrt(rx * rx + ry * ry + rz * rz)
            inverse = _F(1.0) / norm
            views[ray, 0], views[ray, 1] = as_number(rx * inverse), as_number(ry * inverse)
            views[ray, 2] = as_number(rz * inverse)
            slopes[0, ray], slopes[1, ray], slopes[2, ray] = rx * box[1, 0], ry * box[1, 1], rz * box[1, 2]
            norms[ray] = norm
            still[ray] = ray
            before[ray] = _F(1.0)
            sums[ray, 0] = sums[ray, 1] = sums[ray, 2] = _F(0.0)
        stored = 0
        for sample in range(samples):
            for place in range(open_rays):
                ray = still[place]
                block = hits[start + ray, 2]
                near, far = edges[block, sample], edges[block, sample + 1]
                middle = _F(0.5) * (near + far)
                lengths[place] = (far - near) * norms[ray]
                for axis in range(3):
                    at = min(max(origin[axis] + middle * slopes[axis, ray], _F(0.0)), limit)
                    cell = texel(at, size)
                    texels[axis, place] = cell
                    fractions[axis, place] = at - _F(cell)
            for place in range(open_rays):
                ix, iy, iz = np.int64(texels[0, place]), np.int64(texels[1, place]), np.int64(texels[2, place])
                fx, fy, fz = fractions[0, place], fractions[1, place], fractions[2, place]
                target = features.ctypes.data + place * FEATURES * NUMBER_BYTES
                _read_texels(front + iy * row_bytes + ix * stride, stride, row_bytes, fx, fy, target)
                _read_texels(across + iy * row_bytes + iz * stride, stride, row_bytes, fz, fy, target + part)
                _read_texels(above + iz * row_bytes + ix * stride, stride, row_bytes, fx, fz, target + 2 * part)
            _density_layer(
                open_rays,
                features.ctypes.data,
                density_weights.ctypes.data,
                density_bias.ctypes.data,
                sigma_weights.ctypes.data,
                hidden.ctypes.data + stored * HIDDEN * NUMBER_BYTES,
                logits.ctypes.data,
                0,
            )
            for place in range(open_rays):
                sigma = softplus((logits[place] + sigma_weights[WIDTH]) * _F(4.0) - _F(4.0))
                depths[place] = exp(-sigma * lengths[place])
            remaining = 0
            for place in range(open_rays):
                ray = still[place]
                through = before[ray] * depths[place]
                weights[stored + place] = before[ray] - through
                owners[stored + place] = ray
                for axis in range(HIDDEN - WIDTH):
                    hidden[stored + place, WIDTH + axis] = views[ray, axis]
                before[ray] = through
                if through > _OPEN:
                    still[remaining] = ray
                    remaining += 1
            stored += open_rays
            open_rays = remaining
        _colour_layer(
            stored,
            hidden.ctypes.data,
            colour_weights.ctypes.data,
            colour_bias.ctypes.data,
            rgb_weights.ctypes.data,
            0,
            colours.ctypes.data,
            colours.strides[0],
        )
        for channel in range(3):
            bias = rgb_weights[3 * WIDTH + channel]
            for place in range(stored):
                colours[channel, place] = weights[place] / (_F(1.0) + exp(-bias - colours[channel, place]))
        for place in range(stored):
            ray = owners[place]
            for channel in range(3):
                sums[ray, channel] += colours[channel, place]
        for ray in range(rays):
            y, x = hits[start + ray, 0], hits[start + ray, 1]
            passed[y, x] = before[ray]
            rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2] = sums[ray, 0], sums[ray, 1], sums[ray, 2]
        counts[1] += rays
        counts[2] += stored
        counts[3] += stored
