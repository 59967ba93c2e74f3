"""An avatar's planes as pyramids of integers: wavelet transform and quantisation, and back from any bit plane on."""

from dataclasses import dataclass

import torch
from torch import Tensor

from renderer.avatar import Avatar
from renderer.seen_texels import head_texels, smoothed_beyond, torso_texels
from renderer.wavelet import restore, transform

STATIC_STEP = 0.3
"""Quantiser steps of the planes, in parts of their own root mean square."""
BASIS_STEP = 0.5
"""Coarser: a picture is the sum of thirty of these planes, whose errors differ."""
TORSO_STEP = 0.3
BACKGROUND_STEP = 1.5 / 255.0
LARGEST_LEVEL = (1 << 14) - 1
"""What is coded is no larger. Each halving makes the coarse band's numbers more than twice as large, and a white
background of 512 pixels a side is halved seven times: its steps are wider."""
DEAD_ZONE = 0.1
"""Of a step beyond half of it, around 0: zeros are cheap, and what is next to nothing is mostly noise."""

NAMES = ("background", "head.static_planes", "head.wide_planes", "head.basis_planes", "torso.plane")
"""In the order of the stream."""
_TO_OPPONENT = ((0.25, 0.5, 0.25), (0.5, 0.0, -0.5), (-0.25, 0.5, -0.25))
"""YCoCg: brightness, orange against blue, green against purple."""
_FROM_OPPONENT = ((1.0, 1.0, -1.0), (1.0, 0.0, 1.0), (1.0, -1.0, -1.0))

Levels = list[Tensor]
"""Bands of integers from coarse to fine, as `renderer.wavelet.transform` gives them."""


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedPlanes:
    """Planes (N, S, S) as integers."""

    levels: Levels
    """int32."""
    side: int
    """S."""
    steps: Tensor
    """(N,) one quantiser step a plane."""


def quantise_planes(avatar: Avatar) -> dict[str, QuantisedPlanes]:
    """Return an avatar's planes by name; what no picture reads is made smooth."""
    head, torso = avatar.head, avatar.torso
    seen = head_texels(avatar.grid, head.shape.resolution)
    # What a channel does to the picture goes through the decoder's first layer.
    gains = head.density_layer.weight.norm(dim=0).view(3, -1)
    gains = (gains / gains.square().mean().sqrt()).clamp_min(0.1)
    static = torch.stack([smoothed_beyond(planes, mask) for planes, mask in zip(head.static_planes, seen, strict=True)])
    basis = head.basis_planes.clone()
    for plane, rows, columns in head.windows():
        moving = basis[:, plane].flatten(0, 1)
        basis[:, plane] = smoothed_beyond(moving, seen[plane, rows, columns]).view_as(basis[:, plane])
    seen_torso = torso_texels(avatar.torso_extent, torso.shape.resolution, torso.box_min, torso.box_max)
    shown = smoothed_beyond(torso.plane[0], seen_torso)
    background = _opponent(avatar.background.permute(2, 0, 1) - 0.5, _TO_OPPONENT)
    moving_gains = gains[:, : head.shape.moving_channels]
    return {
        "background": _quantise(background, torch.full((3,), BACKGROUND_STEP)),
        "head.static_planes": _quantise(static, STATIC_STEP * _rms(static) / gains),
        **({"head.wide_planes": _wide(avatar, moving_gains)} if head.shape.wide_resolution else {}),
        "head.basis_planes": _quantise(basis, BASIS_STEP * _rms(basis) / moving_gains.expand(len(basis), -1, -1)),
        "torso.plane": _quantise(shown, TORSO_STEP * _rms(shown).expand(len(shown))),
    }


def _wide(avatar: Avatar, gains: Tensor) -> QuantisedPlanes:
    """Return the wide planes, whose channels do as much to the picture as ``gains`` (3, M) say."""
    wide = avatar.head.wide_planes.clone()
    for plane, seen in enumerate(head_texels(avatar.grid, avatar.head.shape.wide_resolution)):
        wide[:, plane] = smoothed_beyond(wide[:, plane].flatten(0, 1), seen).view_as(wide[:, plane])
    return _quantise(wide, BASIS_STEP * _rms(wide) / gains.expand(len(wide), -1, -1))


def planes_of(name: str, levels: Levels, steps: Tensor, shift: int) -> Tensor:
    """Return the planes (N, S, S) of bands whose ``shift`` lowest bit planes are missing, each (N,) of its step."""
    beyond = (2.0**shift - 1.0) / 2.0
    bands = []
    for band in levels:
        value = band.float()
        # The middle of what the missing bits may make of it.
        value = value * 2.0**shift + value.sign() * beyond
        bands.append(value * steps.view(-1, 1, 1))
    planes = restore(bands)
    return (_opponent(planes, _FROM_OPPONENT) + 0.5).clamp(0.0, 1.0) if name == "background" else planes


def _quantise(planes: Tensor, steps: Tensor) -> QuantisedPlanes:
    side = planes.shape[-1]
    bands = transform(planes.reshape(-1, side, side))
    largest = torch.cat([band.abs().amax((-2, -1)).view(-1, len(bands[0])) for band in bands]).amax(0)
    steps = steps.reshape(-1).clamp_min(1e-8).maximum(largest / LARGEST_LEVEL)
    levels = []
    for band in bands:
        scaled = band / steps.view(-1, 1, 1)
        levels.append((scaled.sign() * (scaled.abs() + 0.5 - DEAD_ZONE).floor()).to(torch.int32))
    return QuantisedPlanes(levels, side, steps)


def _rms(planes: Tensor) -> Tensor:
    return planes.square().mean().sqrt()


def _opponent(planes: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("ij,jhw->ihw", torch.tensor(matrix), planes)
