"""Where along a ray to evaluate the field: inverse-transform sampling of a piecewise constant density."""

import torch
from torch import Tensor


def sample_intervals(edges: Tensor, weights: Tensor, samples: int, jitter: Tensor | None = None) -> Tensor:
    """Split each ray into intervals of equal weight.

    Args:
        edges: (N, B + 1) ascending ray parameters of the proposal's bins.
        weights: (N, B) not negative; bins of weight 0 lie in no interval unless between others.
        samples: how many intervals to return for each ray.
        jitter: (N, samples + 1) in [0, 1) to displace the quantiles within their strata; None places them evenly.

    Returns:
        (N, samples + 1) ascending ray parameters.
    """
    cdf = torch.cumsum(weights, -1)
    cdf = torch.cat((torch.zeros_like(cdf[:, :1]), cdf / cdf[:, -1:].clamp_min(1e-9)), -1)
    if jitter is None:
        quantiles = torch.linspace(0.0, 1.0 - 1e-5, samples + 1, device=edges.device).expand(len(edges), -1)
    else:
        strata = torch.arange(samples + 1, device=edges.device) + jitter
        quantiles = strata / (samples + 1)
    right = torch.searchsorted(cdf, quantiles.contiguous(), right=True).clamp(1, cdf.shape[-1] - 1)
    left = right - 1
    cdf_left, cdf_right = cdf.gather(-1, left), cdf.gather(-1, right)
    share = ((quantiles - cdf_left) / (cdf_right - cdf_left).clamp_min(1e-9)).clamp(0.0, 1.0)
    edge_left, edge_right = edges.gather(-1, left), edges.gather(-1, right)
    return edge_left + share * (edge_right - edge_left)
