"""Messages of several packets: what is in them comes out, and what is lost comes again with the next."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.encoder import FrameEncoder
from codec.errors import PacketError
from codec.message import MAX_MESSAGE_SIZE, MAX_PACKETS, Bundler, Message
from codec.predicted_packet import PredictedPacket
from tests.codec.faces import AVATAR, face_states, fitted_tables, literal_tables
from tests.codec.predictions import call, literal_prediction

PACKETS = st.binary(min_size=1, max_size=255)
SOME_BYTE = st.integers(0, 255)


@given(st.lists(PACKETS, min_size=2, max_size=4), PACKETS)
def test_packets_come_out_as_they_went_in(packets, last):
    message = Message((*packets, last))
    assert Message.parse(bytes(message)) == message
    assert len(bytes(message)) == 1 + len(packets) + sum(map(len, message.packets))


@given(st.binary(max_size=80))
def test_any_bytes_are_packets_or_refused(data):
    with contextlib.suppress(PacketError):
        message = Message.parse(data)
        assert bytes(message) == data
        assert all(message.packets)


@pytest.mark.parametrize("first", [0x20, 0x21, 0x80, 0xEF])
def test_a_single_packet_is_its_own_message(first):
    data = bytes([first, 1, 2, 3])
    assert bytes(Message((data,))) == data
    assert Message.parse(data).packets == (data,)


def test_literal_bytes():
    assert bytes(Message((b"\x21ab", b"\x80c", b"\x81def"))).hex() == "410302216162" + "8063" + "81646566"


@pytest.mark.parametrize("data", [b"", b"\x40", b"\x40\x00abc", b"\x40\x03abc", b"\x5f" + bytes(40)])
def test_cut_off_messages_are_refused(data):
    with pytest.raises(PacketError, match=r"empty|cut off"):
        Message.parse(data)


def frames_of(outgoing):
    return [one if one is None else one.frames for one in outgoing]


def test_bundles_and_repetitions():
    bundler = Bundler()

    def add(number, frames, repeats, alone=False):
        return bundler.add(number, bytes([0x80, number]), urgent=alone, frames=frames, repeats=repeats)

    assert frames_of(add(number, 1, 0) for number in range(3)) == [(0,), (1,), (2,)]
    assert frames_of(add(number, 1, 2) for number in range(3, 5)) == [(1, 2, 3), (2, 3, 4)]
    assert frames_of(add(number, 2, 1) for number in range(5, 9)) == [None, (4, 5, 6), None, (5, 6, 7, 8)]
    assert add(9, 3, 0) is None
    assert bundler.along == (9,)
    # A frame that was coded alone does not wait.
    sent = add(10, 3, 0, alone=True)
    assert (sent.frames, sent.new, sent.urgent) == ((9, 10), 2, True)
    assert bundler.along == ()
    assert bundler.close(1) is None
    add(11, 4, 0)
    assert bundler.close(1).frames == (9, 10, 11)
    assert Message.parse(bundler.add(12, b"\x80z", urgent=False, frames=1, repeats=4).data).packets[-1] == b"\x80z"


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 9), st.integers(0, 9)), max_size=60))
def test_every_message_fits_a_datagram_and_no_frame_is_left_out(sizes):
    bundler, told = Bundler(), []
    for number, (size, frames, repeats) in enumerate(sizes):
        sent = bundler.add(number, b"\x80" * size, urgent=False, frames=frames, repeats=repeats)
        if sent is not None:
            assert len(sent.data) <= MAX_MESSAGE_SIZE
            assert len(Message.parse(sent.data).packets) == len(sent.frames) <= MAX_PACKETS
            told += sent.frames[-sent.new :]
    told += bundler.along
    assert told == list(range(len(sizes)))


def test_the_second_frame_of_a_message_is_predicted_from_the_first_and_is_smaller():
    encoder, decoder = call()
    sizes = {}
    for together in (1, 2):
        encoder, decoder = call()
        bundler, sizes[together] = Bundler(), 0
        for index, state in enumerate(face_states(200, seed=5)):
            encoder.acknowledge(range(index - 5, index - 3))
            packet = encoder.encode(state, bundler.along)
            alone = not isinstance(packet, PredictedPacket)
            if index > 10 and bundler.along:
                assert packet.header.gap == 1
            if (sent := bundler.add(index, bytes(packet), urgent=alone, frames=together, repeats=0)) is not None:
                sizes[together] += len(sent.data)
                for data in Message.parse(sent.data).packets:
                    decoder.decode(data, state.timestamp)
    assert sizes[2] < 0.97 * sizes[1]


FATES = st.tuples(
    st.booleans(),  # whether the message is lost
    st.integers(1, 4),  # frames of a message
    st.integers(0, 3),  # bundles that are repeated
    st.integers(1, 6),  # frames until the sender hears of it
)


@settings(deadline=None)
@given(st.lists(FATES, min_size=10, max_size=60))
def test_whatever_is_lost_all_that_arrives_is_decoded(fates):
    encoder, decoder = call(literal_tables(), literal_prediction())
    bundler, heard = Bundler(), []
    for index, (lost, frames, repeats, back) in enumerate(fates):
        for numbers in [numbers for due, numbers in heard if due == index]:
            encoder.acknowledge(numbers)
        state = face_states(len(fates), size=3)[index]
        packet = encoder.encode(state, bundler.along)
        alone = not isinstance(packet, PredictedPacket)
        sent = bundler.add(index, bytes(packet), urgent=alone, frames=frames, repeats=repeats)
        if sent is None or lost:
            continue
        new = [number for number in sent.frames if decoder.record(number) is None]
        frames, refused = decoder.decode_message(sent.data, state.timestamp)
        assert ([number for number, _ in frames], refused) == (new, 0)
        for number in sent.frames:
            assert decoder.record(number).check == encoder.record(number).check
        assert decoder.decode_message(sent.data, state.timestamp) == ([], 0)
        heard.append((index + back, sent.frames))


def test_frames_without_a_face_are_told_once_too():
    encoder, decoder = call()
    bundler = Bundler()
    for index, state in enumerate(face_states(8)):
        packet = encoder.encode(replace(state, present=index != 3))
        sent = bundler.add(index, bytes(packet), urgent=True, frames=1, repeats=2)
        frames, refused = decoder.decode_message(sent.data, state.timestamp)
        assert ([number for number, _ in frames], refused) == ([index], 0)
        assert frames[0][1].present == (index != 3)


@pytest.mark.parametrize("short", [False, True])
@settings(deadline=None)
@given(data=st.binary(max_size=60) | st.builds(lambda first, size: bytes([first]) * size, SOME_BYTE, st.just(1300)))
def test_a_message_of_anything_raises_nothing(data, short):
    encoder, decoder = call(literal_tables(), literal_prediction(), short=short)
    for state in face_states(3, size=3):
        decoder.decode(bytes(encoder.encode(state)), state.timestamp)
        encoder.acknowledge((encoder.sequence - 1,))
    frames, refused = decoder.decode_message(data, 100.0)
    assert len(frames) + refused >= 1 or decoder.knows(data)


def test_one_damaged_packet_of_a_message_does_not_spoil_the_others():
    encoder, decoder = call()
    packets = [bytes(encoder.encode(state)) for state in face_states(3)]
    packets[1] = packets[1][:-1] + b"\0"
    frames, refused = decoder.decode_message(bytes(Message(tuple(packets))), 100.0)
    assert ([number for number, _ in frames], refused) == ([0, 2], 1)


def test_a_sender_waits_for_the_first_frames_alone_where_others_can_be_predicted_from_them():
    state = face_states(1)[0]
    encoder, _ = call()
    assert encoder.waits_for(encoder.encode(state))
    assert not encoder.waits_for(encoder.encode(replace(state, present=False)))
    encoder.acknowledge((0,))
    assert not encoder.waits_for(encoder.encode(state))
    plain = FrameEncoder(fitted_tables(), AVATAR)
    assert not plain.waits_for(plain.encode(state))
