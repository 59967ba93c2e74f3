"""A coarse density grid of the head that tells where along a ray to look (the proposal of the two-stage sampling)."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from renderer.rays import intersect_box
from renderer.sampling import sample_intervals

OCCUPIED = 1e-2
"""Density per centimetre below which a voxel counts as empty."""


class DensityGrid(nn.Module):
    """Running maximum of the head's density over expressions, on a grid over the head's box.

    It stands in for the coarse network of the paper's two-stage sampling: a lookup costs a fiftieth of a field
    evaluation, so every ray can be searched finely and the field is evaluated only where it matters.
    """

    box_min: Tensor
    box_max: Tensor
    density: Tensor

    def __init__(self, box_min: Tensor, box_max: Tensor, resolution: int = 64):
        super().__init__()
        self.register_buffer("box_min", box_min.clone())
        self.register_buffer("box_max", box_max.clone())
        self.register_buffer("density", torch.full((resolution, resolution, resolution), 0.2))
        """(z, y, x), per centimetre."""
        self._corners: Tensor | None = None
        self._cells: Tensor | None = None

    def corners(self) -> Tensor:
        """Return the (8, 3) corners of the box around all occupied voxels, head space."""
        if self._corners is None:
            occupied = torch.nonzero(self.density > OCCUPIED)
            if len(occupied) == 0:
                occupied = torch.zeros(1, 3, dtype=torch.long, device=self.density.device)
            voxel = (self.box_max - self.box_min) / (self.density.shape[0] - 1)
            low = self.box_min + (occupied.amin(0).flip(0) - 1) * voxel
            high = self.box_min + (occupied.amax(0).flip(0) + 1) * voxel
            axes = torch.stack((low, high), -1)
            self._corners = torch.cartesian_prod(*axes)
        return self._corners

    def cells(self) -> Tensor:
        """Return which cells hold anything: (z, y, x) uint8, 0 where all eight voxels from (x, y, z) on are empty."""
        if self._cells is None:
            found = F.max_pool3d(F.pad(self.density, (0, 1) * 3)[None], 2, stride=1)[0]
            self._cells = (found > 0.0).to(torch.uint8)
        return self._cells

    def forget(self) -> None:
        """Let ``corners`` and ``cells`` look at the density anew."""
        self._corners = None
        self._cells = None

    def voxel_centres(self) -> Tensor:
        """Return the (resolution³, 3) voxel centres in head space, in the order of ``density.flatten()``."""
        size = self.density.shape[0]
        steps = torch.linspace(0.0, 1.0, size, device=self.density.device)
        z, y, x = torch.meshgrid(steps, steps, steps, indexing="ij")
        return self.box_min + torch.stack((x, y, z), -1).reshape(-1, 3) * (self.box_max - self.box_min)

    def read(self, points: Tensor) -> Tensor:
        """Return the density (...,) at points (..., 3) in head space."""
        unit = (points - self.box_min) * (2.0 / (self.box_max - self.box_min)) - 1.0
        flat = unit.reshape(1, 1, 1, -1, 3)
        read = F.grid_sample(self.density[None, None], flat, padding_mode="zeros", align_corners=True)
        return read.reshape(points.shape[:-1])

    @torch.no_grad()
    def propose(
        self, rays_o: Tensor, rays_d: Tensor, samples: int, bins: int = 64, jitter: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Search rays and split the part worth rendering into intervals.

        Args:
            rays_o: (N, 3) or (1, 3) origins, head space.
            rays_d: (N, 3) directions.
            samples: intervals a ray.
            bins: lookups a ray.
            jitter: of the random numbers by which bins and intervals are displaced, as training needs.

        Returns:
            ``edges`` (N, samples + 1) ascending ray parameters, and ``opacity`` (N,) as the grid sees it; rays with
            opacity 0 miss the head and their edges mean nothing.
        """
        nears, fars = intersect_box(rays_o, rays_d, self.box_min, self.box_max)
        fars = torch.maximum(fars, nears)
        steps = torch.linspace(0.0, 1.0, bins + 1, device=rays_d.device)
        edges = nears[:, None] + steps * (fars - nears)[:, None]
        middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
        if jitter is not None:
            shift = torch.rand(len(middles), 1, generator=jitter, device=middles.device)
            middles = middles + (shift - 0.5) * (edges[:, 1:] - edges[:, :-1])
        points = rays_o.unsqueeze(-2) + middles.unsqueeze(-1) * rays_d.unsqueeze(-2)
        deltas = (edges[:, 1:] - edges[:, :-1]) * rays_d.norm(dim=-1, keepdim=True)
        depth = torch.cumsum(self.read(points) * deltas, -1)
        passed = torch.exp(-depth)
        weights = torch.cat((torch.ones_like(passed[:, :1]), passed[:, :-1]), -1) - passed
        # A bin takes its neighbours' weight too: the grid is coarse and the surface may lie just beside it.
        padded = F.pad(weights, (1, 1))
        spread = torch.maximum(torch.maximum(padded[:, :-2], padded[:, 2:]), weights)
        spread = spread + 0.01 * (spread > 1e-3)
        noise = None
        if jitter is not None:
            noise = torch.rand(len(spread), samples + 1, generator=jitter, device=spread.device)
        return sample_intervals(edges, spread, samples, noise), 1.0 - passed[:, -1]
