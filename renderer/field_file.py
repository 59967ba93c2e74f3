"""An avatar's fields for a file: layers, grid and camera in a container, and its planes as integers, to be coded.

The integers go to whoever codes them bit plane by bit plane; from the upper bit planes alone comes a coarser avatar.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from renderer.avatar import Avatar
from renderer.camera import Camera
from renderer.field_container import FieldFileError, pack_container, unpack_container
from renderer.head_field import POSE, HeadField, HeadFieldShape
from renderer.occupancy import DensityGrid
from renderer.plane_levels import NAMES, Levels, planes_of, quantise_planes
from renderer.torso_field import TorsoField, TorsoFieldShape
from renderer.torso_modes import MAX_MODES, linear_modes

VERSION = "9"
"""Changes whenever fields of before would render differently or not at all."""
LINEAR_VERSION = "4"
"""Before torsos had modes: they moved by a linear part about a centre, which is now rendered to the first order only. A
shirt that bends by a twentieth comes out within a tenth of a pixel of where it did."""
FACE_ONLY = {"wide_resolution": 0, "wide_expression": 0}
"""Sizes of a head of which nothing but the face moves in its own space."""
UNSAID: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    VERSION: ({}, {}),
    "8": ({}, {}),
    "7": ({"wide_expression": 0}, {}),
    "6": (FACE_ONLY, {}),
    "5": (FACE_ONLY, {"modes": 4}),
    LINEAR_VERSION: (FACE_ONLY, {"modes": 4}),
}
"""By version: sizes of head and torso that were always the same, and that files did not say."""
WHOLE_FRAME = {"torso.box_min": torch.zeros(2), "torso.box_max": torch.ones(2)}
"""Before version 9 the torso's plane always showed what the frame does."""
MAX_BACKGROUND = 1024
MAX_GRID = 128
MAX_TEXELS = 12 << 20
"""Of all planes together: a little more than with 79 moving planes of the usual size."""
FARTHEST_TORSO, LEAST_TORSO = 8.0, 0.01
"""Frame sides within which a torso's plane lies, and that it is wide and high at least."""
_DENSITY = "grid.density"
_DENSITY_STEPS = 4.0
"""Levels of the stored density per doubling of 1 + density / 0.01: the search needs to know little more than where."""
_EXTENT = "torso_extent"
_WIDE = "head.wide_planes"
_MODES = "torso.modes"
_STEPS = ".steps"


@dataclass(frozen=True, slots=True, eq=False)
class PackedFields:
    """An avatar's fields, ready to be coded."""

    base: bytes
    """All but the planes; `open_fields` reads it."""
    planes: dict[str, Levels]
    """Bands of integers by name, in the order of the file."""
    sides: dict[str, int]
    """Of the planes, by name."""


def pack_fields(avatar: Avatar) -> PackedFields:
    """Return an avatar's fields; `open_fields` and `FieldBase.avatar` lead back, up to the rounding."""
    avatar = avatar.cpu()
    quantised = quantise_planes(avatar)
    tensors = {f"{name}{_STEPS}": planes.steps for name, planes in quantised.items()}
    for name, tensor in avatar.state_dict().items():
        value = tensor.detach()
        if name in NAMES:
            continue
        if name == _EXTENT:
            tensors[name] = (value.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
        elif name == _DENSITY:
            levels = torch.log2(1.0 + value / 0.01) * _DENSITY_STEPS
            tensors[name] = levels.round().clamp(0.0, 255.0).to(torch.uint8)
        else:
            tensors[name] = (
                value.half() if value.is_floating_point() and (value.dim() == 2 or name == _MODES) else value
            )
    description = {
        "version": VERSION,
        "camera": json.dumps([avatar.camera.focal, avatar.camera.cx, avatar.camera.cy]),
        "background": json.dumps(len(avatar.background)),
        "head": json.dumps({name: getattr(avatar.head.shape, name) for name in HeadFieldShape.__slots__}),
        "torso": json.dumps({name: getattr(avatar.torso.shape, name) for name in TorsoFieldShape.__slots__}),
    }
    return PackedFields(
        pack_container(tensors, description),
        {name: planes.levels for name, planes in quantised.items()},
        {name: planes.side for name, planes in quantised.items()},
    )


@dataclass(frozen=True, slots=True, eq=False)
class FieldBase:
    """All of an avatar's fields but the planes, checked."""

    camera: Camera
    head: HeadFieldShape
    torso: TorsoFieldShape
    background: int
    """Side in pixels."""
    tensors: dict[str, Tensor]

    @property
    def planes(self) -> dict[str, tuple[int, int]]:
        """How many planes there are to be decoded, and their side, by name in the order of the file."""
        head, torso = self.head, self.torso
        wide = (head.wide_expression + POSE) * 3 * head.moving_channels, head.wide_resolution
        return {
            "background": (3, self.background),
            "head.static_planes": (3 * head.channels, head.resolution),
            **({_WIDE: wide} if head.wide_resolution else {}),
            "head.basis_planes": (head.expression * 3 * head.moving_channels, head.moving_resolution),
            "torso.plane": (torso.channels, torso.resolution),
        }

    def avatar(self, planes: Mapping[str, Levels], shifts: Mapping[str, int]) -> Avatar:
        """Return the avatar on the CPU, from the planes' bands (int16) that lack their lowest bit planes, ``shifts``.

        Raises:
            FieldFileError: the bands or the tensors do not fit, or hold numbers that are not finite.
        """
        try:
            avatar = self._filled(
                {name: planes_of(name, planes[name], self._steps(name), shifts[name]) for name in self.planes}
            )
            check_avatar(avatar)
        except FieldFileError:
            raise
        except (RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
            raise FieldFileError("the avatar's fields are damaged") from error
        return avatar.requires_grad_(False)

    def _steps(self, name: str) -> Tensor:
        steps = self.tensors[f"{name}{_STEPS}"].float()
        if steps.shape != (self.planes[name][0],):
            raise FieldFileError(f"the avatar's {name} has not one step a plane")
        return steps

    def _filled(self, planes: dict[str, Tensor]) -> Avatar:
        density = 0.01 * (torch.exp2(self.tensors[_DENSITY].float() / _DENSITY_STEPS) - 1.0)
        background = planes["background"].permute(1, 2, 0).contiguous()
        # One tensor each: loading writes into them in place.
        low, high = (torch.zeros(3), torch.zeros(3)), (torch.zeros(3), torch.zeros(3))
        avatar = Avatar(
            HeadField(low[0], high[0], torch.zeros(3, dtype=torch.long), self.head),
            TorsoField(self.torso),
            DensityGrid(low[1], high[1], len(density)),
            background,
            self.camera,
        )
        state = {name: value for name, value in self.tensors.items() if not name.endswith(_STEPS)}
        state = {name: value.float() if value.is_floating_point() else value for name, value in state.items()}
        state |= {_DENSITY: density, _EXTENT: self.tensors[_EXTENT].float() / 255.0, "background": background}
        state.setdefault(_WIDE, avatar.head.wide_planes.detach())
        for name in set(planes) - {"background"}:
            state[name] = planes[name].view(avatar.get_parameter(name).shape)
        avatar.load_state_dict(state)
        return avatar


def open_fields(data: bytes) -> FieldBase:
    """Read the base that `pack_fields` wrote; sizes are checked before memory is taken for them.

    Raises:
        FieldFileError: ``data`` is anything else.
    """
    tensors, description = unpack_container(data)
    try:
        version = description["version"]
        if version not in UNSAID:
            raise FieldFileError("the avatar's fields were made by another version of the program")
        if version != VERSION:
            tensors |= WHOLE_FRAME
        if version == LINEAR_VERSION:
            tensors[_MODES] = linear_modes(tensors.pop("torso.centre").float())
        side = json.loads(description["background"])
        if type(side) is not int or not 1 <= side <= MAX_BACKGROUND:
            raise FieldFileError("the avatar's background has an impossible size")
        base = FieldBase(
            camera_of(description["camera"]),
            head_shape(description["head"], UNSAID[version][0]),
            torso_shape(description["torso"], UNSAID[version][1]),
            side,
            tensors,
        )
        if sum(count * side * side for count, side in base.planes.values()) > MAX_TEXELS:
            raise FieldFileError("the avatar's planes are larger than any that this program makes")
        check_window(tensors["head.window"], base.head)
        check_density(tensors[_DENSITY])
    except FieldFileError:
        raise
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FieldFileError("the avatar's fields are damaged") from error
    return base


def camera_of(text: str) -> Camera:
    """Read a camera. Raises FieldFileError, ValueError, TypeError."""
    focal, cx, cy = (float(value) for value in json.loads(text))
    if not (0.1 <= focal <= 100.0 and -10.0 <= cx <= 10.0 and -10.0 <= cy <= 10.0):
        raise FieldFileError("the avatar's camera is out of range")
    return Camera(focal, cx, cy)


def shape_sizes(text: str, names: tuple[str, ...], lacking: tuple[str, ...] = ()) -> dict[str, int]:
    """Read the sizes of a field, of which the ``lacking`` ones may be 0. Raises FieldFileError, ValueError."""
    found = json.loads(text)
    if set(found) != set(names) or not all(
        type(size) is int and (0 < size <= 1024 or (size == 0 and name in lacking)) for name, size in found.items()
    ):
        raise FieldFileError("the avatar's fields have unknown sizes")
    return cast("dict[str, int]", found)


def head_shape(text: str, unsaid: Mapping[str, int]) -> HeadFieldShape:
    """Read the sizes of a head, all but the ``unsaid`` ones. Raises FieldFileError, ValueError."""
    said = tuple(name for name in HeadFieldShape.__slots__ if name not in unsaid)
    shape = HeadFieldShape(**shape_sizes(text, said, tuple(FACE_ONLY)), **unsaid)
    if shape.wide_expression > shape.expression:
        raise FieldFileError("more of the expression moves the avatar's head than there is")
    return shape


def torso_shape(text: str, unsaid: Mapping[str, int]) -> TorsoFieldShape:
    """Read the sizes of a torso, all but the ``unsaid`` ones. Raises FieldFileError, ValueError."""
    said = tuple(name for name in TorsoFieldShape.__slots__ if name not in unsaid)
    shape = TorsoFieldShape(**shape_sizes(text, said), **unsaid)
    if shape.modes > MAX_MODES:
        raise FieldFileError("the avatar's torso has more modes than any that this program makes")
    return shape


def check_window(window: Tensor, head: HeadFieldShape) -> None:
    """Raise FieldFileError unless the window in which the expression acts lies within the planes."""
    beyond = head.resolution - head.moving_resolution
    if window.shape != (3,) or window.is_floating_point() or window.min() < 0 or window.max() > beyond:
        raise FieldFileError("the avatar's expression window lies outside its planes")


def check_density(density: Tensor) -> None:
    """Raise FieldFileError unless this is a grid of a size that is made."""
    if density.dim() != 3 or len(set(density.shape)) != 1 or not 2 <= len(density) <= MAX_GRID:
        raise FieldFileError("the avatar's density grid has an impossible size")


def check_avatar(avatar: Avatar) -> None:
    """Raise FieldFileError for numbers that are not finite, or a box that is no head's."""
    for name, value in avatar.state_dict().items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise FieldFileError(f"the avatar's {name} holds numbers that are not finite")
    for low, high in ((avatar.grid.box_min, avatar.grid.box_max), (avatar.head.box_min, avatar.head.box_max)):
        span = high - low
        if not bool(((span > 1.0) & (span < 200.0)).all()):
            raise FieldFileError("the avatar's box is no head's")
    torso = avatar.torso
    near = max(float(torso.box_min.abs().max()), float(torso.box_max.abs().max())) < FARTHEST_TORSO
    if not (near and bool((torso.box_max - torso.box_min > LEAST_TORSO).all())):
        raise FieldFileError("the avatar's torso lies nowhere near the frame")
