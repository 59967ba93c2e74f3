"""The paper's avatar as bytes: its weights in half precision, in a safetensors container."""

import json
import struct
from dataclasses import asdict
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from renderer.camera import Camera
from renderer.field_file import MAX_BACKGROUND, FieldFileError
from renderer.paper.avatar import PaperAvatar, PaperShape
from renderer.paper.march import Passes
from renderer.paper.network import NetworkShape

KIND = "paper"
"""Of the field, as the container's description tells it."""
VERSION = "1"
"""Changes whenever fields of before would render differently or not at all."""
MAX_BYTES = 32 << 20
"""Of the container: the paper's networks take 5 MB."""
MAX_DIRECTORY = 1 << 16
"""Bytes of the container's directory: that of four networks of eight layers has 9000."""
_BYTES = ("background", "torso_extent")
_LIMITS: dict[str, dict[str, tuple[int, int]]] = {
    "shape": {"expression": (1, 128), "code": (1, 128)},
    "network": {"layers": (2, 16), "width": (2, 512), "skip": (1, 15), "octaves": (1, 16), "view_octaves": (1, 16)},
    "passes": {"coarse": (4, 256), "fine": (2, 512)},
}
"""Least and largest value of each size in the description."""


def pack_paper(avatar: PaperAvatar) -> bytes:
    """Return the bytes of a paper avatar; ``unpack_paper`` is the inverse up to the rounding."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in avatar.state_dict().items():
        value = tensor.detach().cpu()
        if name in _BYTES:
            value = (value.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8)
        elif value.dim() == 2:
            value = value.half()
        tensors[name] = value.contiguous()
    camera = avatar.camera
    description = {
        "field": KIND,
        "version": VERSION,
        "camera": json.dumps([camera.focal, camera.cx, camera.cy]),
        "shape": json.dumps(asdict(avatar.shape)),
        "network": json.dumps(asdict(avatar.network)),
        "passes": json.dumps(asdict(avatar.passes)),
    }
    return bytes(save(tensors, description))


def is_paper(data: bytes) -> bool:
    """Return whether these are the bytes of a paper avatar, damaged or not, rather than of another field."""
    try:
        return _description(data).get("field") == KIND
    except FieldFileError:
        return False


def unpack_paper(data: bytes) -> PaperAvatar:
    """Rebuild a paper avatar on the CPU.

    Raises:
        FieldFileError: ``data`` is anything else than what ``pack_paper`` writes. What it takes of memory is bounded by
            the size of ``data``, not by what is stated in it.
    """
    if len(data) > MAX_BYTES:
        raise FieldFileError("the avatar's fields are too large")
    description = _description(data)
    if description.get("version") != VERSION:
        raise FieldFileError("the avatar's fields were made by another version of the program")
    try:
        focal, cx, cy = (float(value) for value in json.loads(description["camera"]))
        if not (0.1 <= focal <= 100.0 and -10.0 <= cx <= 10.0 and -10.0 <= cy <= 10.0):
            raise FieldFileError("the avatar's camera is out of range")
        sizes = {name: _sizes(description[name], limits) for name, limits in _LIMITS.items()}
        state = {name: _restore(name, value) for name, value in load(data).items()}
        avatar = _skeleton(sizes, Camera(focal, cx, cy), state["background"])
        avatar.load_state_dict(state, assign=True)
        _check(avatar)
    except FieldFileError:
        raise
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise FieldFileError("the avatar's fields are damaged") from error
    return avatar.requires_grad_(False)


def _description(data: bytes) -> dict[str, Any]:
    """Return what a container says of itself. Raises FieldFileError: it is none."""
    try:
        (size,) = struct.unpack_from("<Q", data)
        if size > min(MAX_DIRECTORY, len(data) - 8):
            raise ValueError("no directory")
        return dict(json.loads(data[8 : 8 + size])["__metadata__"])
    except (struct.error, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FieldFileError("the avatar's fields are damaged") from error


def _sizes(text: str, limits: dict[str, tuple[int, int]]) -> dict[str, int]:
    found = json.loads(text)
    if set(found) != set(limits) or not all(
        type(found[name]) is int and least <= found[name] <= most for name, (least, most) in limits.items()
    ):
        raise FieldFileError("the avatar's fields have unknown sizes")
    return dict(found)


def _restore(name: str, value: Tensor) -> Tensor:
    if name in _BYTES:
        return value.float() / 255.0
    if not value.is_floating_point():
        raise FieldFileError(f"the avatar's {name} holds no fractions")
    return value.float()


def _skeleton(sizes: dict[str, dict[str, int]], camera: Camera, background: Tensor) -> PaperAvatar:
    """Return an avatar of the given sizes without any numbers, into which a state that fits it can be put."""
    if background.dim() != 3 or background.shape[2] != 3 or max(background.shape) > MAX_BACKGROUND:
        raise FieldFileError("the avatar's background has an impossible size")
    shape, network, passes = PaperShape(**sizes["shape"]), NetworkShape(**sizes["network"]), Passes(**sizes["passes"])
    with torch.device("meta"):
        boxes = [(torch.zeros(3), torch.zeros(3)) for _ in range(2)]
        return PaperAvatar(boxes[0], boxes[1], background.to("meta"), camera, shape, network, passes)


def _check(avatar: PaperAvatar) -> None:
    for name, value in avatar.state_dict().items():
        if not bool(value.isfinite().all()):
            raise FieldFileError(f"the avatar's {name} holds numbers that are not finite")
    for name, field, least in (("head", avatar.head, 1.0), ("torso", avatar.torso, 1.0)):
        span = field.box_max - field.box_min
        if not bool(((span > least) & (span < 1000.0)).all()):
            raise FieldFileError(f"the avatar's box is no {name}'s")
    if not (bool(avatar.torso.box_max[2] < 0.0) and bool((avatar.pose_scale > 0.0).all())):
        raise FieldFileError("the avatar's torso is behind the camera, or its poses have no spread")
