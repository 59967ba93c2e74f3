"""Fused stages of a picture on a CUDA GPU; they equal those of `renderer.stages`.

A picture takes seven launches, and the host waits for none of them: what bends a frame and where its head is (which
stays on the device, so that each kernel is launched for the whole picture and leaves at once where there is no head),
the blended planes, the search, the march, the outline and its march, the finish. Parameters are read as torch keeps
them, but for the torso's plane, which a copy puts channels last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from renderer.kernels.gpu_frame import Frame, locate
from renderer.kernels.gpu_head import blend, march, sample_outline, search
from renderer.kernels.gpu_launch import Counts, dense_type, launch, parts, power_of_two
from renderer.torso_field import LATTICE

if TYPE_CHECKING:
    from renderer.avatar import Avatar
    from renderer.view import View

PIXELS = 128
"""Finished by a program."""


@torch.no_grad()
def render(
    avatar: Avatar,
    view: View,
    expression: Tensor,
    rotation: Tensor,
    translation: Tensor,
    torso: Tensor,
    samples: int,
    bins: int,
    block: int,
    smooth: bool,
) -> Tensor:
    """Render one frame.

    Args:
        avatar: such as ``supports`` accepts, on a device without an ``obstacle``.
        view: of the picture's size.
        expression: (E,) embedded.
        rotation: (3, 3) head space to camera space, as sent.
        translation: (3,) cm, as sent.
        torso: (2 + modes,) its motion, see `TorsoField.forward`.
        samples: field evaluations a ray.
        bins: lookups in the density grid a ray.
        block: side of a block of rays that share a search.
        smooth: whether the outline of the head is sampled more finely.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    frame = locate(avatar, view, expression, rotation, translation, torso)
    pose = avatar.pose_correction.standardised(rotation, translation)
    planes = blend(avatar.head, expression, pose)
    edges, opacity = search(avatar, view, frame, samples, bins, block)
    head = march(avatar, view, frame, planes, edges, opacity, block)
    if smooth:
        sample_outline(avatar, view, frame, planes, head, samples, bins)
    return finish(avatar, view, frame, head)


def finish(avatar: Avatar, view: View, frame: Frame, head: Tensor, counts: Counts | None = None) -> Tensor:
    """Do what `renderer.stages.finish` does; ``counts`` are added to."""
    field = avatar.torso
    picture = torch.empty(view.height, view.width, 3, dtype=torch.uint8, device=head.device)
    launch(
        "finish",
        (parts(view.height * view.width, PIXELS),),
        frame.window,
        head,
        view.background,
        view.torso_shown.view(torch.uint8),
        frame.shift,
        frame.offsets,
        _channels_last(field.plane),
        field.box_min,
        field.box_max,
        field.shade.weight,
        frame.torso_bias,
        field.colour.weight,
        field.colour.bias,
        picture,
        frame.window if counts is None else counts,
        view.width,
        view.height,
        LATTICE,
        field.shape.resolution,
        CHANNELS=field.shape.channels,
        PADDED=power_of_two(field.shape.channels, 16),
        WIDTH=field.shape.width,
        PIXELS=PIXELS,
        DTYPE=dense_type(head.device),
        COUNT=counts is not None,
    )
    return picture


def _channels_last(plane: Tensor) -> Tensor:
    """Return a plane (1, C, R, R) as (R, R, C)."""
    return plane[0].permute(1, 2, 0).contiguous()
