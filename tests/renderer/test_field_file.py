"""The fields' bytes: round trip, and nothing but our own error for anything else."""

import json
import lzma

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from renderer.avatar import Avatar
from renderer.field_container import MAX_BYTES, FieldFileError
from renderer.field_file import PackedFields, open_fields, pack_fields
from renderer.field_file_3 import unpack_fields_3
from renderer.torso_modes import linear_modes
from tests.renderer.scenes import small_avatar, turned

CENTRE = torch.tensor([0.5, 0.8])
PACKED = pack_fields(small_avatar())
FACE_ONLY = pack_fields(small_avatar(wide=0))
"""As before all of the head moved in its own space."""
FOUR = pack_fields(small_avatar(modes=4, wide=0))
"""As before files said how many modes there are."""
LATER = ("modes", "wide_resolution", "wide_expression")
"""Sizes that the first files did not say."""
WHOLE = dict.fromkeys(PACKED.planes, 0)


def moved_linearly(avatar: Avatar) -> Avatar:
    """Let the torso move as it did in versions 3 and 4: by a linear part about a centre."""
    torso = avatar.torso
    torso.load_state_dict(torso.state_dict() | {"modes": linear_modes(CENTRE)})
    return avatar


def pack_version_3(avatar: Avatar) -> bytes:
    """What version 3 wrote."""
    tensors = {"torso.centre": CENTRE}
    for name, value in avatar.state_dict().items():
        if name in ("torso.modes", "head.wide_planes"):
            continue
        if (levels := {"head.static_planes": 31, "head.basis_planes": 11, "torso.plane": 31}.get(name)) is not None:
            scale = value.abs().amax((-1, -2), keepdim=True).clamp_min(1e-8) / levels
            tensors[name], tensors[f"{name}.scale"] = (value / scale).round().to(torch.int8), scale
        elif name in ("background", "torso_extent"):
            tensors[name] = (value * 255.0).round().to(torch.uint8)
        elif name == "grid.density":
            tensors[name] = (torch.log2(1.0 + value / 0.01) * 16.0).clamp(0.0, 255.0).ceil().to(torch.uint8)
        else:
            tensors[name] = value.half() if value.is_floating_point() and value.dim() == 2 else value
    shapes = {
        part: json.dumps({name: getattr(shape, name) for name in type(shape).__slots__ if name not in LATER})
        for part, shape in (("head", avatar.head.shape), ("torso", avatar.torso.shape))
    }
    description = {"version": "3", "camera": json.dumps([2.0, 0.5, 0.5]), **shapes}
    return lzma.compress(save({name: value.contiguous() for name, value in tensors.items()}, description), preset=1)


def rms(one: Avatar, other: Avatar) -> float:
    pose = turned(0.2, 0.1), torch.tensor([0.0, 1.0, -60.0])
    torso = torch.tensor([0.01, 0.02, 0.0, 0.1, 0.0, -0.1, 0.1, 0.0, 0.0, 0.05])[: 2 + one.torso.shape.modes]
    expression = torch.randn(30, generator=torch.Generator().manual_seed(2))
    pictures = [avatar.render(expression, *pose, torso, 64, 64).int() for avatar in (one, other)]
    return float((pictures[0] - pictures[1]).float().square().mean().sqrt())


def test_what_is_packed_renders_nearly_the_same() -> None:
    avatar = small_avatar()
    shipped = open_fields(PACKED.base).avatar(PACKED.planes, WHOLE)
    assert rms(avatar, shipped) < 2.0
    assert shipped.camera == avatar.camera


def test_missing_bit_planes_make_it_coarser_and_no_worse_than_that() -> None:
    avatar, base = small_avatar(), open_fields(PACKED.base)
    errors = []
    for shift in (0, 2, 4):
        planes = {
            name: [(band.sign() * (band.abs() >> shift)).to(torch.int16) for band in bands]
            for name, bands in PACKED.planes.items()
        }
        errors.append(rms(avatar, base.avatar(planes, dict.fromkeys(planes, shift))))
    assert errors[0] < errors[1] < errors[2] < 60.0


def test_fields_of_version_3_are_still_read() -> None:
    avatar = moved_linearly(small_avatar(modes=4, wide=0))
    assert rms(avatar, unpack_fields_3(pack_version_3(avatar))) < 2.0


def test_fields_of_version_4_are_still_read() -> None:
    data = of_version("4", without="torso.modes", more={"torso.centre": CENTRE})
    assert rms(moved_linearly(small_avatar(modes=4, wide=0)), open_fields(data).avatar(FOUR.planes, WHOLE)) < 2.0


def test_fields_of_version_5_are_still_read() -> None:
    avatar = small_avatar(modes=4, wide=0)
    modes = torch.randn(avatar.torso.modes.shape) * 0.1
    avatar.torso.load_state_dict(avatar.torso.state_dict() | {"modes": modes})
    data = of_version("5", more={"torso.modes": modes})
    assert rms(avatar, open_fields(data).avatar(FOUR.planes, WHOLE)) < 2.0


def test_fields_of_version_6_are_still_read() -> None:
    shape = without_later(json.loads(description_of(FACE_ONLY)["head"]))
    data = changed(packed=FACE_ONLY, version="6", head=json.dumps(shape))
    avatar = open_fields(data).avatar(FACE_ONLY.planes, WHOLE)
    assert rms(small_avatar(wide=0), avatar) < 2.0
    # Packed anew, it is one of today that has none of what came later.
    again = pack_fields(avatar)
    assert rms(avatar, open_fields(again.base).avatar(again.planes, WHOLE)) < 2.0


def test_fields_of_version_7_are_still_read() -> None:
    avatar, still = small_avatar(wide_expression=0), small_avatar(wide=0)
    avatar.head.wide_planes.mul_(200.0)
    packed = pack_fields(avatar)
    shape = json.loads(description_of(packed)["head"])
    del shape["wide_expression"]
    data = changed(packed=packed, version="7", head=json.dumps(shape))
    assert rms(avatar, still) > 4.0 * rms(avatar, open_fields(data).avatar(packed.planes, WHOLE))


def test_a_torso_lies_where_it_lay_and_in_fields_of_version_8_in_the_frame() -> None:
    avatar = small_avatar()
    frame, box = torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.tensor([[-0.1, 0.3], [1.0, 1.25]])
    for version, lies in (("9", box), ("8", frame)):
        avatar.torso.box_min.copy_(lies[0])
        avatar.torso.box_max.copy_(lies[1])
        packed = pack_fields(avatar)
        data = changed(packed=packed, version=version)
        shipped = open_fields(data).avatar(packed.planes, WHOLE)
        assert torch.equal(torch.stack((shipped.torso.box_min, shipped.torso.box_max)), lies)
        assert rms(avatar, shipped) < 2.0


@pytest.mark.parametrize(
    "corner", [[0.0, 0.0], [1.0, -1.0], [9.0, 1.0], [torch.nan, 1.0], [1.0], [[1.0, 1.0], [1.0, 1.0]]]
)
def test_a_torso_that_lies_nowhere_is_refused(corner: list[float]) -> None:
    with pytest.raises(FieldFileError):
        open_fields(changed(more={"torso.box_max": torch.tensor(corner)})).avatar(PACKED.planes, WHOLE)


def test_a_torso_without_a_place_is_refused() -> None:
    with pytest.raises(FieldFileError):
        open_fields(changed("torso.box_min")).avatar(PACKED.planes, WHOLE)


def test_more_of_the_expression_than_there_is_is_refused() -> None:
    shape = json.loads(description_of(PACKED)["head"]) | {"wide_expression": 31}
    with pytest.raises(FieldFileError, match="more of the expression"):
        open_fields(changed(head=json.dumps(shape)))


def test_what_moves_all_of_the_head_is_packed_with_it() -> None:
    avatar, still = small_avatar(), small_avatar()
    avatar.head.wide_planes.mul_(200.0)
    packed = pack_fields(avatar)
    shipped = open_fields(packed.base).avatar(packed.planes, WHOLE)
    assert rms(avatar, still) > 4.0 * rms(avatar, shipped)


@pytest.mark.parametrize("count", [0, 17, 1024])
def test_more_modes_than_are_made_are_refused(count: int) -> None:
    with pytest.raises(FieldFileError):
        open_fields(changed(torso=json.dumps(json.loads(description_of(PACKED)["torso"]) | {"modes": count})))


@pytest.mark.parametrize("centre", [torch.zeros(0), torch.zeros(3, 3), torch.tensor(0.5), torch.full((2,), torch.nan)])
def test_a_centre_that_is_none_is_refused(centre: torch.Tensor) -> None:
    data = of_version("4", without="torso.modes", more={"torso.centre": centre})
    with pytest.raises(FieldFileError):
        open_fields(data).avatar(FOUR.planes, WHOLE)


def test_fields_of_an_unknown_version_are_refused_in_a_sentence() -> None:
    for unpack in (open_fields, unpack_fields_3):
        with pytest.raises(FieldFileError, match=r"^the avatar's fields were made by another version of the program$"):
            unpack(changed(version="99"))


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    for unpack in (open_fields, unpack_fields_3):
        with pytest.raises(FieldFileError):
            unpack(data)


def opened(data: bytes) -> None:
    """Read a base that may be hostile, and all that is made of it; nothing but our error may come out."""
    try:
        base = open_fields(data)
        if base.planes == open_fields(PACKED.base).planes:
            base.avatar(PACKED.planes, WHOLE)
    except FieldFileError:
        pass


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PACKED.base) - 1), st.integers(1, 255))
def test_flipped_bytes_raise_only_our_error(position: int, flip: int) -> None:
    damaged = bytearray(PACKED.base)
    damaged[position] ^= flip
    opened(bytes(damaged))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_container_raises_only_our_error(data: st.DataObject) -> None:
    container = bytearray(lzma.decompress(PACKED.base))
    for _ in range(data.draw(st.integers(1, 8))):
        container[data.draw(st.integers(0, 4000))] = data.draw(st.integers(0, 255))
    opened(lzma.compress(bytes(container), preset=1))


@pytest.mark.parametrize("cut", [0, 1, 100, 9000, -1])
def test_truncated_bytes_are_refused(cut: int) -> None:
    with pytest.raises(FieldFileError):
        open_fields(PACKED.base[:cut])


def test_a_decompression_bomb_is_refused() -> None:
    with pytest.raises(FieldFileError, match="too large"):
        open_fields(lzma.compress(bytes(MAX_BYTES + 1), preset=1))


def test_a_stream_that_asks_for_much_memory_is_refused() -> None:
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 512 << 20}]
    with pytest.raises(FieldFileError, match="damaged"):
        open_fields(lzma.compress(lzma.decompress(PACKED.base), filters=greedy))


def test_numbers_that_are_not_finite_are_refused() -> None:
    avatar = small_avatar()
    avatar.head.sigma_layer.weight[0, 0] = torch.nan
    packed = pack_fields(avatar)
    with pytest.raises(FieldFileError, match="finite"):
        open_fields(packed.base).avatar(packed.planes, WHOLE)


def test_a_box_without_extent_is_refused() -> None:
    for part in ("head", "grid"):
        avatar = small_avatar()
        box = getattr(avatar, part)
        box.box_max.copy_(box.box_min)
        packed = pack_fields(avatar)
        with pytest.raises(FieldFileError, match="no head's"):
            open_fields(packed.base).avatar(packed.planes, WHOLE)


def description_of(packed: PackedFields) -> dict[str, str]:
    container = lzma.decompress(packed.base)
    size = int.from_bytes(container[:8], "little")
    description: dict[str, str] = json.loads(container[8 : 8 + size])["__metadata__"]
    return description


def without_later(shape: dict[str, int]) -> dict[str, int]:
    return {name: size for name, size in shape.items() if name not in LATER}


def of_version(version: str, without: str | None = None, more: dict[str, torch.Tensor] | None = None) -> bytes:
    head, torso = (without_later(json.loads(description_of(FOUR)[part])) for part in ("head", "torso"))
    return changed(without, more, FOUR, version=version, head=json.dumps(head), torso=json.dumps(torso))


def changed(
    without: str | None = None,
    more: dict[str, torch.Tensor] | None = None,
    packed: PackedFields = PACKED,
    **description: str,
) -> bytes:
    tensors = load(lzma.decompress(packed.base))
    metadata = description_of(packed) | description
    if without is not None:
        del tensors[without]
    tensors |= more or {}
    return lzma.compress(save(tensors, metadata), preset=1)


def test_a_missing_tensor_is_refused() -> None:
    for name in ("torso.plane.steps", "torso.modes", "torso_extent"):
        with pytest.raises(FieldFileError):
            open_fields(changed(without=name)).avatar(PACKED.planes, WHOLE)
    for name in ("grid.density", "head.window"):
        with pytest.raises(FieldFileError):
            open_fields(changed(without=name))


@pytest.mark.parametrize(
    "description",
    [
        {"background": "4096"},
        {"background": "true"},
        {"background": "[]"},
        {"head": json.dumps({"expression": 1024, "channels": 16})},
        {"camera": "[NaN, 0.5, 0.5]"},
        {"camera": "{}"},
    ],
)
def test_impossible_sizes_are_refused(description: dict[str, str]) -> None:
    with pytest.raises(FieldFileError):
        open_fields(changed(**description))


def test_sizes_that_are_each_possible_are_bounded_together() -> None:
    shape = {name: getattr(small_avatar().head.shape, name) for name in small_avatar().head.shape.__slots__}
    with pytest.raises(FieldFileError, match="larger than any"):
        open_fields(
            changed(head=json.dumps(shape | {"expression": 1024, "moving_resolution": 1024, "resolution": 1024}))
        )
