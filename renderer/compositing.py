"""Quadrature of the volume rendering integral (paper eq. 2 and 3)."""

import torch
from torch import Tensor


def render_weights(sigma: Tensor, deltas: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weight of each sample and what passes through all of them.

    ``alpha_i = 1 - exp(-sigma_i delta_i)``, ``T_i = prod_{j<i} (1 - alpha_j)``, ``w_i = T_i alpha_i`` (paper eq. 2, 3).

    Args:
        sigma: (..., S) density per centimetre, not negative.
        deltas: (..., S) interval lengths in centimetres.

    Returns:
        ``weights`` (..., S) and ``transmittance`` (...,), with ``weights.sum(-1) + transmittance == 1``.
    """
    optical_depth = torch.cumsum(sigma * deltas, -1)
    passed = torch.exp(-optical_depth)
    before = torch.cat((torch.ones_like(passed[..., :1]), passed[..., :-1]), -1)
    return before - passed, passed[..., -1]


def composite(weights: Tensor, rgb: Tensor) -> Tensor:
    """Return the colour that the samples send along each ray, black where nothing is hit.

    Args:
        weights: (..., S).
        rgb: (..., S, 3) in [0, 1].

    Returns:
        (..., 3), to which ``transmittance * background`` is to be added.
    """
    return (weights.unsqueeze(-2) @ rgb).squeeze(-2)
