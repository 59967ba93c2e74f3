"""Differences between backgrounds in bytes."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from codec.backdrop import MAX_BYTES, SIDES, decode_backdrop, encode_backdrop
from codec.backdrop_motion import LARGEST, UNIT
from codec.errors import BackdropError

SIDE = SIDES[0]


def slope(side=SIDE):
    """Return a backdrop that changes slowly from corner to corner, another way in each colour."""
    rows, columns = np.mgrid[:side, :side] / side
    return np.stack([rows - 0.5, 0.3 * columns, 0.2 * np.sin(6 * rows * columns)], axis=-1).astype(np.float32)


@pytest.mark.parametrize(("side", "first"), [(64, 8), (128, 136)])
def test_no_difference_is_next_to_nothing(side, first):
    data = encode_backdrop(np.zeros((side, side, 3)), 8)
    assert data == bytes([first, 0, 0, 0])
    assert encode_backdrop(np.zeros((side, side, 3)), 8, np.zeros((2, 3))) == data
    assert not decode_backdrop(data).difference.any()
    assert decode_backdrop(data).difference.shape == (side, side, 3)
    assert not decode_backdrop(data).motion.any()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("step", [1, 4, 16, 64])
def test_the_error_is_that_of_the_step(side, step):
    """A quantiser in an orthonormal basis: up to 3/4 of a step is rounded down, in chroma of twice that step."""
    error = decode_backdrop(encode_backdrop(slope(side), step)).difference - slope(side)
    assert np.sqrt(np.square(error @ [0.299, 0.587, 0.114]).mean()) < 0.75 * step / 255 / np.sqrt(3)
    assert np.sqrt(np.square(error).mean()) < 3.0 * 0.75 * step / 255 / np.sqrt(3)


def test_a_coarser_step_takes_fewer_bytes():
    noisy = slope() + np.random.default_rng(0).normal(0, 0.03, (SIDE, SIDE, 3))
    sizes = [len(encode_backdrop(noisy, step)) for step in (8, 16, 32, 64)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 3 * sizes[-1]


@settings(max_examples=20, deadline=None)
@given(arrays(np.float32, (4, 4, 3), elements=st.floats(-1, 1, width=32)), st.integers(4, 64))
def test_any_difference_comes_back_within_a_few_steps(patches, step):
    difference = np.kron(patches, np.ones((SIDE // 4, SIDE // 4, 1), np.float32))
    decoded = decode_backdrop(encode_backdrop(difference, step)).difference
    assert np.abs(decoded).max() <= 1.0
    assert np.sqrt(np.square(decoded - difference).mean()) < 3.0 * 0.75 * step / 255 / np.sqrt(3)


@settings(max_examples=20, deadline=None)
@given(arrays(np.float64, (2, 3), elements=st.floats(-LARGEST, LARGEST)))
def test_any_motion_comes_back_to_a_64th_of_a_pixel(motion):
    decoded = decode_backdrop(encode_backdrop(slope(), 64, motion))
    assert np.abs(decoded.motion - motion).max() <= UNIT / 2
    np.testing.assert_array_equal(decoded.difference, decode_backdrop(encode_backdrop(slope(), 64)).difference)


@pytest.mark.parametrize("number", [LARGEST + UNIT, -1.0, np.nan, np.inf])
def test_what_is_no_motion_is_refused(number):
    motion = np.zeros((2, 3))
    motion[1, 2] = number
    with pytest.raises(BackdropError, match="moved farther"):
        encode_backdrop(slope(), 8, motion)


GOLDEN = (
    "1001010101723c4ef0e9e43f7fbab369a6d2621eb82a98718c27943fe80d631bfef6505d556a1b560c4caba03ad4c6142f557aa3"
    "8b29151a63720c77dd794286e56b103cdc3a04cdeb1d3a1a6f778d049ed1"
)

GOLDEN_LARGER = (
    "900101010171c94a4a0a27de5767f429985328ec9c7dd7493271d025eae0e5a0cb62afc040888e72b331c8ef8bdb3f65a2fb196e"
    "9588d60794a9080e506316345a18724cfe61853ff7800c9b5571abe1073dcd0ea01216387994f6f26d81331f6748c901fff77019"
    "5ad283919ab976b91f3f5dfd820fde03dc348ea5d2a0d9e718ef8f6d9a9cfc8eb217740602d8e5b768ef80911e9c9f0a04c8a164"
    "e1270314733ef1522ab68e8736770eb7c3d8453c110ca7c7dc3d970cad47a55b79f795003ab1726a69f456a2eb69154d262caef8"
    "626b0ecc7ccf1a791f80ffcbb9a0f99fb564a24433ff4113d15d23e7c22a7f98f4592dac8d4411dbe06df65f028bab0c3a044c87"
    "173f065e249b029175978b3870a8e705a8eba07e4004583fbd255468565db38b03897298ce87b6435a1b97aa"
)


@pytest.mark.parametrize(("side", "golden"), [(64, GOLDEN), (128, GOLDEN_LARGER)])
def test_the_bytes_are_these(side, golden):
    """What one version codes, every later one reads."""
    decoded = decode_backdrop(bytes.fromhex(golden))
    np.testing.assert_allclose(decoded.difference, 0.2 * slope(side), atol=0.07)
    assert not decoded.motion.any()


def test_a_background_that_has_moved_has_these_bytes():
    motion = np.array([[0.125, -0.25, 0.5], [-UNIT, 0.0, 3 * UNIT]])
    data = encode_backdrop(np.zeros((SIDE, SIDE, 3)), 16, motion)
    assert data.hex() == "00" + "000800f00020ffff00000300" + "10000000"
    np.testing.assert_array_equal(decode_backdrop(data).motion, motion)


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


PLAIN = encode_backdrop(0.2 * slope(), 8)
DATA = encode_backdrop(0.2 * slope(), 8, np.array([[0.01, 0.0, 0.1], [0.0, -0.02, -0.05]]))


@given(st.integers(0, len(DATA) - 1), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_what_is_cut_or_changed_is_refused_or_another_picture(position, change):
    data = bytearray(DATA)
    if change:
        data[position] ^= change
    else:
        del data[position:]
    try:
        decoded, original = decode_backdrop(bytes(data)), decode_backdrop(DATA)
    except BackdropError:
        return
    assert np.isfinite(decoded.difference).all()
    assert np.abs(decoded.difference).max() <= 1.0
    assert np.abs(decoded.motion).max() <= LARGEST
    same = np.array_equal(decoded.difference, original.difference) and np.array_equal(decoded.motion, original.motion)
    assert not same


@given(st.binary(max_size=300))
@settings(max_examples=60, deadline=None)
def test_random_bytes_raise_only_our_error(data):
    try:
        assert np.isfinite(decode_backdrop(data).difference).all()
    except BackdropError:
        return


def test_hostile_bytes_are_refused_without_allocating():
    decode_backdrop(DATA)
    for data in (
        b"\x08" + bytes(1 << 20),
        b"\x08@@@" + b"\xff" * 8000,
        b"\x08A@@" + PLAIN[4:],
        b"\x00" + PLAIN[1:],
        b"\x41" + PLAIN[1:],
        b"\x80" + PLAIN[1:],
        b"\xc1" + PLAIN[1:],
        b"",
        b"\x00",
        b"\x00" + bytes(12) + PLAIN,
        b"\x00" + b"\xff\x7f" * 6 + PLAIN,
        DATA[:13] + DATA,
        DATA[:12],
        DATA[:16],
    ):
        tracemalloc.start()
        try:
            with pytest.raises(BackdropError):
                decode_backdrop(data)
            assert tracemalloc.get_traced_memory()[1] < 2 << 20
        finally:
            tracemalloc.stop()
