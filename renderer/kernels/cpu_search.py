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
        counts: see `renderer.kernels.cpu.Counts`, added to.
    """
    top, left, height, width, side, first, last = window
    size = density.shape[0]
    values, occupied = density.reshape(-1), cells.reshape(-1)
    samples = edges.shape[1] - 1
    limit = _F(size - 1)
    down, behind = np.int64(size), np.int64(size * size)
    scale_x = limit / (box[1, 0] - box[0, 0])
    scale_y = limit / (box[1, 1] - box[0, 1])
    scale_z = limit / (box[1, 2] - box[0, 2])
    weights = np.zeros(bins + 2, np.float32)
    spread = np.empty(bins, np.float32)
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
            near, far = _F(0.0), _F(1e30)
            for axis in range(3):
                direction = ray[axis]
                if abs(direction) < _F(1e-9):
                    direction = _F(1e-9)
                low = (box[0, axis] - pose[axis]) / direction
                high = (box[1, axis] - pose[axis]) / direction
                near, far = max(near, min(low, high)), min(far, max(low, high))
            opacity[row, column] = _F(0.0)
            if far <= near:
                continue
            step = (far - near) / _F(bins)
            start_x = (pose[0] + near * ray[0] - box[0, 0]) * scale_x
            start_y = (pose[1] + near * ray[1] - box[0, 1]) * scale_y
            start_z = (pose[2] + near * ray[2] - box[0, 2]) * scale_z
            step_x, step_y, step_z = step * ray[0] * scale_x, step * ray[1] * scale_y, step * ray[2] * scale_z
            length = step * math.sqrt(ray[0] * ray[0] + ray[1] * ray[1] + ray[2] * ray[2])
            depth, before = _F(0.0), _F(1.0)
            reached = 0
            for index in range(bins):
                middle = _F(index) + _F(0.5)
                px = min(max(start_x + middle * step_x, _F(0.0)), limit)
                py = min(max(start_y + middle * step_y, _F(0.0)), limit)
                pz = min(max(start_z + middle * step_z, _F(0.0)), limit)
                ix, iy, iz = texel(px, size), texel(py, size), texel(pz, size)
                at = iz * behind + iy * down + ix
                reached = index + 2
                if occupied[at] == 0:
                    weights[index + 1] = _F(0.0)
                    continue
                fx, fy, fz = px - _F(ix), py - _F(iy), pz - _F(iz)
                a = values[at] + fx * (values[at + 1] - values[at])
                b = values[at + down] + fx * (values[at + down + 1] - values[at + down])
                front = a + fy * (b - a)
                at += behind
                a = values[at] + fx * (values[at + 1] - values[at])
                b = values[at + down] + fx * (values[at + down + 1] - values[at + down])
                found = front + fz * (a + fy * (b - a) - front)
                weight = _F(0.0)
                if found > _F(0.0):
                    depth += found * length
                    passed = exp(-depth)
                    weight = before - passed
                    before = passed
                weights[index + 1] = weight
                if depth > _BLOCKED:
                    break
            counts[0] += reached - 1
            for index in range(reached, bins + 2):
                weights[index] = _F(0.0)
            opacity[row, column] = _F(1.0) - before
            if _F(1.0) - before <= _HIT:
                continue
            total = _F(0.0)
            for index in range(bins):
                widest = max(max(weights[index], weights[index + 1]), weights[index + 2])
                if widest > _F(1e-3):
                    widest += _F(0.01)
                spread[index] = widest
                total += widest
            inverse = _F(1.0) / max(total, _F(1e-9))
            index, lower, upper = 0, _F(0.0), spread[0] * inverse
            for edge in range(samples + 1):
                quantile = _F(edge) * (_F(1.0) - _F(1e-5)) / _F(samples)
                while upper <= quantile and index < bins - 1:
                    index += 1
                    lower, upper = upper, upper + spread[index] * inverse
                inside = min(max((quantile - lower) / max(upper - lower, _F(1e-9)), _F(0.0)), _F(1.0))
                edges[row * columns + column, edge] = near + step * (_F(index) + inside)
