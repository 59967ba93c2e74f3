"""What of a picture depends on its size alone, kept from frame to frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from renderer.camera import Camera, camera_directions, frame_coordinates, project
from renderer.occupancy import DensityGrid
from renderer.window import HeadWindow

if TYPE_CHECKING:
    from renderer.portrait import Portrait


def within(extent: Tensor, uv: Tensor) -> Tensor:
    """Return which (N,) of the frame coordinates (N, 2) lie in an extent (rows, columns) of 0 and 1."""
    read = F.grid_sample(extent[None, None], uv[None, None] * 2.0 - 1.0, padding_mode="border", align_corners=False)
    return read[0, 0, 0] > 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Rays, background and the torso's place for one picture size."""

    width: int
    height: int
    uv: Tensor
    """(height, width, 2) frame coordinates, clamped into the frame."""
    directions: Tensor
    """(height, width, 3) camera-space ray directions."""
    background: Tensor
    """(height, width, 3) float32; beyond the frame its border goes on."""
    background_bytes: Tensor
    """(height, width, 3) uint8, the same."""
    torso: Tensor
    """(N,) ascending indices of the pixels where the torso may be seen."""
    torso_shown: Tensor
    """(height, width) bool, the same."""

    @classmethod
    def of(cls, portrait: Portrait, width: int, height: int) -> View:
        """Prepare the view of a person at a size."""
        uv = frame_coordinates(width, height, portrait.background.device)
        grid = uv[None] * 2.0 - 1.0
        image = portrait.background.detach().permute(2, 0, 1)[None]
        background = F.grid_sample(image, grid, padding_mode="border", align_corners=False)[0]
        background = background.permute(1, 2, 0).contiguous()
        torso_shown = within(portrait.torso_extent, uv.view(-1, 2))
        return cls(
            width,
            height,
            uv.clamp(0.0, 1.0),
            camera_directions(portrait.camera, uv),
            background,
            (background * 255.0 + 0.5).clamp(0.0, 255.0).to(torch.uint8),
            torch.nonzero(torso_shown).squeeze(1),
            torso_shown.view(height, width),
        )

    def head_window(
        self, grid: DensityGrid, camera: Camera, rotation: Tensor, translation: Tensor, block: int
    ) -> HeadWindow:
        """Return the rows and columns that hold the projection of the head's box, in blocks of this side."""
        uv = project(camera, grid.corners() @ rotation.T + translation)
        side = min(self.width, self.height)
        pixels = uv * side + torch.tensor([(self.width - side) / 2, (self.height - side) / 2], device=uv.device)
        low, high = pixels.amin(0).floor().long().tolist(), pixels.amax(0).ceil().long().tolist()
        left, right = (min(max(value, 0), self.width) for value in (low[0], high[0]))
        top, bottom = (min(max(value, 0), self.height) for value in (low[1], high[1]))
        return HeadWindow(top, left, bottom - top, right - left, block)
