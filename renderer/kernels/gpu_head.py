"""Launches of the head's stages: planes, search, march, and its outline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.kernels.gpu import RAYS
from renderer.kernels.gpu_launch import Counts, dense_type, floats, launch, parts, pinhole, power_of_two
from renderer.outline import PLACES

if TYPE_CHECKING:
    from renderer.avatar import Avatar
    from renderer.head_field import HeadField
    from renderer.kernels.gpu_frame import Frame
    from renderer.view import View

ROWS, COLUMNS = 8, 8
"""Of a tile of pixels that is marched by a program: the 64 rows of a matrix instruction."""
LISTED = 128
"""Pixels that a program looks at for the outline."""
TEXELS = 256
"""Blended by a program."""
OUTLINE_PIXELS = 16
"""Marched at a time by a program: with four rays each as many as in a tile."""
OUTLINE_PROGRAMS = 512
"""They take pixels as long as there are any: about what runs at a time on a large GPU."""


def blend(head: HeadField, expression: Tensor, pose: Tensor) -> Tensor:
    """Return (3, R, R, C): the planes of `HeadField.blend` for an expression (E,) and a pose (POSE,), channels last."""
    shape = head.shape
    still = head.static_planes.permute(0, 2, 3, 1).contiguous()
    if (wide := head.wide(expression[None], pose[None])) is not None:
        still = still.clone()
        still[..., : shape.moving_channels] += wide[0].permute(0, 2, 3, 1)
    size = shape.resolution
    planes = torch.empty(3, size, size, shape.channels, device=head.static_planes.device)
    launch(
        "blend",
        (parts(size * size, TEXELS), 3),
        floats(expression),
        still,
        head.basis_planes,
        head.window,
        planes,
        size,
        shape.moving_resolution,
        EXPRESSIONS=shape.expression,
        CHANNELS=shape.channels,
        MOVING=shape.moving_channels,
        PADDED=power_of_two(shape.channels),
        TEXELS=TEXELS,
    )
    return planes


def search(
    avatar: Avatar, view: View, frame: Frame, samples: int, bins: int, block: int, counts: Counts | None = None
) -> tuple[Tensor, Tensor]:
    """Do what `renderer.stages.search` does; ``counts`` are added to.

    Returns:
        ``edges`` (rows of blocks, columns of blocks, samples + 1) and ``opacity`` (rows, columns), as many as a picture
        full of head has; written are the first ones, those of the window.
    """
    grid, device = avatar.grid, view.background.device
    rows, columns = parts(view.height, block), parts(view.width, block)
    edges = torch.empty(rows, columns, samples + 1, device=device)
    opacity = torch.empty(rows, columns, device=device)
    launch(
        "search",
        (parts(columns, RAYS), rows),
        frame.pose,
        frame.window,
        grid.density,
        grid.box_min,
        grid.box_max,
        edges,
        opacity,
        frame.window if counts is None else counts,
        view.width,
        view.height,
        columns,
        grid.density.shape[0],
        bins,
        *pinhole(avatar),
        BLOCK=block,
        SAMPLES=samples,
        BINS=power_of_two(bins),
        RAYS=RAYS,
        COUNT=counts is not None,
    )
    return edges, opacity


def march(
    avatar: Avatar,
    view: View,
    frame: Frame,
    planes: Tensor,
    edges: Tensor,
    opacity: Tensor,
    block: int,
    counts: Counts | None = None,
) -> Tensor:
    """Do what `renderer.stages.march` does, without colours that cannot be seen; ``counts`` are added to.

    Returns:
        (4, height, width) of which the window is written: premultiplied colour and transmittance.
    """
    field = avatar.head
    head = torch.empty(4, view.height, view.width, device=view.background.device)
    launch(
        "march",
        (parts(view.width, COLUMNS), parts(view.height, ROWS)),
        frame.pose,
        frame.window,
        edges,
        opacity,
        *_head_field(avatar, frame, planes),
        head,
        frame.window if counts is None else counts,
        view.width,
        view.height,
        opacity.shape[1],
        field.shape.resolution,
        *pinhole(avatar),
        BLOCK=block,
        ROWS=ROWS,
        COLUMNS=COLUMNS,
        COUNT=counts is not None,
        **_head_constants(avatar, edges.shape[2] - 1),
    )
    return head


def find_outline(view: View, frame: Frame, head: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of the pixels of `renderer.outline.outline`, and how many they are, by what ``march`` returns.

    Returns:
        (height width,) int32, row by row counted but in any order, of which so many are written; (1,) int32.
    """
    pixels = view.height * view.width
    found = torch.empty(pixels, dtype=torch.int32, device=head.device)
    count = torch.zeros(1, dtype=torch.int32, device=head.device)
    size = view.width, view.height
    launch("find_outline", (parts(pixels, LISTED),), frame.window, head, found, count, *size, PIXELS=LISTED)
    return found, count


def sample_outline(
    avatar: Avatar,
    view: View,
    frame: Frame,
    planes: Tensor,
    head: Tensor,
    samples: int,
    bins: int,
    counts: Counts | None = None,
) -> Tensor:
    """Do what `renderer.outline.sample_outline` does to what ``march`` returns; ``counts`` are added to.

    Returns:
        (1,) int32, how many pixels the outline has.
    """
    grid = avatar.grid
    found, count = find_outline(view, frame, head)
    programs = min(parts(len(found), OUTLINE_PIXELS), OUTLINE_PROGRAMS)
    searched = torch.empty(programs, OUTLINE_PIXELS * len(PLACES), samples + 2, device=head.device)
    launch(
        "march_outline",
        (programs,),
        frame.pose,
        found,
        count,
        grid.density,
        grid.box_min,
        grid.box_max,
        *_head_field(avatar, frame, planes),
        head,
        searched,
        count if counts is None else counts,
        view.width,
        view.height,
        grid.density.shape[0],
        bins,
        avatar.head.shape.resolution,
        *pinhole(avatar),
        BINS=power_of_two(bins),
        PIXELS=OUTLINE_PIXELS,
        COUNT=counts is not None,
        **_head_constants(avatar, samples),
    )
    return count


def _head_field(avatar: Avatar, frame: Frame, planes: Tensor) -> tuple[Tensor, ...]:
    """Return what a march reads of the head's field."""
    field = avatar.head
    return (
        planes,
        field.box_min,
        field.box_max,
        field.density_layer.weight,
        frame.head_bias,
        field.sigma_layer.weight,
        field.sigma_layer.bias,
        field.colour_layer.weight,
        field.colour_layer.bias,
        field.rgb_layer.weight,
        field.rgb_layer.bias,
    )


def _head_constants(avatar: Avatar, samples: int) -> dict[str, Any]:
    """Return what a march is compiled for, with so many samples a ray."""
    shape = avatar.head.shape
    return {
        "SAMPLES": samples,
        "CHANNELS": shape.channels,
        "PADDED": power_of_two(shape.channels, 16),
        "WIDTH": shape.width,
        "DTYPE": dense_type(avatar.background.device),
    }
