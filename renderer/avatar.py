"""The thing that renders: head and torso fields, their shared code, background and camera of one person."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from renderer.camera import Camera
from renderer.compositing import composite, render_weights
from renderer.head_field import HeadField
from renderer.occupancy import DensityGrid
from renderer.pose_correction import PoseCorrection
from renderer.rays import head_space_rays
from renderer.torso_field import TorsoField
from renderer.view import View

SAMPLES = 5
"""Field evaluations a ray when a frame is rendered: one more gains 0.02 dB."""
SEARCH_BINS = 48
"""Lookups in the density grid a ray when a frame is rendered: a third more gain 0.05 dB and cost 20 % of the time."""
RAYS_AT_ONCE = 4096
"""Rays marched together: their features then stay in a core's cache."""
OPAQUE = 4e-3
"""Transmittance below which what lies behind cannot change an 8-bit colour."""


class Avatar(nn.Module):
    """Radiance field of one person's head and torso before a still background."""

    background: Tensor
    torso_extent: Tensor

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
        self.pose_correction = PoseCorrection(head.shape.expression)
        self.grid = grid
        self.register_buffer("background", background)
        self.consistency_code = nn.Parameter(torch.zeros(head.shape.code))
        self.camera = camera
        self.register_buffer("torso_extent", torch.ones(64, 64))
        """Where in the frame the torso may be seen: (rows, columns), 0 or 1."""
        self._view: View | None = None

    @torch.no_grad()
    def render(
        self,
        expression: Tensor,
        rotation: Tensor,
        translation: Tensor,
        torso: Tensor,
        width: int,
        height: int,
        samples: int = SAMPLES,
    ) -> Tensor:
        """Render one frame.

        Args:
            expression: (E,) embedded.
            rotation: (3, 3) head space to camera space.
            translation: (3,) cm.
            torso: (6,) its motion, see `TorsoField.forward`.
            width: pixels; the frame fills the smaller side and lies in the middle of the larger one.
            height: pixels.
            samples: field evaluations a ray.

        Returns:
            (height, width, 3) uint8 RGB on the avatar's device.
        """
        view = self._view
        if view is None or (view.width, view.height) != (width, height):
            view = self._view = View.of(self, width, height)
        planes = self.head.blend(expression[None])[0]
        condition = self.torso.condition(rotation, translation, torso)
        rotation, translation = self.pose_correction(expression, rotation, translation)
        picture = view.background.clone()
        passed = torch.ones(height, width, device=picture.device)
        rows, columns = view.head_window(self.grid, self.camera, rotation, translation)
        head_rgb, head_passed = self._march_window(
            planes, view.directions[rows, columns], rotation, translation, samples
        )
        passed[rows, columns] = head_passed
        shows = view.torso[passed.flatten()[view.torso] > OPAQUE]
        if len(shows):
            rgb, alpha = self.torso(view.uv.view(-1, 2)[shows], torso, condition, self.consistency_code)
            flat = picture.view(-1, 3)
            flat[shows] = torch.lerp(flat[shows], rgb, alpha[:, None])
        window = picture[rows, columns]
        picture[rows, columns] = window * head_passed.unsqueeze(-1) + head_rgb
        return picture.mul_(255.0).add_(0.5).clamp_(0.0, 255.0).to(torch.uint8)

    def forget_view(self) -> None:
        """Drop what is kept from frame to frame; needed after the background, the grid or the extent changed."""
        self._view = None
        self.grid.forget_corners()

    @torch.no_grad()
    def rescale_expression(self, shift: Tensor, scale: Tensor) -> None:
        """Let the field take expressions in new units: ``old = shift + scale * new``, (E,) each; pictures stay."""
        head = self.head
        neutral = head.blend(shift[None])[0]
        head.static_planes.copy_(neutral)
        head.basis_planes.mul_(scale.view(-1, 1, 1, 1, 1))
        self.pose_correction.rescale_expression(shift, scale)

    def _march_window(
        self, planes: Tensor, directions: Tensor, rotation: Tensor, translation: Tensor, samples: int
    ) -> tuple[Tensor, Tensor]:
        """March the (h, w, 3) rays of the window that holds the head; return (h, w, 3) colour, (h, w) transmittance.

        The proposal is searched once for each block of 2 x 2 rays: its grid is coarser than the pixels anyway.
        """
        height, width = directions.shape[:2]
        rows, columns = (height + 1) // 2, (width + 1) // 2
        rgb = directions.new_zeros(height * width, 3)
        transmittance = directions.new_ones(height * width)
        if height * width == 0:
            return rgb.view(height, width, 3), transmittance.view(height, width)
        rays_o, rays_d = head_space_rays(directions.reshape(-1, 3), rotation, translation)
        blocks = F.avg_pool2d(rays_d.view(height, width, 3).permute(2, 0, 1), 2, ceil_mode=True)
        edges, opacity = self.grid.propose(rays_o, blocks.permute(1, 2, 0).reshape(-1, 3), samples, SEARCH_BINS)
        block = torch.arange(rows * columns, device=directions.device).view(rows, columns)
        block = block.repeat_interleave(2, 0)[:height].repeat_interleave(2, 1)[:, :width].flatten()
        hits = torch.nonzero((opacity > 1e-3)[block]).squeeze(-1)
        for chosen in torch.split(hits, RAYS_AT_ONCE):
            colours, passed = self._march(planes, rays_o, rays_d[chosen], edges[block[chosen]])
            rgb[chosen] = colours
            transmittance[chosen] = passed
        return rgb.view(height, width, 3), transmittance.view(height, width)

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
        hit_rgb, passed = self._march(planes, rays_o, rays_d[hits], edges[hits])
        return rgb.index_copy(0, hits, hit_rgb), transmittance.index_copy(0, hits, passed)

    def _march(self, planes: Tensor, rays_o: Tensor, rays_d: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the head in the middle of each interval and composite: (N, 3) colour, (N,) transmittance."""
        middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
        lengths = rays_d.norm(dim=-1, keepdim=True)
        points = rays_o + middles.unsqueeze(-1) * rays_d.unsqueeze(-2)
        views = (rays_d / lengths).unsqueeze(-2).expand_as(points)
        sigma, colours = self.head(planes, points.reshape(-1, 3), views.reshape(-1, 3), self.consistency_code)
        weights, passed = render_weights(sigma.view_as(middles), (edges[:, 1:] - edges[:, :-1]) * lengths)
        return composite(weights, colours.view(*middles.shape, 3)), passed
