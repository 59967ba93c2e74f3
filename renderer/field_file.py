"""An avatar's fields as bytes: planes of 23 to 63 levels, 16-bit layers, in a compressed safetensors container."""

import json
import lzma
import struct

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from renderer.avatar import Avatar
from renderer.camera import Camera
from renderer.head_field import HeadField, HeadFieldShape
from renderer.occupancy import DensityGrid
from renderer.torso_field import TorsoField, TorsoFieldShape

VERSION = "3"
"""Changes whenever fields of before would render differently or not at all."""
MAX_BYTES = 128 << 20
"""Of the container when decompressed."""
MAX_BACKGROUND = 1024
MAX_GRID = 128
_PLANES = {"head.static_planes": 31, "head.basis_planes": 11, "torso.plane": 31}
"""Largest level of each plane's texels, up and down from 0: all together cost 0.03 dB of 33 against float32. The basis
is the largest part of a file and has the fewest levels, for a picture is the sum of thirty of its planes."""
_MEMORY = 16 << 20
"""Bytes that decompression may take beside its output: the compressor looks 8 MiB back."""
_BYTES = ("background", "torso_extent")
_DENSITY = "grid.density"
_DENSITY_STEPS = 16.0
"""Levels of the stored density per doubling of 1 + density / 0.01."""


class FieldFileError(ValueError):
    """The bytes are no avatar's fields."""


def pack_fields(avatar: Avatar) -> bytes:
    """Return the bytes of an avatar's fields; ``unpack_fields`` is the inverse up to the rounding."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in avatar.state_dict().items():
        value = tensor.detach().cpu()
        if name in _PLANES:
            # One scale a channel: channels of one plane differ in range by an order of magnitude.
            scale = value.abs().amax((-1, -2), keepdim=True).clamp_min(1e-8) / _PLANES[name]
            tensors[name] = (value / scale).round().to(torch.int8).contiguous()
            tensors[f"{name}.scale"] = scale.contiguous()
        elif name in _BYTES:
            tensors[name] = (value.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).contiguous()
        elif name == _DENSITY:
            levels = torch.log2(1.0 + value / 0.01) * _DENSITY_STEPS
            tensors[name] = levels.clamp(0.0, 255.0).ceil().to(torch.uint8).contiguous()
        elif value.is_floating_point() and value.dim() == 2:
            tensors[name] = value.half().contiguous()
        else:
            tensors[name] = value.contiguous()
    camera = avatar.camera
    description = {
        "version": VERSION,
        "camera": json.dumps([camera.focal, camera.cx, camera.cy]),
        "head": json.dumps({name: getattr(avatar.head.shape, name) for name in HeadFieldShape.__slots__}),
        "torso": json.dumps({name: getattr(avatar.torso.shape, name) for name in TorsoFieldShape.__slots__}),
    }
    # Neighbouring texels are alike in ways that zlib does not see: this is a quarter smaller.
    return lzma.compress(save(tensors, description), preset=6)


def unpack_fields(data: bytes) -> Avatar:
    """Rebuild an avatar on the CPU.

    Raises:
        FieldFileError: ``data`` is anything else than what ``pack_fields`` writes; sizes are checked before memory
            is taken.
    """
    container = _decompress(data)
    try:
        tensors = load(container)
        description = _description(container)
        if description["version"] != VERSION:
            raise FieldFileError("the avatar's fields were made by another version of the program")
        head_shape = HeadFieldShape(**_sizes(description["head"], HeadFieldShape.__slots__))
        torso_shape = TorsoFieldShape(**_sizes(description["torso"], TorsoFieldShape.__slots__))
        focal, cx, cy = (float(value) for value in json.loads(description["camera"]))
        if not (0.1 <= focal <= 100.0 and -10.0 <= cx <= 10.0 and -10.0 <= cy <= 10.0):
            raise FieldFileError("the avatar's camera is out of range")
        state = {name: _restore(name, value, tensors) for name, value in tensors.items() if not name.endswith(".scale")}
        avatar = _skeleton(head_shape, torso_shape, state, Camera(focal, cx, cy))
        avatar.load_state_dict(state)
        _check(avatar)
    except FieldFileError:
        raise
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FieldFileError("the avatar's fields are damaged") from error
    return avatar.requires_grad_(False)


def _decompress(data: bytes) -> bytes:
    try:
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)
        container = decompressor.decompress(data, MAX_BYTES)
    except (lzma.LZMAError, MemoryError) as error:
        raise FieldFileError("the avatar's fields are damaged") from error
    if not decompressor.eof or decompressor.unused_data:
        raise FieldFileError("the avatar's fields are cut off or too large")
    return container


def _description(container: bytes) -> dict[str, str]:
    """Return the metadata of a safetensors container, which its reader has already checked."""
    (size,) = struct.unpack_from("<Q", container)
    found = json.loads(container[8 : 8 + size])["__metadata__"]
    return {str(name): str(value) for name, value in found.items()}


def _sizes(text: str, names: tuple[str, ...]) -> dict[str, int]:
    found = json.loads(text)
    if set(found) != set(names) or not all(isinstance(size, int) and 0 < size <= 1024 for size in found.values()):
        raise FieldFileError("the avatar's fields have unknown sizes")
    return dict(found)


def _restore(name: str, value: Tensor, tensors: dict[str, Tensor]) -> Tensor:
    if name in _PLANES:
        return value.float() * tensors[f"{name}.scale"]
    if name in _BYTES:
        return value.float() / 255.0
    if name == _DENSITY:
        return 0.01 * (torch.exp2(value.float() / _DENSITY_STEPS) - 1.0)
    return value.float() if value.is_floating_point() else value


def _skeleton(head: HeadFieldShape, torso: TorsoFieldShape, state: dict[str, Tensor], camera: Camera) -> Avatar:
    """Return an avatar of the given sizes; what it takes is bounded by the file, whose tensors must fit it."""
    expected = {
        "head.static_planes": (3, head.channels, head.resolution, head.resolution),
        "head.basis_planes": (head.expression, 3, head.moving_channels, head.moving_resolution, head.moving_resolution),
        "torso.plane": (1, torso.channels, torso.resolution, torso.resolution),
    }
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise FieldFileError(f"the avatar's {name} does not have its stated size")
    background, density, extent = state["background"], state[_DENSITY], state["torso_extent"]
    if background.dim() != 3 or background.shape[2] != 3 or max(background.shape) > MAX_BACKGROUND:
        raise FieldFileError("the avatar's background has an impossible size")
    if density.dim() != 3 or len(set(density.shape)) != 1 or not 2 <= len(density) <= MAX_GRID:
        raise FieldFileError("the avatar's density grid has an impossible size")
    window = state["head.window"]
    if window.shape != (3,) or window.min() < 0 or window.max() > head.resolution - head.moving_resolution:
        raise FieldFileError("the avatar's expression window lies outside its planes")
    # One tensor each: loading writes into them in place.
    low, high = (torch.zeros(3), torch.zeros(3)), (torch.zeros(3), torch.zeros(3))
    avatar = Avatar(
        HeadField(low[0], high[0], torch.zeros(3, dtype=torch.long), head),
        TorsoField(torso),
        DensityGrid(low[1], high[1], len(density)),
        background,
        camera,
    )
    if tuple(extent.shape) != tuple(avatar.torso_extent.shape):
        raise FieldFileError("the avatar's torso extent has an impossible size")
    return avatar


def _check(avatar: Avatar) -> None:
    for name, value in avatar.state_dict().items():
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise FieldFileError(f"the avatar's {name} holds numbers that are not finite")
    span = avatar.grid.box_max - avatar.grid.box_min
    if not bool(((span > 1.0) & (span < 200.0)).all()):
        raise FieldFileError("the avatar's box is no head's")
