import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import PacketError
from codec.frame_record import GAPS, FrameClock, FrameRecord
from codec.operating_point import OPERATING_POINTS
from codec.packet import MAX_PACKET_SIZE, Packet
from codec.predicted_packet import (
    HEADER_SIZE,
    HELD,
    PredictedHeader,
    PredictedPacket,
    checksum,
    is_predicted,
    short_sequence,
)

NEWEST = FrameRecord(500, FrameClock(4000), np.arange(15))
BEFORE = FrameRecord(499, FrameClock(3960), np.arange(15) - 3)


def packet(sequence=503, payload=b"\x01\x02\x03"):
    header = PredictedHeader.of(sequence, sequence - NEWEST.sequence, 1, 1, NEWEST.point)
    return PredictedPacket(header, checksum(b"us", sequence, header, payload, NEWEST, BEFORE), payload)


def test_every_header_has_bits_of_its_own_which_no_other_packet_has():
    headers = {
        PredictedHeader.of(64 + 39, gap, order, point, reference_point)
        for gap in range(1, GAPS + 1)
        for order in (0, 1, HELD)
        for point in range(len(OPERATING_POINTS))
        for reference_point in range(len(OPERATING_POINTS))
    }
    assert len(headers) == GAPS * (2 * len(OPERATING_POINTS) + 1) + 2 * 12
    assert len({(header.kind, header.detail) for header in headers}) == len(headers)
    assert sum(not header.detail for header in headers) == 31
    for header in headers:
        data = bytes(PredictedPacket(header, 0xBCD, b"xyz"))
        assert is_predicted(data)
        assert short_sequence(data) == header.sequence == 39
        assert PredictedPacket.parse(data) == PredictedPacket(header, 0xBCD, b"xyz")
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
        (b"\x80a", "2 bytes is cut off"),
        (b"\xfcab", "fourth byte of its header is missing"),
        (b"\xfcab\x60", "fourth byte of its header is that of none"),
        (b"\xfcab\x70", "fourth byte of its header is that of none"),
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
    others += [checksum(b"us", 503 + 64, header, b"\x01\x02\x03", NEWEST, BEFORE)]
    others += [checksum(b"us", 503, header, b"\x01\x02\x03", NEWEST, None)]
    others += [checksum(b"us", 503, header, b"\x01\x02\x03", record, BEFORE) for record in (changed, late, slow)]
    assert right not in others
    assert len(set(others)) == len(others)


def test_packets_of_other_rounds_of_the_short_sequence_are_told_apart_as_well_as_12_bits_can():
    header = packet().header
    checks = [checksum(b"us", 503 + 64 * round_, header, b"abc", NEWEST, BEFORE) for round_ in range(1024)]
    assert len(set(checks)) > 500
    assert checks.count(checks[0]) <= 2


def test_hardly_any_damage_goes_unnoticed():
    right = packet(payload=bytes(range(12)))
    data = bytes(right)
    whole, bits = int.from_bytes(data, "big"), 8 * len(data)
    missed = tried = 0
    for first in range(bits - 1):
        for second in range(first, bits - 1):
            flipped = (whole ^ 1 << first ^ (1 << second if second > first else 0)).to_bytes(len(data), "big")
            try:
                parsed = PredictedPacket.parse(flipped)
            except PacketError:
                continue
            tried += 1
            missed += checksum(b"us", 503, parsed.header, parsed.payload, NEWEST, BEFORE) == parsed.checksum
    assert missed <= 4 * tried / 4096


def test_text_is_short_and_says_what_it_is():
    assert str(packet()) == "frame 55 from 3 before, as before, 6 bytes"
    assert str(PredictedHeader.of(503, 3, 1, 2, 1)) == "frame 55 from 3 before, thrifty"
    assert str(PredictedHeader(0, 16, HELD, None)) == "frame 0 from 16 before, held"
    assert len(packet()) == HEADER_SIZE + 3
