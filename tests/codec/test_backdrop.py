"""Differences between backgrounds in bytes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codec.backdrop import MAX_BYTES, SIDE, decode_backdrop, encode_backdrop
from codec.errors import BackdropError


def slope():
    """Return a backdrop that changes slowly from corner to corner, another way in each colour."""
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    return np.stack([rows - 0.5, 0.3 * columns, 0.2 * np.sin(6 * rows * columns)], axis=-1).astype(np.float32)


def test_no_difference_is_next_to_nothing():
    data = encode_backdrop(np.zeros((SIDE, SIDE, 3)), 8)
    assert data == bytes([8, 0, 0, 0])
    assert not decode_backdrop(data).any()


@pytest.mark.parametrize("step", [1, 4, 16, 64])
def test_the_error_is_that_of_the_step(step):
    """A uniform quantiser in an orthonormal basis: at most step / sqrt(12) in luma, and twice that in chroma."""
    decoded = decode_backdrop(encode_backdrop(slope(), step))
    luma = (decoded - slope()) @ [0.299, 0.587, 0.114]
    assert np.sqrt(np.square(luma).mean()) < step / 255 / np.sqrt(12)
    assert np.sqrt(np.square(decoded - slope()).mean()) < 3.0 * step / 255 / np.sqrt(12)


def test_a_coarser_step_takes_fewer_bytes():
    noisy = slope() + np.random.default_rng(0).normal(0, 0.03, (SIDE, SIDE, 3))
    sizes = [len(encode_backdrop(noisy, step)) for step in (8, 16, 32, 64)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 3 * sizes[-1]


@settings(max_examples=20, deadline=None)
@given(arrays(np.float32, (4, 4, 3), elements=st.floats(-1, 1, width=32)), st.integers(4, 64))
def test_any_difference_comes_back_within_a_few_steps(patches, step):
    difference = np.kron(patches, np.ones((SIDE // 4, SIDE // 4, 1), np.float32))
    decoded = decode_backdrop(encode_backdrop(difference, step))
    assert np.abs(decoded).max() <= 1.0
    assert np.sqrt(np.square(decoded - difference).mean()) < 3.0 * step / 255 / np.sqrt(12)


GOLDEN = (
    "1001010101723c4ef0e9e43f7fbab369a6d2621eb82a98718c27943fe80d631bfef6505d556a1b560c4caba03ad4c6142f557aa3"
    "8b29151a63720c77dd794286e56b103cdc3a04cdeb1d3a1a6f778d049ed1"
)


def test_the_bytes_are_these():
    """What one version codes, every later one reads."""
    data = encode_backdrop(0.2 * slope(), 16)
    assert data.hex() == GOLDEN
    np.testing.assert_allclose(decode_backdrop(bytes.fromhex(GOLDEN)), 0.2 * slope(), atol=0.07)


@pytest.mark.parametrize(
    "difference",
    [np.zeros((SIDE, SIDE)), np.zeros((32, 32, 3)), np.full((SIDE, SIDE, 3), np.nan), np.full((SIDE, SIDE, 3), np.inf)],
)
def test_what_is_no_difference_is_refused(difference):
    with pytest.raises(BackdropError, match="no difference"):
        encode_backdrop(difference, 8)


def test_noise_is_too_long():
    with pytest.raises(BackdropError, match=f"of at most {MAX_BYTES}"):
        encode_backdrop(np.random.default_rng(1).uniform(-1, 1, (SIDE, SIDE, 3)), 1)


DATA = encode_backdrop(0.2 * slope(), 8)


@given(st.integers(0, len(DATA) - 1), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_what_is_cut_or_changed_is_refused_or_another_picture(position, change):
    data = bytearray(DATA)
    if change:
        data[position] ^= change
    else:
        del data[position:]
    try:
        decoded = decode_backdrop(bytes(data))
    except BackdropError:
        return
    assert np.isfinite(decoded).all()
    assert np.abs(decoded).max() <= 1.0
    assert not np.array_equal(decoded, decode_backdrop(DATA))


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_random_bytes_raise_only_our_error(data):
    try:
        assert np.isfinite(decode_backdrop(data)).all()
    except BackdropError:
        return


def test_hostile_bytes_are_refused_without_allocating():
    decode_backdrop(DATA)
    for data in (
        b"\x08" + bytes(1 << 20),
        b"\x08@@@" + b"\xff" * 8000,
        b"\x08A@@" + DATA[4:],
        b"\x00" + DATA[1:],
        b"\x41" + DATA[1:],
        b"",
    ):
        tracemalloc.start()
        try:
            with pytest.raises(BackdropError):
                decode_backdrop(data)
            assert tracemalloc.get_traced_memory()[1] < 2 << 20
        finally:
            tracemalloc.stop()
