"""Who may drive an avatar, over a real connection."""

import hashlib

import pytest

from app.face_source import TrackedFace
from app.sender import Sender
from signaling.identity import OwnerKey, create_owner_key
from signaling.peer import PEER_HAS_LEFT
from tests.e2e.calls import Clip, Tracker, call, make_receiver, recorded
from tests.e2e.small_avatar import SmallAvatar, wandering_states


@pytest.fixture(scope="module")
def owner(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "owner.key"
    create_owner_key(path)
    return OwnerKey.read(path)


async def test_the_owner_may_drive_the_avatar(server, owner):
    avatar = SmallAvatar(meta={"owner": owner.public_key.hex()})
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()), owner)
    received, sent, frames = await call(server, sender, receiver, 1.0)
    assert received.farewell
    assert sent.farewell
    assert frames


async def test_nobody_else_may_drive_it(server, owner, tmp_path):
    create_owner_key(tmp_path / "other.key")
    other = OwnerKey.read(tmp_path / "other.key")
    avatar = SmallAvatar(meta={"owner": owner.public_key.hex()})

    class Impostor(OwnerKey):
        """Signs with a key of its own and claims that it is the owner's."""

        public_key = owner.public_key

    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()), Impostor(other._key))
    received, sent, frames = await call(server, sender, receiver, 1.0)
    assert "could not prove that it owns this avatar" in str(received)
    assert "did not accept the proof of ownership" in str(sent)
    assert frames == []
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()), other)
    received, sent, frames = await call(server, sender, receiver, 1.0, room="again")
    assert "driven only by its owner" in str(sent)
    assert received.reason == PEER_HAS_LEFT if not isinstance(received, Exception) else "left" in str(received)
    assert frames == []


async def test_a_demo_avatar_plays_its_recording_and_nothing_else(server):
    digest = hashlib.sha256(b"the recording").digest()
    avatar = SmallAvatar(meta={"demo": True, "recordings": [digest.hex()]})
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states(), digest=digest))
    received, _, frames = await call(server, sender, receiver, 1.0)
    assert received.farewell
    assert frames
    for face in (recorded(wandering_states(), digest=bytes(32)), TrackedFace(Clip(), Tracker())):
        receiver, sender = make_receiver(avatar), Sender(avatar, face)
        received, sent, frames = await call(server, sender, receiver, 1.0, room="again")
        assert "plays the recording it came with" in str(received)
        assert "plays the recording it came with" in str(sent)
        assert frames == []
