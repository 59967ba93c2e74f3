"""Short packets: what one says comes out, several frames share one, and nothing else is taken for right."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.choice import Choice
from codec.entropy import EntropyError, SymbolDecoder, SymbolEncoder
from codec.errors import PacketError
from codec.frame_record import GAPS
from codec.message import Bundler, Message
from codec.operating_point import NORMAL, OPERATING_POINTS, THRIFTY
from codec.packet import MAX_PACKET_SIZE, Packet
from codec.predicted_packet import HELD, is_predicted
from codec.short_packet import HEADER_SIZE, MANNERS, MOST_FRAMES, ShortFront, ShortHead, ShortPacket
from tests.codec.faces import face_states, literal_tables
from tests.codec.predictions import call, literal_cross, literal_filter, literal_prediction, parameters_of


def conversation(primed=20):
    """Return both ends of a call in which the receiver has everything that was sent."""
    encoder, decoder = call(literal_tables(), literal_prediction(literal_cross(), literal_filter()), short=True)
    for index, state in enumerate(face_states(primed, size=3)):
        decoder.decode(bytes(encoder.encode(state)), state.timestamp)
        encoder.acknowledge((index,))
    return encoder, decoder


def row(encoder, count, first=20):
    """Return the packets of so many frames that travel together, and their states."""
    states = face_states(first + count, size=3)[first:]
    packets = [encoder.encode(state, range(first, first + index)) for index, state in enumerate(states)]
    return packets, states


def joined(packets):
    whole = packets[0]
    for packet in packets[1:]:
        whole = whole.joined(packet)
    return whole


@given(st.integers(1, GAPS), st.sampled_from(MANNERS), st.integers(0, len(OPERATING_POINTS) - 1))
def test_every_head_comes_out_as_it_went_in(gap, manner, point):
    order, named = manner
    head, coder = ShortHead(gap, order, point if named else None), SymbolEncoder()
    head.write(coder)
    data = coder.finish()
    said = gap if gap in (2, 3, 4) else None
    assert ShortHead.read(SymbolDecoder(data), said) == head
    # A byte and a bit at most are beyond the ideal.
    assert 8 * len(data) <= head.cost + 9


def test_the_usual_head_takes_two_bytes_and_a_fifth_of_a_bit():
    assert HEADER_SIZE == 2
    assert ShortHead(3, 1).cost < 0.2
    assert ShortHead(1, 1).cost < 2.0


@pytest.mark.parametrize("sequence", [20, 31, 32, 65535, 65536 * 3 + 7])
def test_the_front_says_number_and_gap(sequence):
    encoder, _ = conversation()
    packet = replace(row(encoder, 1)[0][0], sequence=sequence)
    for gap, said in ((1, None), (2, 2), (3, 3), (4, 4), (5, None), (16, None)):
        data = bytes(replace(packet, gap=gap))
        front = ShortFront.parse(data)
        assert is_predicted(data)
        assert (front.sequence, front.gap) == (sequence % 32, said)
        assert HEADER_SIZE + len(front.payload) == len(data)
        with pytest.raises(PacketError):
            Packet.parse(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut off"),
        (b"\x80", "cut off"),
        (b"\x7fab", "that of none"),
        (b"\x80" + bytes(MAX_PACKET_SIZE), "at most"),
    ],
)
def test_what_is_none_is_refused_in_words(data, reason):
    with pytest.raises(PacketError, match=reason):
        ShortFront.parse(data)


@pytest.mark.parametrize("count", range(1, MOST_FRAMES + 1))
@pytest.mark.parametrize("point", OPERATING_POINTS)
def test_frames_in_a_row_share_a_packet(count, point):
    encoder, decoder = conversation()
    encoder.point = point
    packets, states = row(encoder, count)
    whole = joined(packets)
    assert len(whole.frames) == count
    frames, refused = decoder.decode_message(bytes(whole), states[-1].timestamp)
    assert not refused
    assert [number for number, _ in frames] == list(range(20, 20 + count))
    for number, state in enumerate(states, 20):
        assert decoder.record(number).check == encoder.record(number).check
        assert frames[number - 20][1].timestamp == pytest.approx(state.timestamp, abs=1e-3)
    assert decoder.decode_message(bytes(whole), states[-1].timestamp) == ([], 0)


def test_together_they_show_what_they_show_one_by_one_in_fewer_bytes():
    encoder, decoder = conversation()
    _, other = conversation()
    packets, states = row(encoder, 4)
    one_by_one = [decoder.decode(bytes(packet), state.timestamp) for packet, state in zip(packets, states, strict=True)]
    together, _ = other.decode_message(bytes(joined(packets)), states[-1].timestamp)
    np.testing.assert_array_equal(parameters_of(one_by_one), parameters_of(state for _, state in together))
    assert len(joined(packets)) <= sum(map(len, packets)) - 3 * HEADER_SIZE


def test_a_face_that_stands_still_on_the_way_takes_hardly_a_byte_a_frame():
    encoder, decoder = conversation()
    state = face_states(21, size=3)[20]
    still = [replace(state, timestamp=state.timestamp + index / 25) for index in range(4)]
    packets = [encoder.encode(one, range(20, 20 + index)) for index, one in enumerate(still)]
    whole = joined(packets)
    assert [frame.order for frame in whole.frames[1:]] == [HELD] * 3
    frames, _ = decoder.decode_message(bytes(whole), still[-1].timestamp)
    assert len(frames) == 4
    assert len(whole) <= len(packets[0]) + 3


def test_what_is_no_row_is_not_joined():
    encoder, _ = conversation()
    (first, second, third, fourth, fifth), _ = row(encoder, 5)
    assert first.joined(third) is None
    assert first.joined(replace(second, point=2)) is None
    assert first.joined(replace(second, gap=2)) is None
    assert joined((first, second, third, fourth)).joined(fifth) is None


def test_the_second_frame_uses_the_one_before_the_first_once_it_has_come():
    for heard in (False, True):
        encoder, decoder = conversation(19)
        states = face_states(22, size=3)
        decoder.decode(bytes(encoder.encode(states[19])), states[19].timestamp)
        first = encoder.encode(states[20])
        assert first.gap == 2
        if heard:
            encoder.acknowledge((19,))
        second = encoder.encode(states[21], (20,))
        assert second.frames[0].order == heard
        frames, refused = decoder.decode_message(bytes(first.joined(second)), states[21].timestamp)
        assert (len(frames), refused) == (2, 0)


def test_the_checksum_is_over_all_that_the_frames_are_predicted_from():
    for number in (19, 18):
        encoder, decoder = conversation()
        packets, states = row(encoder, 2)
        decoder.record(number).values[1] += 1
        assert decoder.decode_message(bytes(joined(packets)), states[-1].timestamp) == ([], 1)
        assert decoder.sequence == 19


def test_a_packet_whose_second_frame_is_damaged_leaves_no_trace():
    encoder, decoder = conversation()
    packets, states = row(encoder, 3)
    right = bytes(joined(packets))
    refused = sum(
        decoder.decode_message(right[:place] + bytes([right[place] ^ 1 << bit]) + right[place + 1 :], 100.8)[1]
        for place in range(len(right))
        for bit in range(8)
        if place != 0
    )
    assert refused >= 8 * (len(right) - 1) - 3
    assert [decoder.record(number) for number in (20, 21, 22)] == [None] * 3
    assert len(decoder.decode_message(right, states[-1].timestamp)[0]) == 3


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.integers(0, 3), st.integers(1, 6)), min_size=10),
    st.sampled_from([0, 65500]),
)
def test_whatever_is_lost_all_that_arrives_is_decoded(fates, start):
    """Of each message: whether it is lost, its frames, the bundles that it repeats, and when the sender hears of it."""
    encoder, decoder = call(literal_tables(), literal_prediction(), start, short=True)
    bundler, heard = Bundler(), []
    states = face_states(len(fates), size=3)
    for index, (state, (lost, frames, repeats, back)) in enumerate(zip(states, fates, strict=True)):
        for numbers in [numbers for due, numbers in heard if due == index]:
            encoder.acknowledge(numbers)
        encoder.point = THRIFTY if index % 13 == 5 else NORMAL
        packet = encoder.encode(state, bundler.along)
        urgent = encoder.waits_for(packet)
        sent = bundler.add(start + index, packet, urgent=urgent, frames=frames, repeats=repeats)
        if sent is None or lost:
            continue
        new = [number for number in sent.frames if decoder.record(number) is None]
        decoded, refused = decoder.decode_message(sent.data, state.timestamp)
        assert ([number for number, _ in decoded], refused) == (new, 0)
        assert all(decoder.record(number).check == encoder.record(number).check for number in sent.frames)
        heard.append((index + back, sent.frames))


def test_a_bundle_is_one_packet_unless_that_would_be_too_long_to_be_followed():
    encoder, _ = call(literal_tables(), literal_prediction(), short=True)
    packets = [encoder.encode(state) for state in face_states(20, size=3)]
    encoder.acknowledge(range(20))
    bundler = Bundler()
    wild = np.random.default_rng(1)
    messages = []
    for index, state in enumerate(face_states(80, size=3)[20:], 20):
        expression = (state.expression + 300 * wild.normal(size=3) * (index > 50)).astype(np.float32)
        packet = encoder.encode(replace(state, expression=expression), bundler.along)
        message = bundler.add(index, packet, urgent=False, frames=4, repeats=1)
        if message is not None:
            messages.append(message)
            encoder.acknowledge(message.frames)
    counts = [len(Message.parse(message.data).packets) for message in messages]
    assert counts[0] == 1
    assert set(counts[1:]) == {2}
    assert len(packets) == 20
    for earlier, later in pairwise(messages):
        assert Message.parse(later.data).packets[0] == Message.parse(earlier.data).packets[-1]


def test_a_choice_has_shares_that_sum_to_256():
    coder = SymbolEncoder()
    for choice, value in ((Choice(128, 128), 1), (Choice(250, 5, 1), 2), (Choice(64, 64, 64, 64), 0)):
        choice.put(coder, value)
    decoder = SymbolDecoder(coder.finish())
    assert [choice.get(decoder) for choice in (Choice(128, 128), Choice(250, 5, 1), Choice(64, 64, 64, 64))] == [
        1,
        2,
        0,
    ]
    assert Choice(128, 128).cost(1) == pytest.approx(1.0, abs=1e-3)
    for shares in ((256, 0), (100, 100), (257, -1)):
        with pytest.raises(EntropyError, match="256"):
            Choice(*shares)


def test_text_is_short_and_says_what_it_is():
    encoder, _ = conversation()
    packet = joined(row(encoder, 2)[0])
    assert isinstance(packet, ShortPacket)
    assert str(packet) == "2 from frame 20 on, from 1 before, normal"
    assert len(packet) == len(bytes(packet))
