"""Launch of what all pixels of a frame share: corrected pose, the head's window, the torso's warp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from renderer.kernels.gpu_launch import floats, launch, parts, pinhole, power_of_two
from renderer.torso_field import LATTICE

if TYPE_CHECKING:
    from renderer.avatar import Avatar
    from renderer.view import View

POINTS = 32
"""Of the warp's lattice, evaluated by a program."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """What all pixels of a frame share, on the device."""

    pose: Tensor
    """(12,) the rays' origin in head space, then the rotation from head space to camera space, corrected."""
    window: Tensor
    """(4,) int32: first row and column of the head's window in the picture, its height and width."""
    head_bias: Tensor
    """(W,) of the head's first layer, the consistency code's part in it."""
    shift: Tensor
    """(2,) displacement of the torso, frame sides."""
    torso_bias: Tensor
    """(W,) of the torso's shading layer, the condition's part in it."""
    offsets: Tensor
    """(L, L, 2) of `TorsoField.offsets`."""


def locate(
    avatar: Avatar, view: View, expression: Tensor, rotation: Tensor, translation: Tensor, torso: Tensor
) -> Frame:
    """Correct the pose, find the head's window, bend the torso (`PoseCorrection`, `View.head_window`, `TorsoField`)."""
    head, body, correction = avatar.head, avatar.torso, avatar.pose_correction
    device = avatar.background.device
    frame = Frame(
        torch.empty(12, device=device),
        torch.empty(4, device=device, dtype=torch.int32),
        torch.empty(head.shape.width, device=device),
        floats(torso[:2]),
        torch.empty(body.shape.width, device=device),
        torch.empty(LATTICE, LATTICE, 2, device=device),
    )
    points, encoded = body.lattice.shape
    first, _, second, _, third = body.warp
    launch(
        "prepare",
        (parts(points, POINTS),),
        *(floats(values) for values in (expression, rotation, translation, torso)),
        correction.pose_mean,
        correction.pose_scale,
        correction.from_pose.weight,
        correction.from_pose.bias,
        correction.from_expression.weight,
        avatar.grid.corners(),
        head.density_layer.bias,
        head.code_layer.weight,
        body.condition_mean,
        body.condition_scale,
        avatar.consistency_code,
        body.lattice,
        body.lattice_modes,
        first.weight,
        first.bias,
        second.weight,
        second.bias,
        third.weight,
        third.bias,
        body.shade.bias,
        body.shade_condition.weight,
        frame.pose,
        frame.window,
        frame.head_bias,
        frame.torso_bias,
        frame.offsets,
        view.width,
        view.height,
        points,
        *pinhole(avatar),
        EXPRESSIONS=head.shape.expression,
        EXPRESSIONS_PADDED=power_of_two(head.shape.expression),
        CODE=head.shape.code,
        CODE_PADDED=power_of_two(head.shape.code),
        WIDTH=head.shape.width,
        TORSO_WIDTH=body.shape.width,
        ENCODED=encoded,
        ENCODED_PADDED=power_of_two(encoded, 16),
        CONDITIONS=body.shape.conditions,
        CONDITIONS_PADDED=power_of_two(body.shape.conditions + head.shape.code),
        MODES=body.shape.modes,
        POINTS=POINTS,
    )
    return frame
