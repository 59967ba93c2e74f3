"""The thing that renders: head and torso fields, their shared code, background and camera of one person."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from renderer.camera import Camera, camera_directions, frame_coordinates
from renderer.compositing import composite, render_weights
from renderer.head_field import HeadField
from renderer.occupancy import DensityGrid
from renderer.rays import head_space_rays
from renderer.torso_field import TorsoField


class Avatar(nn.Module):
    """Radiance field of one person's head and torso before a still background."""

    def __init__(self, head: HeadField, torso: TorsoField, grid: DensityGrid, background: Tensor, camera: Camera):
        """Join the parts.

        Args:
            head: the head's field.
            torso: the torso's field.
            grid: where the head is.
            background: (S, S, 3) float in [0, 1], the frame without the person.
            camera: the camera of the frame.
        """
        super().__init__()
        self.head = head
        self.torso = torso
        self.grid = grid
        self.background = nn.Parameter(background)
        self.consistency_code = nn.Parameter(torch.zeros(head.shape.code))
        self.camera = camera

    def render_head(
        self,
        planes: Tensor,
        directions: Tensor,
        rotation: Tensor,
        translation: Tensor,
        samples: int,
        jitter: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """March camera rays through the head (paper eq. 2, 3).

        Args:
            planes: blended planes of the expression.
            directions: (N, 3) camera-space ray directions.
            rotation: (3, 3) head space to camera space.
            translation: (3,) cm.
            samples: field evaluations a ray.
            jitter: displace samples at random.

        Returns:
            ``rgb`` (N, 3), premultiplied, and ``transmittance`` (N,).
        """
        rays_o, rays_d = head_space_rays(directions, rotation, translation)
        edges, opacity = self.grid.propose(rays_o, rays_d, samples, jitter=jitter)
        hits = torch.nonzero(opacity > 1e-3).squeeze(-1)
        rgb = directions.new_zeros(len(directions), 3)
        transmittance = directions.new_ones(len(directions))
        if len(hits) == 0:
            return rgb, transmittance
        edges, rays_d = edges[hits], rays_d[hits]
        middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
        lengths = rays_d.norm(dim=-1, keepdim=True)
        points = rays_o + middles.unsqueeze(-1) * rays_d.unsqueeze(-2)
        views = (rays_d / lengths).unsqueeze(-2).expand_as(points)
        sigma, colours = self.head(planes, points.reshape(-1, 3), views.reshape(-1, 3), self.consistency_code)
        deltas = (edges[:, 1:] - edges[:, :-1]) * lengths
        weights, passed = render_weights(sigma.view_as(middles), deltas)
        hit_rgb = composite(weights, colours.view(*middles.shape, 3))
        return rgb.index_copy(0, hits, hit_rgb), transmittance.index_copy(0, hits, passed)

    def read_background(self, uv: Tensor) -> Tensor:
        """Return the (N, 3) background at (N, 2) frame coordinates; beyond the frame its border goes on."""
        image = self.background.permute(2, 0, 1)[None]
        grid = uv[None, None] * 2.0 - 1.0
        return F.grid_sample(image, grid, padding_mode="border", align_corners=False)[0, :, 0].T
