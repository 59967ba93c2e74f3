"""What a rendered ray is compared with."""

from collections.abc import Sequence

import torch
from torch import Tensor


def photometric_loss(rgb: Tensor, target: Tensor) -> Tensor:
    """Mean squared colour error (paper eq. 4, 5) of (N, 3) colours."""
    return (rgb - target).square().mean()


def two_pass_loss(passes: Sequence[Tensor], target: Tensor) -> Tensor:
    """Mean squared colour error of the coarse and of the fine pass, added up (paper eq. 4, 5), of (N, 3) colours."""
    return torch.stack([photometric_loss(rgb, target) for rgb in passes]).sum()


def roughness(planes: Tensor) -> Tensor:
    """Sum of squared differences of neighbouring texels of planes (..., H, W)."""
    rows = planes[..., 1:, :] - planes[..., :-1, :]
    columns = planes[..., :, 1:] - planes[..., :, :-1]
    return rows.square().sum() + columns.square().sum()


def coverage_loss(head_opacity: Tensor, opacity: Tensor, is_head: Tensor, is_person: Tensor) -> Tensor:
    """Squared error of the opacities against the segmentation.

    Args:
        head_opacity: (N,) of the head alone.
        opacity: (N,) of head and torso together.
        is_head: (N,) 1 where the segmentation sees the head.
        is_person: (N,) 1 where it sees head or body.
    """
    return (head_opacity - is_head).square().mean() + (opacity - is_person).square().mean()
