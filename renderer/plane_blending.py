"""Blends planes for expressions, with the gradients that training needs, written out: a step is made of little else.

Left to automatic differentiation each window that is added to costs two copies of all planes, and the gradient of the
basis, an outer product of a few expressions with a million texels, a matrix product of the worst shape there is.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor
from torch.autograd.function import once_differentiable

Window = tuple[int, slice, slice]
"""A plane's index, and the rows and columns of it that the expression blends."""


def widened(planes: Tensor, resolution: int) -> Tensor:
    """Return planes (F, 3, M, K, K) interpolated to (F, 3, M, R, R), corner to corner."""
    last = planes.flatten(0, 1).contiguous(memory_format=torch.channels_last)
    finer = F.interpolate(last, size=resolution, mode="bilinear", align_corners=True)
    return finer.view(*planes.shape[:3], resolution, resolution)


class BlendPlanes(torch.autograd.Function):
    """`HeadField.blend`: static planes plus wide ones plus, in windows, a linear combination of the basis.

    Takes expressions (F, E), static planes (3, C, R, R), the basis (E, 3, M, S, S), wide planes (F, 3, M, R, R) or
    None, and the windows; returns F times planes (3, R, R, C).
    """

    @staticmethod
    def forward(
        ctx: Any, expressions: Tensor, static: Tensor, basis: Tensor, wide: Tensor | None, windows: Sequence[Window]
    ) -> tuple[Tensor, ...]:
        """Blend."""
        ctx.save_for_backward(expressions, basis)
        ctx.windows, ctx.wide = windows, wide is not None
        moving = torch.tensordot(expressions, basis, 1)
        still = static.permute(0, 2, 3, 1)
        blended = [still.clone(memory_format=torch.contiguous_format) for _ in expressions]
        if wide is not None:
            for planes, added in zip(blended, wide, strict=True):
                planes[..., : added.shape[1]] += added.permute(0, 2, 3, 1)
        for planes, moved in zip(blended, moving, strict=True):
            for plane, rows, columns in windows:
                planes[plane, rows, columns, : moved.shape[1]] += moved[plane].permute(1, 2, 0)
        return tuple(blended)

    @staticmethod
    @once_differentiable  # type: ignore[untyped-decorator]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of expressions, static planes, basis and wide planes."""
        expressions, basis = ctx.saved_tensors
        channels = basis.shape[2]
        moving = torch.stack(
            [
                torch.stack([gradient[plane, rows, columns, :channels] for plane, rows, columns in ctx.windows])
                for gradient in gradients
            ]
        )
        moving = moving.permute(0, 1, 4, 2, 3).flatten(1)
        static = gradients[0].clone()
        for gradient in gradients[1:]:
            static += gradient
        outer = expressions[0, :, None] * moving[0]
        for expression, moved in zip(expressions[1:], moving[1:], strict=True):
            outer.addcmul_(expression[:, None], moved)
        wide = None
        if ctx.wide:
            wide = torch.stack([gradient[..., :channels].permute(0, 3, 1, 2) for gradient in gradients])
        return moving @ basis.flatten(1).T, static.permute(0, 3, 1, 2), outer.view_as(basis), wide, None
