import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import PacketError
from codec.frame_record import FrameClock, FrameRecord
from codec.operating_point import OPERATING_POINTS
from codec.packet import MAX_PACKET_SIZE, Packet
from codec.predicted_packet import (
    HEADER_SIZE,
    HELD,
    PredictedHeader,
    PredictedPacket,
    checksum,
    first_byte,
    is_predicted,
)
from codec.prediction import GAPS

NEWEST = FrameRecord(500, FrameClock(4000), np.arange(15))
BEFORE = FrameRecord(499, FrameClock(3960), np.arange(15) - 3)


def packet(sequence=503, payload=b"\x01\x02\x03"):
    header = PredictedHeader(sequence % 256, sequence - NEWEST.sequence, 1, 1)
    return PredictedPacket(header, checksum(b"us", sequence, header, payload, NEWEST, BEFORE), payload)


def test_every_header_has_a_byte_of_its_own_which_no_other_packet_has():
    headers = [
        PredictedHeader(7, gap, order, point)
        for gap in range(1, GAPS + 1)
        for order in (0, 1)
        for point in range(len(OPERATING_POINTS))
    ]
    headers += [PredictedHeader(7, gap, HELD, 0) for gap in range(1, GAPS + 1)]
    assert len({first_byte(header) for header in headers}) == len(headers)
    for header in headers:
        data = bytes(PredictedPacket(header, 0xABCD, b"xyz"))
        assert is_predicted(data)
        assert PredictedPacket.parse(data) == PredictedPacket(header, 0xABCD, b"xyz")
        with pytest.raises(PacketError):
            Packet.parse(data)


@given(st.binary(max_size=40))
def test_random_bytes_are_refused_or_canonical(data):
    with contextlib.suppress(PacketError):
        assert bytes(PredictedPacket.parse(data)) == data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "0 bytes is cut off"),
        (b"\x80ab", "3 bytes is cut off"),
        (b"\xf0" + bytes(5), "that of none"),
        (b"\x7f" + bytes(5), "that of none"),
        (b"\x80" + bytes(MAX_PACKET_SIZE), "at most"),
    ],
)
def test_what_is_none_is_refused_in_words(data, reason):
    with pytest.raises(PacketError, match=reason):
        PredictedPacket.parse(data)


def test_the_checksum_covers_what_both_sides_know():
    right = packet().checksum
    changed = FrameRecord(500, FrameClock(4000), np.arange(15) + np.eye(15, dtype=np.int64)[14])
    late = FrameRecord(500, FrameClock(4001), np.arange(15))
    slow = FrameRecord(500, FrameClock(4000, interval=2561), np.arange(15))
    header = packet().header
    others = [checksum(b"them", 503, header, b"\x01\x02\x03", NEWEST, BEFORE)]
    others += [checksum(b"us", 503 + 256, header, b"\x01\x02\x03", NEWEST, BEFORE)]
    others += [checksum(b"us", 503, header, b"\x01\x02\x03", NEWEST, None)]
    others += [checksum(b"us", 503, header, b"\x01\x02\x03", record, BEFORE) for record in (changed, late, slow)]
    assert right not in others
    assert len(set(others)) == len(others)


def test_packets_of_other_rounds_of_the_short_sequence_are_always_told_apart():
    """The upper bits lie within one burst of 16 bits, every one of which the checksum sees."""
    header = packet().header
    checks = {checksum(b"us", 503 + 256 * round_, header, b"abc", NEWEST, BEFORE) for round_ in range(256)}
    assert len(checks) == 256


def test_every_flip_of_up_to_three_bits_behind_the_first_two_bytes_is_detected():
    right = packet()
    data = bytes(right)
    whole, bits = int.from_bytes(data, "big"), 8 * (len(data) - 2)
    for first in range(bits):
        for second in range(first, bits):
            third = (first * 7 + second * 3) % bits
            flipped = (whole ^ 1 << first ^ 1 << second ^ (1 << third)).to_bytes(len(data), "big")
            if flipped == data:
                continue
            parsed = PredictedPacket.parse(flipped)
            assert checksum(b"us", 503, parsed.header, parsed.payload, NEWEST, BEFORE) != parsed.checksum


def test_text_is_short_and_says_what_it_is():
    assert str(packet()) == "frame 247 from 3 before, normal, 7 bytes"
    assert str(PredictedHeader(0, 16, HELD, 0)) == "frame 0 from 16 before, held"
    assert len(packet()) == HEADER_SIZE + 3
