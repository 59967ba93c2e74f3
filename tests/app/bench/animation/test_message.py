import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.animation.message import HEADER_SIZE, Message, MessageError
from codec.packet import HEADER_SIZE as AVATAR_HEADER_SIZE
from codec.packet import FrameHeader, Packet

messages = st.builds(
    Message,
    network=st.binary(min_size=2, max_size=2),
    sequence=st.integers(0, 65535),
    timestamp=st.integers(0, 65535),
    key_points=st.binary(max_size=80),
    reference=st.binary(max_size=3000),
    use=st.none() | st.integers(0, 255),
    shown=st.booleans(),
)


@given(messages)
def test_a_message_comes_back(message: Message) -> None:
    assert Message.parse(bytes(message)) == message


def test_an_ordinary_frame_costs_the_header_of_the_avatar_codec() -> None:
    points = b"0123456789"
    ours = bytes(Packet(FrameHeader(b"ab", 3, 120), points))
    theirs = bytes(Message(b"ab", 3, 120, points))
    assert HEADER_SIZE == AVATAR_HEADER_SIZE
    assert len(theirs) == len(ours)


@given(messages, st.data())
def test_a_flipped_bit_is_noticed(message: Message, data: st.DataObject) -> None:
    sent = bytearray(bytes(message))
    bit = data.draw(st.integers(0, 8 * len(sent) - 1))
    sent[bit // 8] ^= 1 << bit % 8
    with pytest.raises(MessageError):
        Message.parse(bytes(sent))


@given(st.binary(max_size=40))
def test_no_other_error_than_its_own(data: bytes) -> None:
    try:
        message = Message.parse(data)
    except MessageError:
        return
    assert bytes(message) == data
