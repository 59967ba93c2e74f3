"""The stages of a picture in plain torch: search, march, finish.

`renderer.kernels.cpu_picture` has the same, compiled, and `renderer.kernels.gpu_picture`, fused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from renderer.compositing import composite, render_weights
from renderer.head_field import HeadField
from renderer.rays import head_space_rays
from renderer.view import View
from renderer.window import HeadWindow

if TYPE_CHECKING:
    from renderer.avatar import Avatar

RAYS_AT_ONCE = 4096
"""Rays marched together: their features then stay in a core's cache."""
OPAQUE = 4e-3
"""Transmittance below which what lies behind cannot change an 8-bit colour."""
HIT = 1e-3
"""Opacity in the density grid from which a ray is marched."""


def search(
    avatar: Avatar, view: View, window: HeadWindow, rotation: Tensor, translation: Tensor, samples: int, bins: int
) -> tuple[Tensor, Tensor]:
    """Search the density grid along the mean ray of each block of a window.

    Args:
        avatar: whose grid.
        view: rays of the picture.
        window: where in the picture.
        rotation: (3, 3) head space to camera space.
        translation: (3,) cm.
        samples: intervals a ray.
        bins: lookups a ray.

    Returns:
        ``edges`` (blocks, samples + 1) and ``opacity`` (blocks,) of `DensityGrid.propose`, row by row.
    """
    directions = view.directions[window.rows, window.columns].permute(2, 0, 1)
    blocks = F.avg_pool2d(directions, window.block, ceil_mode=True).permute(1, 2, 0).reshape(-1, 3)
    rays_o, rays_d = head_space_rays(blocks, rotation, translation)
    return avatar.grid.propose(rays_o, rays_d, samples, bins)


def march(
    avatar: Avatar,
    planes: Tensor,
    view: View,
    window: HeadWindow,
    rotation: Tensor,
    translation: Tensor,
    edges: Tensor,
    opacity: Tensor,
) -> tuple[Tensor, Tensor]:
    """March the rays of a window through the head (paper eq. 2, 3).

    Args:
        avatar: whose head.
        planes: (3, C, R, R) blended planes of the expression.
        view: rays of the picture.
        window: where in the picture.
        rotation: (3, 3) head space to camera space.
        translation: (3,) cm.
        edges: (blocks, samples + 1) of ``search``.
        opacity: (blocks,) of ``search``.

    Returns:
        ``rgb`` (h, w, 3), premultiplied, and ``transmittance`` (h, w).
    """
    height, width = window.height, window.width
    rows, columns = window.blocks
    directions = view.directions[window.rows, window.columns].reshape(-1, 3)
    rgb = directions.new_zeros(height * width, 3)
    transmittance = directions.new_ones(height * width)
    rays_o, rays_d = head_space_rays(directions, rotation, translation)
    block = torch.arange(rows * columns, device=directions.device).view(rows, columns)
    block = block.repeat_interleave(window.block, 0)[:height].repeat_interleave(window.block, 1)[:, :width].flatten()
    hits = torch.nonzero((opacity > HIT)[block]).squeeze(-1)
    for chosen in torch.split(hits, RAYS_AT_ONCE):
        colours, passed = march_rays(avatar, planes, rays_o, rays_d[chosen], edges[block[chosen]])
        rgb[chosen] = colours
        transmittance[chosen] = passed
    return rgb.view(height, width, 3), transmittance.view(height, width)


def composite_rays(sigma: Tensor, deltas: Tensor, colours: Tensor) -> tuple[Tensor, Tensor]:
    """Composite rays.

    Args:
        sigma: (N, S) density per centimetre.
        deltas: (N, S) interval lengths in centimetres.
        colours: (N, S, 3) in [0, 1].

    Returns:
        ``rgb`` (N, 3), premultiplied, and ``transmittance`` (N,).
    """
    weights, passed = render_weights(sigma, deltas)
    return composite(weights, colours), passed


def march_rays(
    avatar: Avatar,
    planes: Tensor,
    rays_o: Tensor,
    rays_d: Tensor,
    edges: Tensor,
    read: Callable[[HeadField, Tensor, Tensor], Tensor] | None = None,
    add_up: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = composite_rays,
) -> tuple[Tensor, Tensor]:
    """Evaluate the head in the middle of each interval and composite.

    Args:
        avatar: whose head.
        planes: (3, C, R, R) blended planes of the expression.
        rays_o: (1, 3) origin, head space.
        rays_d: (N, 3) directions.
        edges: (N, samples + 1) ascending ray parameters.
        read: does what `HeadField.features` does; None for that.
        add_up: does what `composite_rays` does.

    Returns:
        ``rgb`` (N, 3), premultiplied, and ``transmittance`` (N,).
    """
    middles = 0.5 * (edges[:, 1:] + edges[:, :-1])
    lengths = rays_d.norm(dim=-1, keepdim=True)
    points = rays_o + middles.unsqueeze(-1) * rays_d.unsqueeze(-2)
    views = (rays_d / lengths).unsqueeze(-2).expand_as(points)
    deltas = (edges[:, 1:] - edges[:, :-1]) * lengths
    places = points.reshape(-1, 3)
    features = avatar.head.features(planes, places) if read is None else read(avatar.head, planes, places)
    sigma, colours = avatar.head.decode(features, views.reshape(-1, 3), avatar.consistency_code)
    return add_up(sigma.view_as(middles), deltas, colours.view(*middles.shape, 3))


def finish(
    avatar: Avatar, view: View, window: HeadWindow, rgb: Tensor, transmittance: Tensor, torso: Tensor, condition: Tensor
) -> Tensor:
    """Put the torso before the background and the head before both.

    Args:
        avatar: whose torso.
        view: background of the picture and where the torso may be seen.
        window: where in the picture the head is.
        rgb: (h, w, 3) of ``march``.
        transmittance: (h, w) of ``march``.
        torso: (2 + modes,) its motion, see `TorsoField.forward`.
        condition: (conditions,) of `TorsoField.condition`.

    Returns:
        (height, width, 3) uint8.
    """
    picture = view.background.clone()
    passed = torch.ones(view.height, view.width, device=picture.device)
    passed[window.rows, window.columns] = transmittance
    shows = view.torso[passed.flatten()[view.torso] > OPAQUE]
    if len(shows):
        colours, alpha = avatar.torso(view.uv.view(-1, 2)[shows], torso, condition, avatar.consistency_code)
        flat = picture.view(-1, 3)
        flat[shows] = torch.lerp(flat[shows], colours, alpha[:, None])
    behind = picture[window.rows, window.columns]
    picture[window.rows, window.columns] = behind * transmittance.unsqueeze(-1) + rgb
    return picture.mul_(255.0).add_(0.5).clamp_(0.0, 255.0).to(torch.uint8)
