"""Which texels of an avatar's planes a picture can read, and something smooth for all others, which need no bits."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from renderer.head_field import PLANE_AXES
from renderer.occupancy import OCCUPIED, DensityGrid

HEAD_MARGIN = 2
"""Texels around the occupied space: an interval along a ray may begin before it."""
TORSO_MARGIN = 0.08
"""Sides of the frame by which the torso moves beyond where it was seen."""


def head_texels(grid: DensityGrid, resolution: int) -> Tensor:
    """Return which texels (3, R, R) bool of the head's planes lie before or behind occupied space."""
    occupied = F.max_pool3d((grid.density > OCCUPIED).float()[None], 3, 1, 1)[0] > 0
    masks = []
    for column, row in PLANE_AXES:
        # The grid is (z, y, x), so that axis a is its dimension 2 - a.
        depth = 3 - column - row
        flat = occupied.any(2 - depth)
        if row < column:
            flat = flat.T
        masks.append(flat)
    spread = F.interpolate(torch.stack(masks).float()[None], (resolution, resolution), mode="bilinear")
    return _grown(spread, HEAD_MARGIN)[0]


def torso_texels(extent: Tensor, resolution: int, box_min: Tensor, box_max: Tensor) -> Tensor:
    """Return which texels (R, R) bool of the torso's plane may be seen.

    Args:
        extent: (64, 64) where in the frame the torso may be; beyond the frame it goes on as at its edge.
        resolution: R.
        box_min: (2,) of the plane, see `TorsoField`.
        box_max: (2,) of the plane.
    """
    share = torch.linspace(0.0, 1.0, resolution, device=extent.device)[:, None]
    x, y = ((box_min + share * (box_max - box_min)) * 2.0 - 1.0).unbind(-1)
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)
    spread = F.grid_sample(extent[None, None], places[None], padding_mode="border", align_corners=False)
    margin = round(TORSO_MARGIN * resolution / float((box_max - box_min).min()))
    return _grown(spread, min(margin, resolution))[0, 0]


def smoothed_beyond(planes: Tensor, seen: Tensor) -> Tensor:
    """Return planes (N, R, R) that keep their texels where ``seen`` (R, R) and go on smoothly elsewhere.

    What is not seen is averaged down from what is, scale by scale, and back up (Gortler et al. 1996, "The Lumigraph").
    """
    weight = seen.to(planes.dtype).expand(len(planes), 1, *seen.shape)
    return _pulled(planes.unsqueeze(1) * weight, weight).squeeze(1)


def _pulled(values: Tensor, weight: Tensor) -> Tensor:
    """Fill ``values``, which are 0 where ``weight`` is."""
    side = values.shape[-1]
    if side == 1 or bool((weight > 0).all()):
        return values
    share = F.avg_pool2d(weight, 2, ceil_mode=True)
    halved = F.avg_pool2d(values, 2, ceil_mode=True) / share.clamp_min(1e-6)
    coarse = _pulled(halved, (share > 0).to(values.dtype))
    return values + (1.0 - weight) * F.interpolate(coarse, (side, side), mode="bilinear")


def _grown(mask: Tensor, margin: int) -> Tensor:
    found = (mask > 0).float()
    # Rows, then columns: a margin may be as wide as the plane.
    for size, padding in (((2 * margin + 1, 1), (margin, 0)), ((1, 2 * margin + 1), (0, margin))):
        found = F.max_pool2d(found, size, 1, padding)
    return found > 0
