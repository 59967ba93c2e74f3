"""The biorthogonal 9/7 wavelet (Cohen, Daubechies, Feauveau 1992) of planes, by lifting (Daubechies, Sweldens 1998)."""

import torch
from torch import Tensor

_LIFTS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_SCALE = 1.230174104914001
"""Brings all bands to nearly the same norm, so that one quantiser step serves all of them."""


LEAST_SIDE = 4
"""Of the coarse band."""


def levels_of(side: int) -> int:
    """Return how often planes are halved: as long as their side is even and at least 8."""
    count = 0
    while side % 2 == 0 and side >= 2 * LEAST_SIDE:
        side, count = side // 2, count + 1
    return count


def transform(planes: Tensor) -> list[Tensor]:
    """Return the bands of planes (N, S, S): coarse (N, s, s), then details (3, N, s, s), ..., (3, N, S/2, S/2)."""
    bands: list[Tensor] = []
    coarse = planes
    for _ in range(levels_of(planes.shape[-1])):
        low, high = _split(coarse)
        (coarse, vertical), (horizontal, diagonal) = (_split(part.transpose(-1, -2)) for part in (low, high))
        bands.append(torch.stack((vertical, horizontal, diagonal)).transpose(-1, -2).contiguous())
        coarse = coarse.transpose(-1, -2)
    return [coarse.contiguous(), *bands[::-1]]


def restore(bands: list[Tensor]) -> Tensor:
    """Return the planes (N, S, S) that ``transform`` was given, up to rounding."""
    coarse = bands[0]
    for details in bands[1:]:
        vertical, horizontal, diagonal = details.transpose(-1, -2)
        low = _join(coarse.transpose(-1, -2), vertical).transpose(-1, -2)
        high = _join(horizontal, diagonal).transpose(-1, -2)
        coarse = _join(low, high)
    return coarse.contiguous()


def _split(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return the low and the high half along the last axis, mirrored at the borders."""
    even, odd = values[..., 0::2].clone(), values[..., 1::2].clone()
    for step, lift in enumerate(_LIFTS):
        if step % 2 == 0:
            odd += lift * (even + _after(even))
        else:
            even += lift * (odd + _before(odd))
    return even * _SCALE, odd / _SCALE


def _join(low: Tensor, high: Tensor) -> Tensor:
    even, odd = low / _SCALE, high * _SCALE
    for step in (3, 2, 1, 0):
        if step % 2 == 0:
            odd = odd - _LIFTS[step] * (even + _after(even))
        else:
            even = even - _LIFTS[step] * (odd + _before(odd))
    return torch.stack((even, odd), -1).flatten(-2)


def _after(values: Tensor) -> Tensor:
    return torch.cat((values[..., 1:], values[..., -1:]), -1)


def _before(values: Tensor) -> Tensor:
    return torch.cat((values[..., :1], values[..., :-1]), -1)
