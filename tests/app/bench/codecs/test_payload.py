"""What is sent of a packet, and that the decoder gets all of it back."""

import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.codecs.access_units import vvc_access_units
from app.bench.codecs.payload import AV1_TEMPORAL_DELIMITER, START_CODE, Av1Units, NalUnits, nal_units

# Neither a start code inside nor zero bytes at the end, as emulation prevention and the stop bit see to.
nal_bodies = st.binary(min_size=1, max_size=40).map(lambda body: body.replace(b"\0", b"\x03") + b"\x80")
headers = st.sampled_from([b"\x65", b"\x41", b"\x02\x01", b"\x40\x01", b"\0\x79", b"\0\x01"])
units = st.tuples(headers, nal_bodies).map(b"".join)


@given(st.lists(units, min_size=1, max_size=4), st.sampled_from([b"\0\0\1", START_CODE]))
def test_nal_units_are_found_and_restored(expected: list[bytes], start: bytes) -> None:
    stream = b"".join(start + unit for unit in expected)
    assert nal_units(stream) == expected
    payload = NalUnits().strip(stream)
    assert nal_units(NalUnits().restore(payload)) == expected
    assert payload == expected[0] if len(expected) == 1 else len(payload) == sum(map(len, expected)) + 4 * len(expected)


def test_what_no_decoder_needs_is_dropped() -> None:
    picture, words = b"\x65\x88\x84", b"\x06\x05\xff"
    codec = NalUnits(dropped_h264_types=frozenset({6}))
    assert codec.strip(START_CODE + words + START_CODE + picture) == picture


@given(st.binary(min_size=1, max_size=400), st.sampled_from([b"\x32", b"\x36\x28"]))
def test_a_lone_obu_is_sent_without_its_size(body: bytes, header: bytes) -> None:
    size = bytes([len(body)]) if len(body) < 128 else bytes([len(body) & 0x7F | 0x80, len(body) >> 7])
    unit = AV1_TEMPORAL_DELIMITER + header + size + body
    payload = Av1Units().strip(unit)
    assert payload == bytes([header[0] & ~2]) + header[1:] + body
    assert Av1Units().restore(payload) == unit


def test_several_obus_keep_their_sizes() -> None:
    unit = AV1_TEMPORAL_DELIMITER + b"\x0a\x02ab" + b"\x32\x03cde"
    payload = Av1Units().strip(unit)
    assert payload == unit[2:]
    assert Av1Units().restore(payload) == unit


def test_vvc_frames_are_cut_where_an_independent_demuxer_cuts_them(vvc_stream: bytes) -> None:
    with av.open(io.BytesIO(vvc_stream), format="vvc") as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    assert [nal_units(unit) for unit in vvc_access_units(vvc_stream)] == [nal_units(packet) for packet in packets]
    assert len(packets) == 6


@pytest.fixture(scope="module")
def vvc_stream() -> bytes:
    from app.bench.codecs.vvc import PAYLOAD, VvcCodec
    from tests.app.bench.codecs.talking_blob import talking_blob

    packets = VvcCodec(32).encode(talking_blob(6), 25.0).packets
    return b"".join(map(PAYLOAD.restore, packets))


def test_a_stream_of_nothing_has_no_frames() -> None:
    assert vvc_access_units(b"") == []
