"""Positional encoding, which lets a small network draw fine detail (Mildenhall et al., NeRF, eq. 4)."""

import torch
from torch import Tensor


def positional_encoding(values: Tensor, octaves: int) -> Tensor:
    """Return values with the sines and cosines of their octaves.

    ``(x, sin(pi x), cos(pi x), sin(2 pi x), cos(2 pi x), ..., sin(2^(octaves - 1) pi x), cos(2^(octaves - 1) pi x))``

    Args:
        values: (..., D), within [-1, 1] where they are to be told apart.
        octaves: how many; 0 returns the values alone.

    Returns:
        (..., D + 2 D octaves), each block of D in the order above.
    """
    frequencies = torch.pi * 2.0 ** torch.arange(octaves, device=values.device, dtype=values.dtype)
    angles = values.unsqueeze(-2) * frequencies.unsqueeze(-1)
    waves = torch.stack((torch.sin(angles), torch.cos(angles)), -2)
    return torch.cat((values, waves.flatten(-3)), -1)


def encoded_size(size: int, octaves: int) -> int:
    """Return how many numbers ``positional_encoding`` makes of ``size``."""
    return size * (1 + 2 * octaves)
