"""Reads the head's planes at points, with the gradients that training needs: of the planes and of the points."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from renderer.kernels.gpu_rays import cell, read_plane

POINTS = 64
"""Of a program."""


@triton.jit  # type: ignore[untyped-decorator]
def _axes(plane: tl.tensor) -> tuple[tl.tensor, tl.tensor]:
    """Return the head-space axes of a plane's columns and rows (`head_field.PLANE_AXES`)."""
    return tl.where(plane == 1, 2, 0), tl.where(plane == 2, 2, 1)


@triton.jit  # type: ignore[untyped-decorator]
def _texel(
    points: tl.tensor,
    point: tl.tensor,
    exists: tl.tensor,
    axis: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    size: tl.tensor,
) -> tuple[tl.tensor, tl.tensor]:
    """Return where points lie along an axis, in texels, and the texels a centimetre."""
    scale = (size - 1) / (tl.load(high + axis) - tl.load(low + axis))
    return (tl.load(points + point * 3 + axis, exists, 0.0) - tl.load(low + axis)) * scale, scale


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def read(
    planes: tl.tensor,
    points: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    features: tl.tensor,
    count: tl.tensor,
    size: tl.tensor,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
    POINTS: tl.constexpr,
) -> None:
    """Read one plane at some points (`HeadField.features`). The grid is (tiles of points, 3 planes).

    Args:
        planes: (3, size, size, CHANNELS).
        points: (count, 3) head space, cm.
        low: (3,) lower corner of the head's box.
        high: (3,) upper corner.
        features: (count, 3 CHANNELS), written.
        count: of the points.
        size: texels a side.
        CHANNELS: of a plane.
        PADDED: a power of two, not less.
        POINTS: of a program.
    """
    plane = tl.program_id(1)
    point = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    exists = point < count
    across, down = _axes(plane)
    column, _ = _texel(points, point, exists, across, low, high, size)
    row, _ = _texel(points, point, exists, down, low, high, size)
    found = read_plane(planes + plane * size * size * CHANNELS, column, row, size, exists, CHANNELS, PADDED)
    channel = tl.arange(0, PADDED)[None, :]
    place = features + (point * 3 + plane)[:, None] * CHANNELS + channel
    tl.store(place, found, exists[:, None] & (channel < CHANNELS))


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]
def read_backward(
    planes: tl.tensor,
    points: tl.tensor,
    low: tl.tensor,
    high: tl.tensor,
    gradient: tl.tensor,
    planes_gradient: tl.tensor,
    points_gradient: tl.tensor,
    count: tl.tensor,
    size: tl.tensor,
    CHANNELS: tl.constexpr,
    PADDED: tl.constexpr,
    POINTS: tl.constexpr,
    MOVED: tl.constexpr,
) -> None:
    """Add one plane's part to the gradients. The grid is (tiles of points, 3 planes).

    Args:
        planes: (3, size, size, CHANNELS).
        points: (count, 3) head space, cm.
        low: (3,) lower corner of the head's box.
        high: (3,) upper corner.
        gradient: (count, 3 CHANNELS) of the features.
        planes_gradient: (3, size, size, CHANNELS), added to.
        points_gradient: (count, 3), added to; beyond the box the features do not change, so it is 0 there.
        count: of the points.
        size: texels a side.
        CHANNELS: of a plane.
        PADDED: a power of two, not less.
        POINTS: of a program.
        MOVED: whether the points' gradient is wanted.
    """
    plane = tl.program_id(1)
    point = tl.program_id(0) * POINTS + tl.arange(0, POINTS)
    exists = point < count
    across, down = _axes(plane)
    column, column_scale = _texel(points, point, exists, across, low, high, size)
    row, row_scale = _texel(points, point, exists, down, low, high, size)
    x, right = cell(column, size)
    y, below = cell(row, size)
    channel = tl.arange(0, PADDED)[None, :]
    mask = exists[:, None] & (channel < CHANNELS)
    given = tl.load(gradient + (point * 3 + plane)[:, None] * CHANNELS + channel, mask, 0.0)
    corner = plane * size * size * CHANNELS + ((y * size + x) * CHANNELS)[:, None] + channel
    right, below = right[:, None], below[:, None]
    place = planes_gradient + corner
    tl.atomic_add(place, given * (1.0 - right) * (1.0 - below), mask, sem="relaxed")
    tl.atomic_add(place + CHANNELS, given * right * (1.0 - below), mask, sem="relaxed")
    tl.atomic_add(place + size * CHANNELS, given * (1.0 - right) * below, mask, sem="relaxed")
    tl.atomic_add(place + (size + 1) * CHANNELS, given * right * below, mask, sem="relaxed")
    if MOVED:
        place = planes + corner
        a, b = tl.load(place, mask, 0.0), tl.load(place + CHANNELS, mask, 0.0)
        place += size * CHANNELS
        c, d = tl.load(place, mask, 0.0), tl.load(place + CHANNELS, mask, 0.0)
        slope = tl.sum(given * ((b - a) * (1.0 - below) + (d - c) * below), 1) * column_scale
        inside = exists & (column > 0.0) & (column < size - 1)
        tl.atomic_add(points_gradient + point * 3 + across, slope, inside, sem="relaxed")
        slope = tl.sum(given * ((c - a) * (1.0 - right) + (d - b) * right), 1) * row_scale
        inside = exists & (row > 0.0) & (row < size - 1)
        tl.atomic_add(points_gradient + point * 3 + down, slope, inside, sem="relaxed")


class ReadPlanes(torch.autograd.Function):
    """`HeadField.features` of planes (3, R, R, C), points (N, 3) and the corners (3,) of the box: (N, 3 C)."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, points: Tensor, low: Tensor, high: Tensor) -> Tensor:
        """Read the planes."""
        planes, points = planes.contiguous(), points.contiguous()
        ctx.save_for_backward(planes, points, low, high)
        channels = planes.shape[3]
        features = points.new_empty(len(points), 3 * channels)
        if len(points):
            read[(triton.cdiv(len(points), POINTS), 3)](
                planes,
                points,
                low,
                high,
                features,
                len(points),
                planes.shape[1],
                CHANNELS=channels,
                PADDED=triton.next_power_of_2(channels),
                POINTS=POINTS,
            )
        return features

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the planes and, where wanted, of the points; the box has none."""
        planes, points, low, high = ctx.saved_tensors
        moved = ctx.needs_input_grad[1]
        planes_gradient, points_gradient = torch.zeros_like(planes), torch.zeros_like(points)
        channels = planes.shape[3]
        if len(points):
            read_backward[(triton.cdiv(len(points), POINTS), 3)](
                planes,
                points,
                low,
                high,
                gradient.contiguous(),
                planes_gradient,
                points_gradient,
                len(points),
                planes.shape[1],
                CHANNELS=channels,
                PADDED=triton.next_power_of_2(channels),
                POINTS=POINTS,
                MOVED=moved,
            )
        return planes_gradient, points_gradient if moved else None, None, None
