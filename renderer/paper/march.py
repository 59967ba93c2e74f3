"""Two passes along a ray, coarse and fine (paper eq. 2, 3; Mildenhall et al., NeRF, section 5.2)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from renderer.compositing import composite, render_weights
from renderer.sampling import sample_intervals

Field = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Points (R, S, 3) on the rays to ``sigma`` (R, S) per cm and ``rgb`` (R, S, 3)."""
LEAST_WEIGHT = 1e-5
"""Added to every bin of the coarse pass, so that the fine pass looks a little everywhere."""


@dataclass(frozen=True, slots=True)
class Passes:
    """How many samples a ray gets; the usual ones are the paper's."""

    coarse: int = 64
    fine: int = 128
    """Placed by the coarse pass; the fine network sees the coarse ones too."""


@dataclass(frozen=True, slots=True)
class Marched:
    """What one pass found along each ray."""

    rgb: Tensor
    """(R, 3), premultiplied."""
    transmittance: Tensor
    """(R,)"""

    def over(self, behind: Tensor) -> Tensor:
        """Return the colour (R, 3) before what lies behind (R, 3): the last sample of the ray, as AD-NeRF has it."""
        return self.rgb + self.transmittance.unsqueeze(-1) * behind


def march(
    coarse: Field,
    fine: Field,
    rays_o: Tensor,
    rays_d: Tensor,
    bounds: tuple[Tensor, Tensor],
    passes: Passes,
    jitter: bool = False,
) -> tuple[Marched, Marched]:
    """March rays twice: evenly, then by what the first pass has found.

    Args:
        coarse: field of the first pass.
        fine: field of the second pass, which is evaluated at the samples of both.
        rays_o: (R, 3) or (1, 3) origins, cm.
        rays_d: (R, 3) directions.
        bounds: nears and fars (R,), ray parameters with nears <= fars.
        passes: samples a ray.
        jitter: place samples at random in their strata, as training needs; else in the middle.

    Returns:
        What the coarse and the fine pass found.
    """
    nears, fars = bounds
    steps = torch.linspace(0.0, 1.0, passes.coarse + 1, device=rays_d.device)
    edges = nears.unsqueeze(-1) + steps * (fars - nears).unsqueeze(-1)
    share = torch.rand(len(edges), passes.coarse, device=edges.device) if jitter else 0.5
    places = edges[:, :-1] + share * (edges[:, 1:] - edges[:, :-1])
    first, weights = _pass(coarse, rays_o, rays_d, places, fars)
    with torch.no_grad():
        middles = 0.5 * (places[:, 1:] + places[:, :-1])
        noise = torch.rand(len(edges), passes.fine, device=edges.device) if jitter else None
        added = sample_intervals(middles, weights[:, 1:-1] + LEAST_WEIGHT, passes.fine - 1, noise)
        places = torch.cat((places, added), -1).sort(-1).values
    second, _ = _pass(fine, rays_o, rays_d, places, fars)
    return first, second


def _pass(field: Field, rays_o: Tensor, rays_d: Tensor, places: Tensor, fars: Tensor) -> tuple[Marched, Tensor]:
    """Evaluate a field at ascending ray parameters (R, S) and composite; each sample stands for the way to the next."""
    points = rays_o.unsqueeze(-2) + places.unsqueeze(-1) * rays_d.unsqueeze(-2)
    deltas = torch.cat((places[:, 1:], fars.unsqueeze(-1)), -1) - places
    sigma, rgb = field(points)
    weights, transmittance = render_weights(sigma, deltas * rays_d.norm(dim=-1, keepdim=True))
    return Marched(composite(weights, rgb), transmittance), weights.detach()
