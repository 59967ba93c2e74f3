"""More than one ray through the pixels at the outline of a head: with one it jags, and sparkles as it moves.

A surface that ends within a pixel covers a part of it, which the ray through its middle takes for all or nothing. Four
rays tell by quarters, and each of them searches for itself, where elsewhere a block of pixels shares a search.
"""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from renderer.view import View
from renderer.window import HeadWindow

if TYPE_CHECKING:
    from renderer.avatar import Avatar

STEP = 0.3
"""Difference of transmittance between neighbours from which on there is an outline."""
PLACES = ((-0.375, -0.125), (-0.125, 0.375), (0.125, -0.375), (0.375, 0.125))
"""Of the rays through a pixel, right and down of its middle: a rotated grid. No two lie in a row or a column, so that
upright and level outlines, too, pass them one by one."""


def outline(transmittance: Tensor) -> Tensor:
    """Return which pixels (h, w) bool have an outline between them and a neighbour, by their transmittance (h, w)."""
    given = transmittance[None]
    highest, lowest = F.max_pool2d(given, 3, 1, 1), -F.max_pool2d(-given, 3, 1, 1)
    return (highest - lowest > STEP)[0]


def through_pixels(directions: Tensor, side: float) -> Tensor:
    """Return rays through the `PLACES` of pixels.

    Args:
        directions: (N, 3) through the middles of the pixels, scaled to depth 1.
        side: of a pixel at that depth.

    Returns:
        (N, len(PLACES), 3).
    """
    right, down = (side * torch.tensor(PLACES, device=directions.device)).unbind(-1)
    # Rows go down, and y goes up.
    return directions[:, None] + torch.stack((right, -down, torch.zeros_like(right)), -1)


def sample_outline(
    run: ModuleType,
    avatar: Avatar,
    planes: Tensor,
    view: View,
    window: HeadWindow,
    rotation: Tensor,
    translation: Tensor,
    rgb: Tensor,
    transmittance: Tensor,
    samples: int,
    bins: int,
) -> None:
    """Render the outline of a head again, in place.

    Args:
        run: has the stages, `renderer.stages` or a module like it.
        avatar: whose head.
        planes: (3, C, R, R) blended planes of the expression.
        view: rays of the picture.
        window: where in the picture.
        rotation: (3, 3) head space to camera space.
        translation: (3,) cm.
        rgb: (h, w, 3) of ``march``.
        transmittance: (h, w) of ``march``.
        samples: field evaluations a ray.
        bins: lookups a ray.
    """
    found = outline(transmittance)
    directions = view.directions[window.rows, window.columns][found]
    if len(directions) == 0:
        return
    side = 1.0 / (min(view.width, view.height) * avatar.camera.focal)
    rays = replace(view, directions=through_pixels(directions, side))
    pixels = HeadWindow(0, 0, len(directions), len(PLACES), 1)
    edges, opacity = run.search(avatar, rays, pixels, rotation, translation, samples, bins)
    colours, passed = run.march(avatar, planes, rays, pixels, rotation, translation, edges, opacity)
    rgb[found], transmittance[found] = colours.mean(1), passed.mean(1)
