"""Random deformations of the plane, under which key points must move along: the equivariance constraint.

After Siarohin et al. (2019), section 3.1: an affine map and a thin-plate spline on a grid of control points.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.bench.animation.layers import coordinate_grid, warp

AFFINE_DEVIATION = 0.05
SPLINE_DEVIATION = 0.005
SPLINE_POINTS = 5
"""Along each side."""


@dataclass(frozen=True)
class Deformation:
    """For each place in the deformed picture, where it is in the original one."""

    affine: Tensor
    """(B, 2, 3)."""
    weights: Tensor
    """(B, 25) of the spline's control points; the spline moves x and y alike."""

    @classmethod
    def draw(cls, count: int, generator: torch.Generator) -> "Deformation":
        """Draw ``count`` deformations."""
        noise = torch.randn(count, 2, 3, generator=generator)
        affine = torch.eye(2, 3) + AFFINE_DEVIATION * noise
        return cls(affine, SPLINE_DEVIATION * torch.randn(count, SPLINE_POINTS**2, generator=generator))

    def places(self, places: Tensor) -> Tensor:
        """Return where the places (B, n, 2) of the deformed picture are in the original one."""
        moved = places @ self.affine[:, :, :2].transpose(1, 2) + self.affine[:, None, :, 2]
        control = _control_points()
        # The thin-plate kernel r^2 log r; where r is 0 so is its limit.
        distance = (places[:, :, None] - control).square().sum(-1)
        spline = (0.5 * distance * torch.log(distance + 1e-6) * self.weights[:, None]).sum(-1, keepdim=True)
        return moved + spline

    def jacobians(self, places: Tensor) -> Tensor:
        """Return the derivatives (B, n, 2, 2) of :meth:`places` at ``places`` (B, n, 2)."""
        with torch.enable_grad():
            leaf = places.detach().requires_grad_()
            moved = self.places(leaf)
            rows = [torch.autograd.grad(moved[..., i].sum(), leaf, retain_graph=True)[0] for i in range(2)]
        return torch.stack(rows, 2)

    def pictures(self, pictures: Tensor) -> Tensor:
        """Return pictures (B, 3, S, S) deformed."""
        size = pictures.shape[-1]
        grid = coordinate_grid(size).flatten(0, 1).expand(len(pictures), -1, -1)
        return warp(pictures, self.places(grid).reshape(-1, size, size, 2))


def _control_points() -> Tensor:
    steps = torch.linspace(-1, 1, SPLINE_POINTS)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([columns, rows], -1).flatten(0, 1)
