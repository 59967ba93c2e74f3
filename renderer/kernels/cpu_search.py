"""Searches rays in the density grid: lookups, weights and intervals of a ray in one pass, ended where it is opaque."""

import math
from typing import Any, Final

import numpy as np
from numba import njit, types

from renderer.kernels.cpu_vector import FAST, exp, texel

_F = np.float32
_BLOCKED: Final = _F(16.0)
"""Optical depth behind which no bin's weight reaches 2e-7."""
_HIT: Final = _F(1e-3)
"""Opacity from which a ray's intervals mean something."""


@njit(inline="always")  # type: ignore[untyped-decorator]
def _search_ray(
    origin: Any,
    ray: Any,
    values: Any,
    occupied: Any,
    box: Any,
    scale: Any,
    size: Any,
    shift: Any,
    quantiles: Any,
    weights: Any,
    spread: Any,
    voxels: Any,
    fractions: Any,
    edges: Any,
) -> tuple[Any, Any]:
    """Search one ray.

    Args:
        origin: (3,) head space.
        ray: (3,) direction.
        values: (voxels,) density per centimetre.
        occupied: (voxels,) of `DensityGrid.cells`.
        box: (2, 3) lower and upper corner of the grid.
        scale: (3,) voxels a centimetre.
        size: voxels a side.
        shift: where in a bin it is looked up, 0.5 for its middle.
        quantiles: (samples + 1,) of the weight, at which the intervals end.
        weights: (bins + 2,), zero, and left so.
        spread: (bins,), written; likewise ``voxels``, int32, and ``fractions`` (3, bins).
        edges: (samples + 1,), written where the ray hits.

    Returns:
        The opacity, and how many lookups it took.
    """
    bins = len(spread)
    limit = _F(size - 1)
    down, behind = np.int32(size), np.int32(size * size)
    near, far = _F(0.0), _F(1e30)
    for axis in range(3):
        direction = ray[axis]
        if abs(direction) < _F(1e-9):
            direction = _F(1e-9)
        low = (box[0, axis] - origin[axis]) / direction
        high = (box[1, axis] - origin[axis]) / direction
        near, far = max(near, min(low, high)), min(far, max(low, high))
    if far <= near:
        return _F(0.0), 0
    step = (far - near) / _F(bins)
    start_x = (origin[0] + near * ray[0] - box[0, 0]) * scale[0]
    start_y = (origin[1] + near * ray[1] - box[0, 1]) * scale[1]
    start_z = (origin[2] + near * ray[2] - box[0, 2]) * scale[2]
    step_x, step_y, step_z = step * ray[0] * scale[0], step * ray[1] * scale[1], step * ray[2] * scale[2]
    length = step * math.sqrt(ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2])
    # Of all bins at once, as that becomes vector code, and most of them are empty.
    for index in range(bins):
        middle = _F(index) + shift
        px = min(max(start_x + middle * step_x, _F(0.0)), limit)
        py = min(max(start_y + middle * step_y, _F(0.0)), limit)
        pz = min(max(start_z + middle * step_z, _F(0.0)), limit)
        ix, iy, iz = texel(px, size), texel(py, size), texel(pz, size)
        fractions[0, index], fractions[1, index], fractions[2, index] = px - _F(ix), py - _F(iy), pz - _F(iz)
        voxels[index] = iz * behind + iy * down + ix
    depth, before = _F(0.0), _F(1.0)
    lookups, first, last = bins, bins, 0
    for index in range(bins):
        at = np.int64(voxels[index])
        if occupied[at] == 0:
            continue
        fx, fy, fz = fractions[0, index], fractions[1, index], fractions[2, index]
        a = values[at] + fx * (values[at + 1] - values[at])
        b = values[at + down] + fx * (values[at + down + 1] - values[at + down])
        front = a + fy * (b - a)
        at += behind
        a = values[at] + fx * (values[at + 1] - values[at])
        b = values[at + down] + fx * (values[at + down + 1] - values[at + down])
        found = front + fz * (a + fy * (b - a) - front)
        if found > _F(0.0):
            depth += found * length
            passed = exp(-depth)
            weights[index + 1] = before - passed
            before = passed
            first, last = min(first, index), index
        if depth > _BLOCKED:
            lookups = index + 1
            break
    opacity = _F(1.0) - before
    # A bin's weight spreads to both of its neighbours; beyond those there is none.
    first, last = max(first - 1, 0), min(last + 1, bins - 1)
    if opacity > _HIT:
        total = _F(0.0)
        for index in range(first, last + 1):
            widest = max(max(weights[index], weights[index + 1]), weights[index + 2])
            if widest > _F(1e-3):
                widest += _F(0.01)
            spread[index] = widest
            total += widest
        inverse = _F(1.0) / max(total, _F(1e-9))
        index, lower, upper = first, _F(0.0), spread[first] * inverse
        for edge in range(len(edges)):
            quantile = quantiles[edge]
            while upper <= quantile and index < last:
                index += 1
                lower, upper = upper, upper + spread[index] * inverse
            inside = min(max((quantile - lower) / max(upper - lower, _F(1e-9)), _F(0.0)), _F(1.0))
            edges[edge] = near + step * (_F(index) + inside)
    for index in range(first, last + 2):
        weights[index] = _F(0.0)
    return opacity, lookups


@njit(inline="always")  # type: ignore[untyped-decorator]
def _scale(box: Any, size: Any) -> Any:
    """Return the voxels a centimetre (3,)."""
    scale = np.empty(3, np.float32)
    for axis in range(3):
        scale[axis] = _F(size - 1) / (box[1, axis] - box[0, axis])
    return scale


@njit(
    types.void(
        types.float32[:, :, ::1],
        types.float32[::1],
        types.float32[:, :, ::1],
        types.uint8[:, :, ::1],
        types.float32[:, ::1],
        types.int64[::1],
        types.int64,
        types.float32[:, ::1],
        types.float32[:, ::1],
        types.int64[::1],
    ),
    nogil=True,
    cache=True,
    fastmath=FAST,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def search(
    directions: Any,
    pose: Any,
    density: Any,
    cells: Any,
    box: Any,
    window: Any,
    bins: Any,
    edges: Any,
    opacity: Any,
    counts: Any,
) -> None:
    """Search the mean ray of each block of some rows of blocks.

    Args:
        directions: (H, W, 3) camera-space ray directions of the picture.
        pose: (12,) origin in head space, then the rotation (3, 3) from head space to camera space.
        density: (z, y, x), per centimetre.
        cells: (z, y, x) of `DensityGrid.cells`.
        box: (2, 3) lower and upper corner of the grid.
        window: (7,) as for `march`.
        bins: lookups a ray.
        edges: (blocks, samples + 1), written: ray parameters, which mean nothing where the opacity is below 1e-3.
        opacity: (rows of blocks, columns of blocks), written.
        counts: see `renderer.kernels.cpu_launch.Counts`, added to.
    """
    top, left, height, width, side, first, last = window
    size = density.shape[0]
    values, occupied, scale = density.reshape(-1), cells.reshape(-1), _scale(box, size)
    samples = edges.shape[1] - 1
    quantiles = np.empty(samples + 1, np.float32)
    for edge in range(samples + 1):
        quantiles[edge] = _F(edge) * (_F(1.0) - _F(1e-5)) / _F(samples)
    weights = np.zeros(bins + 2, np.float32)
    spread = np.empty(bins, np.float32)
    voxels, fractions = np.empty(bins, np.int32), np.empty((3, bins), np.float32)
    ray = np.empty(3, np.float32)
    columns = opacity.shape[1]
    for row in range(first, last):
        for column in range(columns):
            dx = dy = dz = _F(0.0)
            below, right = min((row + 1) * side, height), min((column + 1) * side, width)
            for y in range(row * side, below):
                for x in range(column * side, right):
                    dx += directions[top + y, left + x, 0]
                    dy += directions[top + y, left + x, 1]
                    dz += directions[top + y, left + x, 2]
            share = _F(1.0) / _F((below - row * side) * (right - column * side))
            dx, dy, dz = dx * share, dy * share, dz * share
            ray[0] = dx * pose[3] + dy * pose[6] + dz * pose[9]
            ray[1] = dx * pose[4] + dy * pose[7] + dz * pose[10]
            ray[2] = dx * pose[5] + dy * pose[8] + dz * pose[11]
            place = edges[row * columns + column]
            opacity[row, column], lookups = _search_ray(
                pose,
                ray,
                values,
                occupied,
                box,
                scale,
                size,
                _F(0.5),
                quantiles,
                weights,
                spread,
                voxels,
                fractions,
                place,
            )
            counts[0] += lookups


@njit(
    types.void(
        types.float32[::1],
        types.float32[:, ::1],
        types.float32[:, :, ::1],
        types.uint8[:, :, ::1],
        types.float32[:, ::1],
        types.int64,
        types.float32[::1],
        types.float32[:, ::1],
        types.float32[:, ::1],
        types.float32[::1],
        types.int64,
        types.int64,
    ),
    nogil=True,
    cache=True,
    fastmath=FAST,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def propose(
    origin: Any,
    directions: Any,
    density: Any,
    cells: Any,
    box: Any,
    bins: Any,
    shifts: Any,
    quantiles: Any,
    edges: Any,
    opacity: Any,
    first: Any,
    last: Any,
) -> None:
    """Search some rays of one origin, displaced at random (`DensityGrid.propose`).

    Args:
        origin: (3,) head space.
        directions: (N, 3), head space.
        density: as for `search`; likewise ``cells``, ``box`` and ``bins``.
        shifts: (N,) where in its bins each ray is looked up, in [0, 1).
        quantiles: (N, samples + 1) of each ray's weight, ascending.
        edges: (N, samples + 1), written: ray parameters, which mean nothing where the opacity is below 1e-3.
        opacity: (N,), written.
        first: of the rays.
        last: the one behind them.
    """
    size = density.shape[0]
    values, occupied, scale = density.reshape(-1), cells.reshape(-1), _scale(box, size)
    weights = np.zeros(bins + 2, np.float32)
    spread = np.empty(bins, np.float32)
    voxels, fractions = np.empty(bins, np.int32), np.empty((3, bins), np.float32)
    for ray in range(first, last):
        opacity[ray], _ = _search_ray(
            origin,
            directions[ray],
            values,
            occupied,
            box,
            scale,
            size,
            shifts[ray],
            quantiles[ray],
            weights,
            spread,
            voxels,
            fractions,
            edges[ray],
        )
