"""Fused stages of a picture on a CUDA GPU; they equal those of `renderer.stages`.

A picture takes seven launches, and the host waits for none of them: what bends a frame and where its head is (which
stays on the device, so that each kernel is launched for the whole picture and leaves at once where there is no head),
the blended planes, the search, the march, the outline and its march, the finish. Parameters are read as torch keeps
them, but for the torso's plane, which a copy puts channels last.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from renderer.kernels.gpu import RAYS, current
from renderer.outline import PLACES
from renderer.precision import dense_dtype
from renderer.torso_field import LATTICE

if TYPE_CHECKING:
    from renderer.avatar import Avatar
    from renderer.head_field import HeadField
    from renderer.view import View

Counts = Tensor
"""(5,) int64, how much was done: lookups in the density grid, rays marched, samples evaluated, samples whose colour was
evaluated, pixels of the torso."""

ROWS, COLUMNS = 8, 8
"""Of a tile of pixels that is marched by a program: the 64 rows of a matrix instruction."""
PIXELS = 128
"""Finished by a program."""
TEXELS = 256
"""Blended by a program."""
POINTS = 32
"""Of the warp's lattice, evaluated by a program."""
OUTLINE_PIXELS = 16
"""Marched at a time by a program: with four rays each as many as in a tile."""
OUTLINE_PROGRAMS = 512
"""They take pixels as long as there are any: about what runs at a time on a large GPU."""


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


@cache
def _kernels() -> dict[str, Any]:
    """Return the kernels by their names. Raises ImportError, or whatever else an unfit installation raises."""
    from renderer.kernels.gpu_blend import blend
    from renderer.kernels.gpu_finish import finish
    from renderer.kernels.gpu_march import march
    from renderer.kernels.gpu_outline import find_outline, march_outline
    from renderer.kernels.gpu_search import search
    from renderer.kernels.gpu_state import prepare

    kernels = prepare, blend, search, march, find_outline, march_outline, finish
    return {kernel.__name__: kernel for kernel in kernels}


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
        _floats(torso[:2]),
        torch.empty(body.shape.width, device=device),
        torch.empty(LATTICE, LATTICE, 2, device=device),
    )
    points, encoded = body.lattice.shape
    first, _, second, _, third = body.warp
    _launch(
        "prepare",
        (_parts(points, POINTS),),
        *(_floats(values) for values in (expression, rotation, translation, torso)),
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
        *_camera(avatar),
        EXPRESSIONS=head.shape.expression,
        EXPRESSIONS_PADDED=_power(head.shape.expression),
        CODE=head.shape.code,
        CODE_PADDED=_power(head.shape.code),
        WIDTH=head.shape.width,
        TORSO_WIDTH=body.shape.width,
        ENCODED=encoded,
        ENCODED_PADDED=_power(encoded, 16),
        CONDITIONS=body.shape.conditions,
        CONDITIONS_PADDED=_power(body.shape.conditions + head.shape.code),
        MODES=body.shape.modes,
        POINTS=POINTS,
    )
    return frame


def blend(head: HeadField, expression: Tensor, pose: Tensor) -> Tensor:
    """Return (3, R, R, C): the planes of `HeadField.blend` for an expression (E,) and a pose (POSE,), channels last."""
    shape = head.shape
    still = head.static_planes.permute(0, 2, 3, 1).contiguous()
    if (wide := head.wide(expression[None], pose[None])) is not None:
        still = still.clone()
        still[..., : shape.moving_channels] += wide[0].permute(0, 2, 3, 1)
    size = shape.resolution
    planes = torch.empty(3, size, size, shape.channels, device=head.static_planes.device)
    _launch(
        "blend",
        (_parts(size * size, TEXELS), 3),
        _floats(expression),
        still,
        head.basis_planes,
        head.window,
        planes,
        size,
        shape.moving_resolution,
        EXPRESSIONS=shape.expression,
        CHANNELS=shape.channels,
        MOVING=shape.moving_channels,
        PADDED=_power(shape.channels),
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
    rows, columns = _parts(view.height, block), _parts(view.width, block)
    edges = torch.empty(rows, columns, samples + 1, device=device)
    opacity = torch.empty(rows, columns, device=device)
    _launch(
        "search",
        (_parts(columns, RAYS), rows),
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
        *_camera(avatar),
        BLOCK=block,
        SAMPLES=samples,
        BINS=_power(bins),
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
    _launch(
        "march",
        (_parts(view.width, COLUMNS), _parts(view.height, ROWS)),
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
        *_camera(avatar),
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
    _launch("find_outline", (_parts(pixels, PIXELS),), frame.window, head, found, count, *size, PIXELS=PIXELS)
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
    programs = min(_parts(len(found), OUTLINE_PIXELS), OUTLINE_PROGRAMS)
    searched = torch.empty(programs, OUTLINE_PIXELS * len(PLACES), samples + 2, device=head.device)
    _launch(
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
        *_camera(avatar),
        BINS=_power(bins),
        PIXELS=OUTLINE_PIXELS,
        COUNT=counts is not None,
        **_head_constants(avatar, samples),
    )
    return count


def finish(avatar: Avatar, view: View, frame: Frame, head: Tensor, counts: Counts | None = None) -> Tensor:
    """Do what `renderer.stages.finish` does; ``counts`` are added to."""
    field = avatar.torso
    picture = torch.empty(view.height, view.width, 3, dtype=torch.uint8, device=head.device)
    _launch(
        "finish",
        (_parts(view.height * view.width, PIXELS),),
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
        PADDED=_power(field.shape.channels, 16),
        WIDTH=field.shape.width,
        PIXELS=PIXELS,
        DTYPE=_dense_type(head.device),
        COUNT=counts is not None,
    )
    return picture


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
        "PADDED": _power(shape.channels, 16),
        "WIDTH": shape.width,
        "DTYPE": _dense_type(avatar.background.device),
    }


def _channels_last(plane: Tensor) -> Tensor:
    """Return a plane (1, C, R, R) as (R, R, C)."""
    return plane[0].permute(1, 2, 0).contiguous()


def _launch(name: str, grid: tuple[int, ...], *arguments: Any, **constants: Any) -> None:
    """Start a kernel on the device of its tensors."""
    device = next(value.device for value in arguments if isinstance(value, Tensor))
    with current(device):
        _kernels()[name][grid](*arguments, **constants)


def _dense_type(device: torch.device) -> Any:
    """Return the number format of the small layers; the interpreter multiplies float32 alone."""
    import triton.language as tl

    return tl.bfloat16 if device.type == "cuda" and dense_dtype("cuda") == torch.bfloat16 else tl.float32


def _camera(avatar: Avatar) -> tuple[float, float, float]:
    camera = avatar.camera
    return camera.focal, camera.cx, camera.cy


def _floats(values: Tensor) -> Tensor:
    return values.float().contiguous()


def _parts(count: int, size: int) -> int:
    """Return in how many parts of a size a count falls."""
    return -(-count // size)


def _power(count: int, least: int = 1) -> int:
    """Return the least power of two that is not less than either."""
    return 1 << (max(count, least) - 1).bit_length()
