"""Pinhole camera of the square portrait frame, independent of the resolution at which it is sampled."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Camera:
    """Pinhole camera in units of the frame's side, so that one camera serves every resolution.

    A camera-space point (x, y, z), z < 0, falls on ``u = cx - focal * x / z``, ``v = cy + focal * y / z``, where the
    frame spans [0, 1] x [0, 1] from its top left corner.
    """

    focal: float
    """Focal length in frame sides."""
    cx: float = 0.5
    """Principal point, frame sides from the left."""
    cy: float = 0.5
    """Principal point, frame sides from the top."""


def frame_coordinates(width: int, height: int, device: torch.device | str = "cpu") -> Tensor:
    """Return frame coordinates of the pixel centres of a picture that contains the whole frame, centred.

    Returns:
        (height, width, 2) float32: u, v. The frame is [0, 1]²; a picture that is not square reaches beyond it along
        its longer side.
    """
    side = min(width, height)
    u = (torch.arange(width, device=device, dtype=torch.float32) + 0.5 - (width - side) / 2) / side
    v = (torch.arange(height, device=device, dtype=torch.float32) + 0.5 - (height - side) / 2) / side
    grid_v, grid_u = torch.meshgrid(v, u, indexing="ij")
    return torch.stack((grid_u, grid_v), -1)


def camera_directions(camera: Camera, uv: Tensor) -> Tensor:
    """Return ray directions in camera space for frame coordinates.

    Args:
        camera: the pinhole camera.
        uv: (..., 2) frame coordinates.

    Returns:
        (..., 3) directions scaled to depth 1 (z = -1), so that a ray parameter is a depth in centimetres.
    """
    x = (uv[..., 0] - camera.cx) / camera.focal
    y = (camera.cy - uv[..., 1]) / camera.focal
    return torch.stack((x, y, -torch.ones_like(x)), -1)


def project(camera: Camera, points: Tensor) -> Tensor:
    """Return the frame coordinates (..., 2) of camera-space points (..., 3); depth is kept from vanishing."""
    depth = -points[..., 2].clamp_max(-1.0)
    u = camera.cx + camera.focal * points[..., 0] / depth
    v = camera.cy - camera.focal * points[..., 1] / depth
    return torch.stack((u, v), -1)
