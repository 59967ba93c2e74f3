"""The rendezvous protocol: what is said comes out the same, and nothing else comes out at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.messages import (
    MAX_MESSAGE_BYTES,
    REFUSALS,
    Description,
    Join,
    Joined,
    MessageError,
    PeerArrived,
    PeerGone,
    Refused,
    make_room_code,
    normalise_room_code,
    parse,
    serialise,
)

codes = st.from_regex(r"[a-z0-9][a-z0-9_-]{1,20}[a-z0-9]", fullmatch=True)
messages = st.one_of(
    st.builds(Join, codes, st.booleans(), st.floats(0, 600), st.integers(0, 1 << 40)),
    st.builds(Description, st.sampled_from(["offer", "answer"]), st.text(min_size=1, max_size=300)),
    st.builds(Joined, st.booleans()),
    st.just(PeerArrived()),
    st.just(PeerGone()),
    st.builds(Refused, st.sampled_from(REFUSALS)),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


@given(messages)
def test_what_is_serialised_parses_to_the_same(message):
    text = serialise(message)
    assert text.isascii()
    assert parse(text) == message


@given(st.text() | st.binary() | json_values.map(json.dumps))
def test_anything_else_is_refused_as_a_message_error(text):
    with pytest.raises(MessageError):
        parse(text)


@given(messages, st.data())
def test_a_message_with_one_field_replaced_is_valid_or_refused(message, data):
    content = json.loads(serialise(message))
    name = data.draw(st.sampled_from(sorted(content)))
    content[name] = data.draw(json_values)
    try:
        again = parse(json.dumps(content))
    except MessageError:
        return
    # What passed is made of exactly the values that were sent.
    assert json.loads(serialise(again)) == content


@pytest.mark.parametrize(
    "text",
    [
        "[" * 16000,
        '{"type":"joined","first":1}',
        '{"type":"joined"}',
        '{"type":"joined","first":true,"more":0}',
        '{"type":"join","room":"abc","opens":true,"wait":1e400,"version":1}',
        '{"type":"join","room":"abc","opens":true,"wait":NaN,"version":1}',
        '{"type":"join","room":"abc","opens":true,"wait":-1,"version":1}',
        '{"type":"join","room":"../etc","opens":true,"wait":0,"version":1}',
        '{"type":"join","room":"ABC","opens":true,"wait":0,"version":1}',
        '{"type":"join","room":"abc","opens":true,"wait":' + "9" * 4000 + ',"version":1}',
        '{"type":"description","kind":"pranswer","sdp":"v=0"}',
        '{"type":"description","kind":"offer","sdp":""}',
        '{"type":"description","kind":"offer","sdp":"' + "v" * 12289 + '"}',
        '{"type":["join"]}',
        '{"type":"refused","code":"because"}',
        '"' + "x" * MAX_MESSAGE_BYTES + '"',
    ],
)
def test_hostile_messages(text):
    with pytest.raises(MessageError):
        parse(text)


def test_room_codes():
    assert normalise_room_code("  Blue-Door_7 ") == "blue-door_7"
    for bad in ("", "ab", "a b c", "-abc", "abc-", "a" * 65, "käse", "a\nb", "room/1", "abc\x1b[2J"):
        with pytest.raises(MessageError, match="is not a room code") as caught:
            normalise_room_code(bad)
        assert str(caught.value).isprintable()
    made = {make_room_code() for _ in range(200)}
    assert len(made) == 200
    assert all(normalise_room_code(code) == code for code in made)
