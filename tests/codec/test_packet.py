import binascii
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import PacketError
from codec.packet import HEADER_SIZE, MAX_PACKET_SIZE, FrameHeader, Packet, short_id

PACKET = Packet(FrameHeader(b"\xab\xcd", 0x1234, 0x5678, True), b"\x01\x02\x03")


def test_checksum_is_crc_16_of_the_standard_check_value():
    # CRC-16/CCITT-FALSE of "123456789" is 0x29B1; header bytes "1234567" and payload "89" make that message.
    header = FrameHeader(b"23", int.from_bytes(b"45", "big"), int.from_bytes(b"67", "big"))
    packet = Packet(header, b"89")
    assert packet._pack(0)[0] == 0x21
    # CRCs are affine in the message: replacing the first byte 0x21 by "1" (0x31) changes the sum by a known amount.
    change = binascii.crc_hqx(b"\x10" + bytes(8), 0)
    assert packet._checksum() ^ change == 0x29B1


@given(
    st.binary(min_size=2, max_size=2),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.booleans(),
    st.binary(max_size=60),
)
def test_what_is_parsed_is_what_was_written(avatar_id, sequence, timestamp, present, payload):
    packet = Packet(FrameHeader(avatar_id, sequence, timestamp, present), payload if present else b"")
    assert Packet.parse(bytes(packet)) == packet
    assert len(packet) == len(bytes(packet))


@given(st.binary(max_size=50), st.sets(st.integers(0, 8 * (HEADER_SIZE + 50) - 1), min_size=1, max_size=3))
def test_up_to_three_flipped_bits_are_always_detected(payload, bits):
    data = bytearray(bytes(Packet(PACKET.header, payload)))
    for bit in bits:
        data[bit // 8 % len(data)] ^= 1 << bit % 8
    if bytes(data) != bytes(Packet(PACKET.header, payload)):
        with pytest.raises(PacketError):
            Packet.parse(bytes(data))


def test_every_single_and_double_flip_of_one_packet_is_detected():
    data = bytes(PACKET)
    size = 8 * len(data)
    whole = int.from_bytes(data, "big")
    for first in range(size):
        for second in range(first, size):
            flipped = whole ^ (1 << first | 1 << second)
            with pytest.raises(PacketError):
                Packet.parse(flipped.to_bytes(len(data), "big"))


@pytest.mark.parametrize("length", range(len(bytes(PACKET))))
def test_a_cut_packet_is_refused(length):
    with pytest.raises(PacketError, match=f"{length} bytes is cut off" if length < HEADER_SIZE else "damaged"):
        Packet.parse(bytes(PACKET)[:length])


@given(st.binary(max_size=80))
def test_random_bytes_are_refused_or_canonical(data):
    with contextlib.suppress(PacketError):
        assert bytes(Packet.parse(data)) == data


def test_other_versions_are_named():
    with pytest.raises(PacketError, match="version 1"):
        Packet.parse(b"\x11" + bytes(PACKET)[1:])


def test_unknown_flags_are_refused_even_with_a_right_checksum():
    head = b"\x23" + bytes(PACKET)[1:7]
    data = head + binascii.crc_hqx(head, 0xFFFF).to_bytes(2, "big")
    with pytest.raises(PacketError):
        Packet.parse(data)


def test_an_absent_face_has_no_payload():
    absent = Packet(FrameHeader(b"ab", 1, 2, False), b"x")
    with pytest.raises(PacketError, match="payload"):
        Packet.parse(bytes(absent))


def test_a_packet_too_large_is_refused():
    with pytest.raises(PacketError, match="at most"):
        Packet.parse(bytes(Packet(PACKET.header, bytes(MAX_PACKET_SIZE))))


def test_short_id():
    assert short_id(bytes(range(32))) == b"\x00\x01"
    with pytest.raises(PacketError):
        short_id(b"a")


def test_text_is_short_and_says_what_it_is():
    assert str(PACKET) == "frame 4660 at 22136 ms of abcd, 12 bytes"
    assert "absent" in str(FrameHeader(b"ab", 0, 0, False))
