"""A paper avatar's bytes: round trip, and nothing but our own error for anything else, in bounded memory."""

import contextlib
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save
from torch.utils._python_dispatch import TorchDispatchMode

from app.avatar_fields import pack_sections, unpack_sections
from codec.avatar_file import AvatarFile
from renderer.avatar import Avatar
from renderer.field_container import FieldFileError
from renderer.paper.avatar import PaperAvatar
from renderer.paper.file import MAX_BYTES, MAX_DIRECTORY, pack_paper, unpack_paper
from renderer.portrait import Portrait
from renderer.portrait_file import unpack_whole
from tests.renderer.paper.scenes import tiny_avatar
from tests.renderer.scenes import small_avatar, turned

PACKED = pack_paper(tiny_avatar())
DIRECTORY = int.from_bytes(PACKED[:8], "little")
POSE = turned(0.2, 0.1), torch.tensor([0.0, 1.0, -60.0]), torch.zeros(10)


def description() -> dict[str, str]:
    return dict(json.loads(PACKED[8 : 8 + DIRECTORY])["__metadata__"])


def repacked(changes: dict[str, object], tensors: dict[str, torch.Tensor] | None = None) -> bytes:
    stated = description()
    for name, value in changes.items():
        stated[name] = value if isinstance(value, str) else json.dumps(value)
    return bytes(save({**load(PACKED), **(tensors or {})}, stated))


def test_what_is_packed_renders_nearly_the_same() -> None:
    avatar, shipped = tiny_avatar(), unpack_paper(PACKED)
    expression = torch.randn(30)
    difference = avatar.render(expression, *POSE, 32, 32).int() - shipped.render(expression, *POSE, 32, 32).int()
    assert difference.float().square().mean().sqrt() < 2.0
    assert (shipped.camera, shipped.shape, shipped.network, shipped.passes) == (
        avatar.camera, avatar.shape, avatar.network, avatar.passes,
    )  # fmt: skip
    assert not any(parameter.requires_grad for parameter in shipped.parameters())


@pytest.mark.parametrize(("portrait", "kind"), [(tiny_avatar(), PaperAvatar), (small_avatar(), Avatar)])
def test_either_field_comes_back_as_itself(portrait: Portrait, kind: type) -> None:
    shipped = unpack_sections(AvatarFile(pack_sections(portrait)))
    assert type(shipped) is kind
    picture = shipped.render(torch.zeros(30), *POSE, 16, 16)
    assert (picture.float() - portrait.render(torch.zeros(30), *POSE, 16, 16).float()).abs().mean() < 2.0


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    for unpack in (unpack_paper, unpack_whole):
        with pytest.raises(FieldFileError):
            unpack(data)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_raises_only_our_error(data: st.DataObject) -> None:
    damaged = bytearray(PACKED)
    for _ in range(data.draw(st.integers(1, 8))):
        # Half of it where the sizes are.
        last = data.draw(st.sampled_from([DIRECTORY + 7, len(PACKED) - 1]))
        damaged[data.draw(st.integers(0, last))] = data.draw(st.integers(0, 255))
    # Most damage must be refused; a changed weight may still be a field.
    with contextlib.suppress(FieldFileError):
        unpack_whole(bytes(damaged))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PACKED) - 1))
def test_truncated_bytes_are_refused(cut: int) -> None:
    with pytest.raises(FieldFileError):
        unpack_paper(PACKED[:cut])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shape", {"expression": 0, "code": 32}),
        ("shape", {"expression": 30}),
        ("shape", {"expression": 30, "code": 32, "more": 1}),
        ("shape", {"expression": True, "code": 32}),
        ("shape", [30, 32]),
        ("network", {"layers": 10**9, "width": 32, "skip": 2, "octaves": 5, "view_octaves": 2}),
        ("network", {"layers": 3, "width": 10**6, "skip": 2, "octaves": 5, "view_octaves": 2}),
        ("network", {"layers": 3, "width": 64, "skip": 2, "octaves": 5, "view_octaves": 2}),
        ("network", {"layers": 3, "width": 32, "skip": 3, "octaves": 5, "view_octaves": 2}),
        ("network", {"layers": 3, "width": 32.0, "skip": 2, "octaves": 5, "view_octaves": 2}),
        ("passes", {"coarse": 10**9, "fine": 12}),
        ("passes", {"coarse": 3, "fine": 12}),
        ("passes", {"coarse": 12, "fine": 1}),
        ("camera", [0.0, 0.5, 0.5]),
        ("camera", [2.0, 0.5]),
        ("camera", ["x", 0.5, 0.5]),
        ("camera", "[" * 10000),
        ("version", "0"),
    ],
)
def test_sizes_that_cannot_be_are_refused(name: str, value: object) -> None:
    with pytest.raises(FieldFileError):
        unpack_paper(repacked({name: value}))


class Allocated(TorchDispatchMode):
    """Counts the numbers in the tensors that are made."""

    numbers = 0

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):  # type: ignore[no-untyped-def]
        made = function(*arguments, **(keywords or {}))
        if isinstance(made, torch.Tensor) and made.device.type != "meta":
            self.numbers += made.numel()
        return made


def test_stated_sizes_take_no_memory() -> None:
    largest = {"layers": 16, "width": 512, "skip": 15, "octaves": 16, "view_octaves": 16}
    with Allocated() as allocated, pytest.raises(FieldFileError):
        unpack_paper(repacked({"network": largest}))
    assert 0 < allocated.numbers < 4 * len(PACKED), "what 16 layers of 512 take is a hundred times as much"


@pytest.mark.parametrize(
    ("name", "tensor"),
    [
        ("background", torch.zeros(4, 4, dtype=torch.uint8)),
        ("background", torch.zeros(2000, 2, 3, dtype=torch.uint8)),
        ("torso_extent", torch.zeros(2, 2, dtype=torch.uint8)),
        ("head.coarse.sigma.weight", torch.full((1, 32), torch.nan)),
        ("head.coarse.sigma.weight", torch.full((1, 32), torch.inf)),
        ("head.coarse.sigma.weight", torch.zeros(1, 32, dtype=torch.int64)),
        ("head.coarse.sigma.weight", torch.zeros(1, 31)),
        ("head.coarse.sigma.weight", torch.zeros(0)),
        ("head.box_min", torch.full((3,), 10.0)),
        ("head.box_min", torch.full((3,), -1e6)),
        ("torso.box_max", torch.full((3,), 1.0)),
        ("pose_scale", torch.zeros(12)),
        ("more", torch.zeros(3)),
    ],
)
def test_tensors_that_cannot_be_are_refused(name: str, tensor: torch.Tensor) -> None:
    with pytest.raises(FieldFileError):
        unpack_paper(repacked({}, {name: tensor}))


def test_a_missing_tensor_is_refused() -> None:
    tensors = load(PACKED)
    for name in tensors:
        left = {other: value for other, value in tensors.items() if other != name}
        with pytest.raises(FieldFileError):
            unpack_paper(bytes(save(left, description())))


def test_what_is_too_large_is_refused_unread() -> None:
    with pytest.raises(FieldFileError, match="too large"):
        unpack_paper(bytes(MAX_BYTES + 1))
    with pytest.raises(FieldFileError):
        unpack_paper((MAX_DIRECTORY + 1).to_bytes(8, "little") + bytes(MAX_DIRECTORY + 100))
