"""Compiled stages of a picture on the CPU; they equal those of `renderer.stages`, two to seven times as fast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from numpy.typing import NDArray
from torch import Tensor

from renderer.kernels.cpu import MOVING_CHANNELS, bfloat16, compiled
from renderer.kernels.cpu_launch import Counts, array, in_parts, in_strips
from renderer.rays import head_space_rays
from renderer.stages import OPAQUE
from renderer.view import View
from renderer.window import HeadWindow

if TYPE_CHECKING:
    from renderer.avatar import Avatar


@dataclass(frozen=True, slots=True, eq=False)
class MovingPlanes:
    """Planes that numbers blend, as the kernel reads them: half the bytes, and as close as makes no difference."""

    levels: NDArray[np.int16]
    """(T, E, TILE), see `cpu_blend.combine`."""
    steps: Tensor
    """(E,) of these."""

    @classmethod
    def of(cls, planes: Tensor) -> MovingPlanes:
        """Round planes (E, 3, M, S, S)."""
        texels = planes.detach().permute(0, 1, 3, 4, 2).flatten(1)
        steps = texels.abs().amax(1).clamp_min(1e-30) / np.iinfo(np.int16).max
        tile, together = compiled("blend").TILE, compiled("blend").TOGETHER
        padding = (0, -texels.shape[1] % tile, 0, -len(texels) % together)
        rounded = F.pad((texels / steps[:, None]).round().to(torch.int16), padding)
        return cls(array(rounded.view(len(rounded), -1, tile).transpose(0, 1)), steps)

    def blended(self, numbers: Tensor, side: int) -> NDArray[np.float32]:
        """Return the planes' sum (3, S, S, M), S texels a side, weighted by ``numbers`` (E,)."""
        parts, count, tile = self.levels.shape
        total = np.empty(parts * tile, np.float32)
        weights = array(F.pad(numbers * self.steps, (0, count - len(numbers))))
        in_parts(lambda first, last: compiled("blend").combine(weights, self.levels, total, first, last), parts)
        texels = 3 * side * side * MOVING_CHANNELS
        return total[:texels].reshape(3, side, side, MOVING_CHANNELS)


def blend(avatar: Avatar, expression: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Do what `Avatar.blend` does for one frame; returns (3, C, R, R)."""
    head = avatar.head
    if avatar.moving_planes is None:
        wide = MovingPlanes.of(head.wide_planes) if head.shape.wide_resolution else None
        avatar.moving_planes = MovingPlanes.of(head.basis_planes), wide
    basis, wide = avatar.moving_planes
    face = basis.blended(expression, head.shape.moving_resolution)
    if wide is None:
        everywhere = np.zeros((3, 2, 2, MOVING_CHANNELS), np.float32)
    else:
        poses = avatar.pose_correction.standardised(rotation, translation)
        everywhere = wide.blended(head.wide_numbers(expression[None], poses[None])[0], head.shape.wide_resolution)
    static = array(head.static_planes.permute(0, 2, 3, 1))
    corners = np.array([(rows.start, columns.start) for _, rows, columns in head.windows()])
    planes = np.empty_like(static)
    given = static, everywhere, face, corners, planes
    in_parts(lambda first, last: compiled("blend").compose(*given, first, last), 3 * len(static[0]))
    return torch.from_numpy(planes).permute(0, 3, 1, 2)


def search(
    avatar: Avatar,
    view: View,
    window: HeadWindow,
    rotation: Tensor,
    translation: Tensor,
    samples: int,
    bins: int,
    counts: Counts | None = None,
) -> tuple[Tensor, Tensor]:
    """Do what `renderer.stages.search` does; ``counts`` are added to."""
    rows, columns = window.blocks
    edges, opacity = np.empty((rows * columns, samples + 1), np.float32), np.empty((rows, columns), np.float32)
    box = array(torch.stack((avatar.grid.box_min, avatar.grid.box_max)))
    grid = avatar.grid
    given = (array(view.directions), _pose(rotation, translation), array(grid.density), array(grid.cells()), box)

    def strip(first: int, last: int, done: Counts) -> None:
        compiled("search").search(*given, _numbers(window, window.block, first, last), bins, edges, opacity, done)

    in_strips(strip, rows, counts)
    return torch.from_numpy(edges), torch.from_numpy(opacity).view(-1)


def march(
    avatar: Avatar,
    planes: Tensor,
    view: View,
    window: HeadWindow,
    rotation: Tensor,
    translation: Tensor,
    edges: Tensor,
    opacity: Tensor,
    counts: Counts | None = None,
) -> tuple[Tensor, Tensor]:
    """Do what `renderer.stages.march` does, up to where a ray is opaque; ``counts`` are added to."""
    head = avatar.head
    rows, columns = window.blocks
    rgb = np.empty((window.height, window.width, 3), np.float32)
    passed = np.empty((window.height, window.width), np.float32)
    texels = (head.shape.resolution - 1) / (head.box_max - head.box_min)
    given = (
        array(view.directions),
        _pose(rotation, translation),
        array(edges),
        array(opacity.view(rows, columns)),
    )
    field = (
        array(planes.permute(0, 2, 3, 1)),
        array(torch.stack((head.box_min, texels))),
        pack(head.density_layer.weight),
        array(head.density_layer.bias + head.code_layer(avatar.consistency_code)),
        _narrow(head.sigma_layer),
        pack(F.pad(head.colour_layer.weight, (0, 1))),
        array(head.colour_layer.bias),
        _narrow(head.rgb_layer),
    )

    def strip(first: int, last: int, done: Counts) -> None:
        numbers = _numbers(window, window.block, first, last)
        compiled("march").march(*given, numbers, *field, rgb, passed, done)

    in_strips(strip, rows, counts)
    return torch.from_numpy(rgb), torch.from_numpy(passed)


def finish(
    avatar: Avatar,
    view: View,
    window: HeadWindow,
    rgb: Tensor,
    transmittance: Tensor,
    torso: Tensor,
    condition: Tensor,
    counts: Counts | None = None,
) -> Tensor:
    """Do what `renderer.stages.finish` does; ``counts`` are added to."""
    field = avatar.torso
    picture = view.background_bytes.clone()
    code = torch.cat((condition, avatar.consistency_code))
    shown = array(view.torso)
    given = (array(view.background), array(rgb), array(transmittance))
    texels = (field.shape.resolution - 1) / (field.box_max - field.box_min)
    rest = (
        OPAQUE,
        array(view.uv),
        array(torso[:2]),
        array(field.offsets(torso, code)[0].permute(1, 2, 0)),
        array(field.plane[0].permute(1, 2, 0)),
        array(torch.stack((field.box_min, texels))),
        pack(field.shade.weight),
        array(field.shade.bias + field.shade_condition(code)),
        _narrow(field.colour),
        array(picture),
    )

    def strip(first: int, last: int, done: Counts) -> None:
        start, end = np.searchsorted(shown, (first * view.width, last * view.width))
        numbers = np.array([window.top, window.left, window.height, window.width, first, last])
        compiled("finish").finish(*given, numbers, shown[start:end], *rest, done)

    in_strips(strip, view.height, counts)
    return picture


def pack(weights: Tensor) -> NDArray[Any]:
    """Return a layer's weights (64, I), I even, as the kernels read them.

    That is flat, an input's 64 weights one after the other; in bfloat16 those of two inputs are interleaved.
    """
    if not bfloat16():
        return array(weights.T).reshape(-1)
    pairs = weights.to(torch.bfloat16).view(len(weights), -1, 2).transpose(0, 1)
    return array(pairs.contiguous().view(torch.int16)).reshape(-1)


def _narrow(layer: torch.nn.Linear) -> NDArray[Any]:
    """Return a narrow layer's weights (H, 64) and its biases (H,) after them."""
    return array(torch.cat((layer.weight.flatten(), layer.bias)))


def _pose(rotation: Tensor, translation: Tensor) -> NDArray[Any]:
    """Return the rays' origin in head space and the rotation, row by row."""
    origin, _ = head_space_rays(rotation, rotation, translation)
    return array(torch.cat((origin.flatten(), rotation.flatten())))


def _numbers(window: HeadWindow, *more: int) -> NDArray[np.int64]:
    return np.array([window.top, window.left, window.height, window.width, *more])
