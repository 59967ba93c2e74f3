"""The handshake of a call, without a network."""

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.session import (
    Agreement,
    Handshake,
    Hello,
    OwnershipError,
    Rights,
    Role,
    SessionError,
    backdrop_message,
    backdrop_of,
)
from codec.backdrop import MAX_BYTES
from signaling.channels import MAX_CONTROL_BYTES
from signaling.identity import OwnerKey, create_owner_key

AVATAR, TABLES, RECORDING = b"A" * 32, b"T" * 32, b"R" * 32
PREDICTION = b"P" * 32
RECEIVER = Hello(Role.RECEIVER, AVATAR, TABLES, b"r" * 32, prediction=PREDICTION)
SENDER = Hello(Role.SENDER, AVATAR, TABLES, b"s" * 32, prediction=PREDICTION)
FINGERPRINTS = b"1" * 32, b"2" * 32


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "owner.key"
    create_owner_key(path)
    return OwnerKey.read(path)


def converse(sender, receiver):
    """Pass messages back and forth, as JSON, until nobody has more to say; return what each side raised."""
    pending = [(receiver, message) for message in sender.start()] + [(sender, message) for message in receiver.start()]
    errors = {}
    while pending:
        to, message = pending.pop(0)
        other = sender if to is receiver else receiver
        if to in errors:
            continue
        try:
            answers = to.receive(json.loads(json.dumps(message)))
        except SessionError as error:
            errors[to] = str(error)
            answers = [{"type": "denied"}] if isinstance(error, OwnershipError) else []
        pending += [(other, answer) for answer in answers]
    return errors.get(sender), errors.get(receiver)


def pair(rights=None, key=None, sender=SENDER, receiver=RECEIVER, sender_prints=FINGERPRINTS):
    rights = rights or Rights()
    return Handshake(sender, rights, sender_prints, key), Handshake(receiver, rights, FINGERPRINTS[::-1])


def test_two_sides_that_fit():
    sender, receiver = pair()
    assert converse(sender, receiver) == (None, None)
    assert sender.done
    assert receiver.done


def test_the_owner_proves_it(key):
    sender, receiver = pair(Rights(owner=key.public_key), key)
    assert converse(sender, receiver) == (None, None)
    assert sender.done
    assert receiver.done


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"codec": 99}, "codec version"),
        ({"avatar": b"B" * 32}, "same .avatar file"),
        ({"tables": b"B" * 32}, "coding tables"),
        ({"prediction": b"B" * 32}, "other prediction tables"),
        ({"role": Role.RECEIVER}, "both sides of this room receive"),
    ],
)
def test_what_does_not_fit_is_found_by_both_sides(change, words):
    sender, receiver = pair(sender=replace(SENDER, **change))
    for error in converse(sender, receiver):
        assert words in error
        assert "\n" not in error
    assert not sender.done
    assert not receiver.done


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, Agreement(prediction=True, bundles=True, short=True, backdrop=True)),
        ({"prediction": b""}, Agreement(prediction=False, bundles=True, short=True, backdrop=True)),
        ({"capabilities": frozenset()}, Agreement(prediction=True, bundles=False, short=False, backdrop=False)),
        (
            {"capabilities": frozenset({"bundles", "telepathy"})},
            Agreement(prediction=True, bundles=True, short=False, backdrop=False),
        ),
    ],
)
def test_what_one_side_cannot_do_is_done_without(change, expected):
    for ours, theirs in ((change, {}), ({}, change)):
        sender, receiver = pair(sender=replace(SENDER, **ours), receiver=replace(RECEIVER, **theirs))
        assert converse(sender, receiver) == (None, None)
        assert sender.agreement == receiver.agreement == expected


def test_a_backdrop_travels_in_a_control_message():
    data = bytes(range(256))
    message = backdrop_message(data)
    assert backdrop_of(message) == data
    assert backdrop_of(json.loads(json.dumps(message))) == data
    for other in (
        message | {"type": "bye"},
        {"type": "backdrop"},
        message | {"picture": 3},
        message | {"picture": "ä"},
    ):
        assert backdrop_of(other) is None
    assert backdrop_of(message | {"picture": "0" * 20_000}) is None
    assert len(json.dumps(backdrop_message(bytes(MAX_BYTES)))) < MAX_CONTROL_BYTES


def test_a_hello_of_before_there_were_capabilities():
    message = SENDER.message()
    del message["capabilities"], message["prediction"]
    hello = Hello.parse(message)
    assert (hello.capabilities, hello.prediction) == (frozenset(), b"")


@pytest.mark.parametrize("value", [{}, "bundles", [1], ["Bundles"], ["x" * 33], [""], ["a"] * 33, None])
def test_capabilities_that_are_none(value):
    with pytest.raises(SessionError, match="greeting cannot be read"):
        Hello.parse(SENDER.message() | {"capabilities": value})


def test_a_sender_without_the_key_and_one_with_another(key, tmp_path):
    create_owner_key(tmp_path / "other.key")
    for wrong in (None, OwnerKey.read(tmp_path / "other.key")):
        sender, receiver = pair(Rights(owner=key.public_key), wrong)
        said, _ = converse(sender, receiver)
        assert "only by its owner" in said
        assert not receiver.done


def test_a_proof_relayed_by_somebody_in_between_is_denied(key):
    # Whoever sits in between has a certificate of its own, so the two ends see different fingerprints.
    sender, receiver = pair(Rights(owner=key.public_key), key, sender_prints=(b"1" * 32, b"9" * 32))
    said, heard = converse(sender, receiver)
    assert "did not accept the proof" in said
    assert "could not prove that it owns" in heard
    assert not receiver.done


def test_a_proof_of_another_call_is_denied(key):
    rights = Rights(owner=key.public_key)
    sender, receiver = pair(rights, key)
    sender.start()
    proof = sender.receive(receiver.start()[0])
    _, later = pair(rights, receiver=replace(RECEIVER, nonce=b"n" * 32))
    later.receive(SENDER.message())
    with pytest.raises(OwnershipError):
        later.receive(proof[0])


def test_a_demo_avatar():
    rights = Rights(demo=True, recordings=frozenset([RECORDING]))
    assert converse(*pair(rights, sender=replace(SENDER, recording=RECORDING))) == (None, None)
    for recording in (b"", b"X" * 32):
        for error in converse(*pair(rights, sender=replace(SENDER, recording=recording))):
            assert "demo avatar" in error


def test_rights_in_an_avatars_description():
    assert Rights.of({}) == Rights()
    assert Rights.of({"owner": None, "recordings": None, "demo": False}) == Rights()
    meta = {"owner": "ab" * 32, "demo": True, "recordings": ["cd" * 32]}
    assert Rights.of(meta) == Rights(b"\xab" * 32, True, frozenset([b"\xcd" * 32]))
    for damaged in ({"owner": "ab"}, {"owner": 1}, {"owner": "xy" * 32}, {"recordings": [1]}, {"recordings": ["ab"]}):
        with pytest.raises(SessionError, match="description is damaged"):
            Rights.of(damaged)


def test_hello_survives_the_wire():
    hello = replace(SENDER, recording=RECORDING)
    assert Hello.parse(json.loads(json.dumps(hello.message()))) == hello


junk = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.lists(st.integers(), max_size=3)
)


@given(st.sampled_from(sorted(SENDER.message())), junk)
def test_a_damaged_hello_raises_only_a_session_error(name, value):
    message = SENDER.message() | {name: value}
    with contextlib.suppress(SessionError):
        hello = Hello.parse(message)
        # What passed is a whole hello.
        assert Hello.parse(hello.message()) == hello


@given(st.lists(st.tuples(st.sampled_from(["hello", "proof", "accepted", "denied", "x"]), junk), max_size=6))
def test_no_message_makes_a_receiver_accept_without_proof(messages):
    receiver = Handshake(RECEIVER, Rights(owner=b"\x01" * 32), FINGERPRINTS)
    for kind, value in messages:
        message = SENDER.message() if kind == "hello" else {"type": kind, "signature": value}
        try:
            receiver.receive(message)
        except SessionError:
            break
    assert not receiver.done
