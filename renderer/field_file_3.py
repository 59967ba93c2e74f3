"""Fields as version 3 had them, whole in one container: for avatars that were enrolled with it."""

import torch
from torch import Tensor

from renderer.avatar import Avatar
from renderer.field_container import FieldFileError, unpack_container
from renderer.field_file import (
    FACE_ONLY,
    MAX_BACKGROUND,
    WHOLE_FRAME,
    camera_of,
    check_avatar,
    check_density,
    check_window,
    head_shape,
    torso_shape,
)
from renderer.head_field import HeadField, HeadFieldShape
from renderer.occupancy import DensityGrid
from renderer.torso_field import TorsoField, TorsoFieldShape
from renderer.torso_modes import linear_modes

VERSION = "3"
_PLANES = ("head.static_planes", "head.basis_planes", "torso.plane")
_BYTES = ("background", "torso_extent")
_DENSITY = "grid.density"
_DENSITY_STEPS = 16.0


def unpack_fields_3(data: bytes) -> Avatar:
    """Rebuild an avatar on the CPU.

    Raises:
        FieldFileError: ``data`` is anything else than what version 3 wrote; sizes are checked before memory is taken.
    """
    tensors, description = unpack_container(data)
    try:
        if description["version"] != VERSION:
            raise FieldFileError("the avatar's fields were made by another version of the program")
        head = head_shape(description["head"], FACE_ONLY)
        torso = torso_shape(description["torso"], {"modes": 4})
        camera = camera_of(description["camera"])
        state = {name: _restore(name, value, tensors) for name, value in tensors.items() if not name.endswith(".scale")}
        _check_sizes(head, torso, state)
        state |= WHOLE_FRAME
        # One tensor each: loading writes into them in place.
        low, high = (torch.zeros(3), torch.zeros(3)), (torch.zeros(3), torch.zeros(3))
        avatar = Avatar(
            HeadField(low[0], high[0], torch.zeros(3, dtype=torch.long), head),
            TorsoField(torso),
            DensityGrid(low[1], high[1], len(state[_DENSITY])),
            state["background"],
            camera,
        )
        state["head.wide_planes"] = avatar.head.wide_planes.detach()
        state["torso.modes"] = linear_modes(state.pop("torso.centre"))
        avatar.load_state_dict(state)
        check_avatar(avatar)
    except FieldFileError:
        raise
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FieldFileError("the avatar's fields are damaged") from error
    return avatar.requires_grad_(False)


def _restore(name: str, value: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    if name in _PLANES:
        return value.float() * tensors[f"{name}.scale"]
    if name in _BYTES:
        return value.float() / 255.0
    if name == _DENSITY:
        return 0.01 * (torch.exp2(value.float() / _DENSITY_STEPS) - 1.0)
    return value.float() if value.is_floating_point() else value


def _check_sizes(head: HeadFieldShape, torso: TorsoFieldShape, state: dict[str, Tensor]) -> None:
    """Bound what the stated sizes make an avatar take by what the file holds, whose tensors must fit it."""
    expected = {
        "head.static_planes": (3, head.channels, head.resolution, head.resolution),
        "head.basis_planes": (head.expression, 3, head.moving_channels, head.moving_resolution, head.moving_resolution),
        "torso.plane": (1, torso.channels, torso.resolution, torso.resolution),
        "torso_extent": (64, 64),
    }
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise FieldFileError(f"the avatar's {name} does not have its stated size")
    background = state["background"]
    if background.dim() != 3 or background.shape[2] != 3 or max(background.shape) > MAX_BACKGROUND:
        raise FieldFileError("the avatar's background has an impossible size")
    check_density(state[_DENSITY])
    check_window(state["head.window"], head)
