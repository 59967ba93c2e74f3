"""What is behind the person, over a real connection."""

import contextlib

import numpy as np
import pytest

from app.backdrop_follower import BackdropFollower
from app.face_source import TrackedFace
from app.sender import Sender
from app.session import BUNDLES
from codec.backdrop import encode_backdrop
from signaling.peer import PEER_HAS_LEFT
from tests.e2e.calls import Clip, Tracker, able_to, call, make_receiver
from tests.e2e.small_avatar import SmallAvatar


class NewWall:
    """Tells of a wall in another light, once."""

    def __init__(self):
        self.told = None

    def due(self, timestamp):
        return self.told is None

    def look(self, image, timestamp):
        self.told = encode_backdrop(np.full((64, 64, 3), 0.1), 8)
        return self.told

    @contextlib.contextmanager
    def opened(self):
        yield self


class BeforeAWall(SmallAvatar):
    def __init__(self):
        super().__init__()
        self.backdrops = []

    def show_backdrop(self, backdrop):
        self.backdrops.append(backdrop.difference)


@pytest.mark.parametrize("takes", [True, False])
async def test_what_is_behind_the_person_is_told_to_whoever_takes_it(server, takes):
    avatar, wall = BeforeAWall(), NewWall()
    receiver = make_receiver(avatar)
    sender = Sender(avatar, TrackedFace(Clip(), Tracker(), backdrop=BackdropFollower(wall.opened)))
    if not takes:
        able_to(receiver, BUNDLES)
    await call(server, sender, receiver, None)
    assert receiver.packets_damaged == 0
    assert len(avatar.backdrops) == takes
    if takes:
        np.testing.assert_allclose(avatar.backdrops[0], 0.1, atol=0.01)
    else:
        assert wall.told is None


async def test_a_backdrop_that_is_none_is_counted_and_no_more(server):
    class NoWall(NewWall):
        def look(self, image, timestamp):
            self.told = b"no picture"
            return self.told

    avatar = BeforeAWall()
    receiver = make_receiver(avatar)
    sender = Sender(avatar, TrackedFace(Clip(), Tracker(), backdrop=BackdropFollower(NoWall().opened)))
    received, _, frames = await call(server, sender, receiver, None)
    assert (received.reason, receiver.packets_damaged, avatar.backdrops) == (PEER_HAS_LEFT, 1, [])
    assert frames
