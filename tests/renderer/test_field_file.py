"""The fields' bytes: round trip, and nothing but our own error for anything else."""

import contextlib
import json
import lzma

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from renderer.field_file import MAX_BYTES, FieldFileError, pack_fields, unpack_fields
from tests.renderer.scenes import small_avatar, turned

PACKED = pack_fields(small_avatar())


def test_what_is_packed_renders_nearly_the_same() -> None:
    avatar, shipped = small_avatar(), unpack_fields(PACKED)
    pose = turned(0.2, 0.1), torch.tensor([0.0, 1.0, -60.0]), torch.tensor([0.01, 0.02, 0.0, 0.1, 0.0, -0.1])
    expression = torch.randn(30)
    difference = avatar.render(expression, *pose, 64, 64).int() - shipped.render(expression, *pose, 64, 64).int()
    assert difference.float().square().mean().sqrt() < 2.0
    assert shipped.camera == avatar.camera


def test_density_is_never_packed_as_less() -> None:
    before, after = small_avatar().grid.density, unpack_fields(PACKED).grid.density
    assert (after >= before - 1e-4).all()


@given(st.binary(max_size=200))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FieldFileError):
        unpack_fields(data)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_flipped_bytes_raise_only_our_error(position: int, flip: int) -> None:
    damaged = bytearray(PACKED)
    damaged[position] ^= flip
    try:
        avatar = unpack_fields(bytes(damaged))
    except FieldFileError:
        return
    # A bit that pads the compressed stream means nothing: then nothing may have changed.
    expected = unpack_fields(PACKED).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in avatar.state_dict().items())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_container_raises_only_our_error(data: st.DataObject) -> None:
    container = bytearray(lzma.decompress(PACKED))
    for _ in range(data.draw(st.integers(1, 8))):
        container[data.draw(st.integers(0, 4000))] = data.draw(st.integers(0, 255))
    # Most damage must be refused; a changed weight may still be a field.
    with contextlib.suppress(FieldFileError):
        unpack_fields(lzma.compress(bytes(container), preset=1))


@pytest.mark.parametrize("cut", [0, 1, 100, len(PACKED) // 2, len(PACKED) - 1])
def test_truncated_bytes_are_refused(cut: int) -> None:
    with pytest.raises(FieldFileError):
        unpack_fields(PACKED[:cut])


def test_a_decompression_bomb_is_refused() -> None:
    with pytest.raises(FieldFileError, match="too large"):
        unpack_fields(lzma.compress(bytes(MAX_BYTES + 1), preset=1))


def test_a_stream_that_asks_for_much_memory_is_refused() -> None:
    greedy = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 512 << 20}]
    with pytest.raises(FieldFileError, match="damaged"):
        unpack_fields(lzma.compress(lzma.decompress(PACKED), filters=greedy))


def test_numbers_that_are_not_finite_are_refused() -> None:
    avatar = small_avatar()
    avatar.head.sigma_layer.weight[0, 0] = torch.nan
    with pytest.raises(FieldFileError, match="finite"):
        unpack_fields(pack_fields(avatar))


def test_a_missing_tensor_is_refused() -> None:
    container = lzma.decompress(PACKED)
    tensors = load(container)
    size = int.from_bytes(container[:8], "little")
    metadata = json.loads(container[8 : 8 + size])["__metadata__"]
    del tensors["torso.plane"]
    with pytest.raises(FieldFileError):
        unpack_fields(lzma.compress(save(tensors, metadata)))
