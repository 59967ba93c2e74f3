"""Reads the head's planes at points, with the gradients that training needs: of the planes and of the points."""

from typing import Any, Final

import numpy as np
import torch
from numba import njit, types
from torch import Tensor
from torch.autograd.function import once_differentiable

from renderer.head_field import PLANE_AXES
from renderer.kernels.cpu_march import CHANNELS
from renderer.kernels.cpu_pool import side_by_side
from renderer.kernels.cpu_vector import FAST, texel

_F = np.float32
_COLUMNS: Final = tuple(column for column, _ in PLANE_AXES)
_ROWS: Final = tuple(row for _, row in PLANE_AXES)
PARTS: Final = 4
"""Of the points, that are read side by side."""


@njit(inline="always")  # type: ignore[untyped-decorator]
def _cell(point: Any, axis: Any, box: Any, size: Any) -> tuple[Any, Any, Any]:
    """Return where a point (3,) lies along an axis of planes of ``size`` texels.

    Returns:
        The texel before it, such that there is one behind it, how far beyond that texel it lies, and by how many texels
        it moves a centimetre: beyond the box, whose border goes on there, by none.
    """
    limit = _F(size - 1)
    place = (point[axis] - box[0, axis]) * box[1, axis]
    inside = min(max(place, _F(0.0)), limit)
    before = texel(inside, size)
    return before, inside - _F(before), box[1, axis] if _F(0.0) < place < limit else _F(0.0)


@njit(
    types.void(
        types.float32[:, :, :, ::1],
        types.float32[:, ::1],
        types.float32[:, ::1],
        types.float32[:, :, ::1],
        types.int64,
        types.int64,
    ),
    nogil=True,
    cache=True,
    fastmath=FAST,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def read(planes: Any, points: Any, box: Any, features: Any, first: Any, last: Any) -> None:
    """Read all planes at some points (`HeadField.features`).

    Args:
        planes: (3, R, R, 16).
        points: (N, 3) head space, cm.
        box: (2, 3) lower corner of the head's box, and texels a centimetre.
        features: (N, 3, 16), written.
        first: of the points to read.
        last: the one behind them.
    """
    size = planes.shape[1]
    for point in range(first, last):
        for plane in range(3):
            x, right, _ = _cell(points[point], _COLUMNS[plane], box, size)
            y, below, _ = _cell(points[point], _ROWS[plane], box, size)
            left, above = _F(1.0) - right, _F(1.0) - below
            a, b, c, d = left * above, right * above, left * below, right * below
            for channel in range(CHANNELS):
                features[point, plane, channel] = (
                    a * planes[plane, y, x, channel]
                    + b * planes[plane, y, x + 1, channel]
                    + c * planes[plane, y + 1, x, channel]
                    + d * planes[plane, y + 1, x + 1, channel]
                )


@njit(
    types.void(
        types.float32[:, :, :, ::1],
        types.float32[:, ::1],
        types.float32[:, ::1],
        types.float32[:, :, ::1],
        types.float32[:, :, :, ::1],
        types.float32[:, :, ::1],
        types.int64,
    ),
    nogil=True,
    cache=True,
    fastmath=FAST,
    error_model="numpy",
)  # type: ignore[untyped-decorator]
def read_backward(
    planes: Any, points: Any, box: Any, gradient: Any, planes_gradient: Any, slopes: Any, plane: Any
) -> None:
    """Add one plane's part to the gradients.

    Args:
        planes: (3, R, R, 16).
        points: (N, 3) head space, cm.
        box: (2, 3) lower corner of the head's box, and texels a centimetre.
        gradient: (N, 3, 16) of the features.
        planes_gradient: (3, R, R, 16), added to.
        slopes: (3, N, 2), written: gradient by the axis of the plane's columns and by that of its rows; beyond the box
            the features do not change, so it is 0 there.
        plane: 0 to 2.
    """
    size = planes.shape[1]
    for point in range(len(points)):
        x, right, columns = _cell(points[point], _COLUMNS[plane], box, size)
        y, below, rows = _cell(points[point], _ROWS[plane], box, size)
        left, above = _F(1.0) - right, _F(1.0) - below
        a, b, c, d = left * above, right * above, left * below, right * below
        across = down = _F(0.0)
        for channel in range(CHANNELS):
            given = gradient[point, plane, channel]
            planes_gradient[plane, y, x, channel] += a * given
            planes_gradient[plane, y, x + 1, channel] += b * given
            planes_gradient[plane, y + 1, x, channel] += c * given
            planes_gradient[plane, y + 1, x + 1, channel] += d * given
        for channel in range(CHANNELS):
            given = gradient[point, plane, channel]
            upper, lower = planes[plane, y, x, channel], planes[plane, y + 1, x, channel]
            upper_right, lower_right = planes[plane, y, x + 1, channel], planes[plane, y + 1, x + 1, channel]
            across += given * (above * (upper_right - upper) + below * (lower_right - lower))
            down += given * (left * (lower - upper) + right * (lower_right - upper_right))
        slopes[plane, point, 0], slopes[plane, point, 1] = across * columns, down * rows


class ReadPlanes(torch.autograd.Function):
    """`HeadField.features` of planes (3, R, R, 16), points (N, 3) and box (2, 3) as `read` takes it: (N, 48)."""

    @staticmethod
    def forward(ctx: Any, planes: Tensor, points: Tensor, box: Tensor) -> Tensor:
        """Read the planes."""
        planes, points = planes.contiguous(), points.contiguous()
        ctx.save_for_backward(planes, points, box)
        features = points.new_empty(len(points), 3, CHANNELS)
        given = planes.numpy(), points.numpy(), box.numpy(), features.numpy()
        bounds = [len(points) * part // PARTS for part in range(PARTS + 1)]
        side_by_side(lambda first, last: read(*given, first, last), bounds[:-1], bounds[1:])
        return features.flatten(1)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of the planes and of the points; the box has none."""
        planes, points, box = ctx.saved_tensors
        planes_gradient, slopes = torch.zeros_like(planes), points.new_empty(3, len(points), 2)
        given = gradient.contiguous().view(-1, 3, CHANNELS).numpy(), planes_gradient.numpy(), slopes.numpy()
        fixed = planes.numpy(), points.numpy(), box.numpy()
        side_by_side(lambda plane: read_backward(*fixed, *given, plane), [0, 1, 2])
        points_gradient = torch.zeros_like(points)
        for plane, axes in enumerate(PLANE_AXES):
            points_gradient[:, axes] += slopes[plane]
        return planes_gradient, points_gradient, None
