import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.acknowledgement import BEFORE, SIZE, Acknowledgement, DecodedFrames
from codec.errors import AcknowledgementError, CodecError


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_what_is_parsed_is_what_was_written(newest, before):
    acknowledgement = Acknowledgement(newest, before)
    assert Acknowledgement.parse(bytes(acknowledgement)) == acknowledgement
    assert len(bytes(acknowledgement)) == SIZE


@given(st.binary(max_size=8))
def test_anything_else_is_refused(data):
    with contextlib.suppress(AcknowledgementError):
        assert bytes(Acknowledgement.parse(data)) == data
    assert issubclass(AcknowledgementError, CodecError)


def test_bytes_are_those_of_the_format():
    assert bytes(Acknowledgement(0x1234, 0x8001)).hex() == "a112348001"


@given(st.lists(st.integers(-20, 60), min_size=1, max_size=60), st.integers(0, 1 << 20))
def test_it_tells_exactly_what_was_decoded_lately(numbers, start):
    frames, told = DecodedFrames(every=1), None
    for number in numbers:
        frames.add(start + number)
        told = frames.due()
    newest = start + max(numbers)
    expected = sorted({start + n for n in numbers if max(numbers) - n <= BEFORE}, reverse=True)
    # What is older than the span when a newer one comes is forgotten, and what comes late within it is told.
    assert told is not None
    assert set(told.sequences(newest + 3)) <= set(expected)
    assert told.sequences(newest + 3)[0] == newest
    if all(late - early <= BEFORE for early, late in pairwise(numbers)):
        assert set(told.sequences(newest)) == set(expected)


def test_every_second_frame_is_told_of_and_the_first_at_once():
    frames = DecodedFrames(every=2)
    assert frames.due() is None
    frames.add(0, urgent=True)
    assert frames.due() == Acknowledgement(0, 0)
    assert frames.due() is None
    frames.add(1)
    assert frames.due() is None
    frames.add(2)
    assert frames.due() == Acknowledgement(2, 0b11)


@pytest.mark.parametrize("newest_sent", [5, 65536 + 5, 3 * 65536 - 1])
def test_numbers_are_unwrapped_to_what_has_been_sent(newest_sent):
    newest = newest_sent - 3
    assert Acknowledgement(newest % 65536, 0b101).sequences(newest_sent) == [newest, newest - 1, newest - 3]
