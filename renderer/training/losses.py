"""What a rendered ray is compared with."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

SSIM_WINDOW = 11
SSIM_SPREAD = 1.5
"""Pixels: of the Gaussian over which local means are taken."""
SSIM_STABILISERS = (0.01**2, 0.03**2)


def photometric_loss(rgb: Tensor, target: Tensor) -> Tensor:
    """Mean squared colour error (paper eq. 4, 5) of (N, 3) colours."""
    return (rgb - target).square().mean()


def two_pass_loss(passes: Sequence[Tensor], target: Tensor) -> Tensor:
    """Mean squared colour error of the coarse and of the fine pass, added up (paper eq. 4, 5), of (N, 3) colours."""
    return torch.stack([photometric_loss(rgb, target) for rgb in passes]).sum()


def structural_loss(pictures: Tensor, wanted: Tensor) -> Tensor:
    """One minus the mean structural similarity (Wang et al. 2004) of pictures (B, C, H, W) in [0, 1].

    Of places whose window lies within the picture, at least 11 pixels a side.
    """
    channels = pictures.shape[1]
    stack = torch.cat((pictures, wanted, pictures * pictures, wanted * wanted, pictures * wanted), 1)
    ours, theirs, ours_squared, theirs_squared, product = torch.split(_gaussian_mean(stack), channels, 1)
    means, covariance = ours * theirs, product - ours * theirs
    variances = ours_squared - ours.square() + theirs_squared - theirs.square()
    first, second = SSIM_STABILISERS
    luminance = (2.0 * means + first) / (ours.square() + theirs.square() + first)
    return 1.0 - (luminance * (2.0 * covariance + second) / (variances + second)).mean()


def _gaussian_mean(pictures: Tensor) -> Tensor:
    offsets = torch.arange(SSIM_WINDOW, device=pictures.device) - SSIM_WINDOW // 2
    weights = torch.exp(-0.5 * (offsets / SSIM_SPREAD).square())
    weights = (weights / weights.sum()).expand(pictures.shape[1], 1, 1, -1)
    rows = F.conv2d(pictures, weights, groups=pictures.shape[1])
    means: Tensor = F.conv2d(rows, weights.transpose(2, 3), groups=pictures.shape[1])
    return means


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
