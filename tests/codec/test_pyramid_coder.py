"""Pyramids of integers and their parts: round trips, progress, and nothing but our own error for anything else."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.errors import AvatarFileError
from codec.pyramid import MAX_MAGNITUDE, Pyramid, PyramidShape
from codec.pyramid_coder import decode_part, encode_part


def random_pyramid(planes, side, spread, seed=0, share=0.3):
    """Mostly zeros, in clumps, as a wavelet transform leaves them."""
    generator = np.random.default_rng(seed)
    bands = []
    for shape in PyramidShape(planes, side).bands:
        values = np.round(generator.laplace(0, spread, shape)).astype(np.int32)
        values[generator.random(shape) > share] = 0
        bands.append(values)
    return Pyramid.of(bands, side)


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.bands, other.bands, strict=True))


SIDES = [1, 2, 3, 4, 6, 8, 12, 16, 20, 32, 64]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.sampled_from(SIDES), st.floats(0.1, 300.0)), min_size=1, max_size=3),
    st.integers(0, 4),
    st.integers(0, 1 << 30),
)
def test_every_part_brings_the_pyramids_to_its_shift(shapes, highest, seed):
    pyramids = [random_pyramid(*shape, seed) for shape in shapes]
    known = None
    for shift in range(highest, -1, -1):
        part = encode_part(pyramids, shift, shift == highest)
        known = decode_part(part, [pyramid.shape for pyramid in pyramids], known)
        assert all(equal(found, pyramid.shifted(shift)) for found, pyramid in zip(known, pyramids, strict=True))


def test_the_largest_numbers_come_back():
    bands = [np.full(shape, MAX_MAGNITUDE - 1) for shape in PyramidShape(2, 16).bands]
    bands[-1] *= -1
    pyramid = Pyramid.of(bands, 16)
    coarse = decode_part(encode_part([pyramid], 1, True), [pyramid.shape], None)
    assert equal(decode_part(encode_part([pyramid], 0, False), [pyramid.shape], coarse)[0], pyramid)


def test_numbers_beyond_the_largest_are_refused():
    with pytest.raises(AvatarFileError, match="too large"):
        Pyramid.of([np.full((1, 4, 4), -MAX_MAGNITUDE)], 4)


def test_what_is_empty_takes_next_to_nothing():
    zeros = Pyramid.zeros(PyramidShape(30, 64))
    assert len(encode_part([zeros], 0, True)) < 100


def test_neighbours_tell_of_each_other():
    """Clumps cost less than the same integers strewn about: the contexts earn their place."""
    generator = np.random.default_rng(3)
    shape = PyramidShape(4, 64)
    clumped = [np.zeros(band, np.int32) for band in shape.bands]
    for band in clumped[-2:]:
        side = band.shape[-1]
        band[..., : side // 2, : side // 2] = np.round(generator.laplace(0, 2, (3, 4, side // 2, side // 2)))
    strewn = []
    for band in clumped:
        flat = band.reshape(-1).copy()
        generator.shuffle(flat)
        strewn.append(flat.reshape(band.shape))
    sizes = [len(encode_part([Pyramid.of(bands, 64)], 0, True)) for bands in (clumped, strewn)]
    assert sizes[0] < 0.8 * sizes[1]


def test_bit_planes_cost_little_more_than_all_at_once():
    pyramid = random_pyramid(8, 64, 3.0)
    once = len(encode_part([pyramid], 0, True))
    parts = [len(encode_part([pyramid], shift, shift == 2)) for shift in (2, 1, 0)]
    assert sum(parts) < 1.1 * once
    assert parts[0] < 0.6 * once


PYRAMID = random_pyramid(3, 32, 2.0)
FIRST, SECOND = encode_part([PYRAMID], 1, True), encode_part([PYRAMID], 0, False)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 1), st.integers(0, 1 << 30), st.integers(1, 255), st.integers(0, 1 << 30))
def test_damaged_and_cut_parts_raise_only_our_error(which, position, flip, cut):
    known = [PYRAMID.shifted(1)] if which else None
    data = bytearray((FIRST, SECOND)[which])
    data[position % len(data)] ^= flip
    for hostile in (bytes(data), bytes(data[: cut % len(data)])):
        try:
            (found,) = decode_part(hostile, [PYRAMID.shape], known)
        except AvatarFileError:
            continue
        assert [band.shape for band in found.bands] == PYRAMID.shape.bands


@given(st.binary(max_size=400))
def test_anything_raises_only_our_error(data):
    try:
        decode_part(data, [PyramidShape(1, 8)], None)
    except AvatarFileError:
        return
    assert len(data) >= 60


def test_memory_is_bounded_by_the_shapes():
    """A few bytes that decode to a great deal take what the shapes say, whatever the bytes are."""
    shape = PyramidShape(64, 128)
    data = encode_part([random_pyramid(64, 128, 2.0, share=1.0)], 0, True)
    generator = np.random.default_rng(1)
    for hostile in (data, data[:3000], data[:3000] + generator.bytes(4000)):
        tracemalloc.start()
        try:
            decode_part(hostile, [shape], None)
        except AvatarFileError:
            pass
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < 40 * shape.size
