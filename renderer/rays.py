"""Rays in the head's canonical space."""

import torch
from torch import Tensor


def head_space_rays(directions: Tensor, rotation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
    """Move camera rays into head space by the inverse head pose.

    Args:
        directions: (..., N, 3) camera-space directions.
        rotation: (..., 3, 3) head space to camera space.
        translation: (..., 3) centimetres.

    Returns:
        ``rays_o`` (..., 1, 3) and ``rays_d`` (..., N, 3) in head space, centimetres; the ray parameter is unchanged.
    """
    rays_o = -(translation.unsqueeze(-2) @ rotation)
    rays_d = directions @ rotation
    return rays_o, rays_d


def intersect_box(rays_o: Tensor, rays_d: Tensor, box_min: Tensor, box_max: Tensor) -> tuple[Tensor, Tensor]:
    """Return where rays enter and leave an axis-aligned box.

    Args:
        rays_o: (..., 3) origins.
        rays_d: (..., 3) directions, any length.
        box_min: (3,) lower corner.
        box_max: (3,) upper corner.

    Returns:
        ``nears`` and ``fars`` (...,); a ray that misses the box has nears >= fars.
    """
    inverse = 1.0 / torch.where(rays_d.abs() < 1e-9, torch.full_like(rays_d, 1e-9), rays_d)
    lower = (box_min - rays_o) * inverse
    upper = (box_max - rays_o) * inverse
    nears = torch.minimum(lower, upper).amax(-1).clamp_min(0.0)
    fars = torch.maximum(lower, upper).amin(-1)
    return nears, fars
