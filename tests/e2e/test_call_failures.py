"""Calls that fail, and what both sides say then."""

import asyncio
import time

import pytest

from app.call_options import CallOptions
from app.face_source import TrackedFace
from app.sender import Sender
from app.session import SessionError
from app.window.figures import Tone
from signaling.peer import PEER_HAS_LEFT
from tests.e2e.calls import Clip, Tracker, call, make_receiver, recorded
from tests.e2e.small_avatar import SmallAvatar, wandering_states


async def test_what_a_source_raises_ends_the_call_with_it(server):
    class Broken(Tracker):
        def track(self, image, timestamp):
            raise RuntimeError("the tracker broke")

    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, TrackedFace(Clip(), Broken()))
    received, sent, _ = await call(server, sender, receiver, None)
    assert received.reason == PEER_HAS_LEFT
    assert isinstance(sent, RuntimeError)


@pytest.mark.parametrize("good", [0, 10])
async def test_what_the_renderer_raises_ends_the_call_with_it(server, good):
    class Broken(SmallAvatar):
        rendered = 0

        def render(self, *picture, **more):
            self.rendered += 1
            if self.rendered > good:
                raise RuntimeError("the renderer broke")
            return super().render(*picture)

    receiver, sender = make_receiver(Broken()), Sender(SmallAvatar(), recorded(wandering_states()))
    received, sent, _ = await call(server, sender, receiver, None)
    assert isinstance(received, RuntimeError)
    # Before the first frame that is a call that did not come about, later one that has ended.
    assert str(sent) == PEER_HAS_LEFT if good == 0 else sent.reason == PEER_HAS_LEFT


@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ({"seed": 1}, {"seed": 2}, "give both sides the same .avatar file"),
        ({"meta": {"owner": "00" * 31}}, {"meta": {"owner": "00" * 31}}, "description is damaged"),
    ],
)
async def test_sides_that_do_not_fit_say_so_both(server, ours, theirs, words):
    receiver, sender = make_receiver(SmallAvatar(**ours)), Sender(SmallAvatar(**theirs), recorded(wandering_states()))
    started = time.monotonic()
    received, sent, frames = await call(server, sender, receiver, None)
    for error in (received, sent):
        assert isinstance(error, SessionError), error
        assert words in str(error)
    assert frames == []
    assert time.monotonic() - started < 4.0
    assert receiver.state()[0].tone is Tone.TROUBLED


async def test_two_receivers_in_a_room_say_so_both(server):
    avatar = SmallAvatar()
    sender = Sender(avatar, recorded(wandering_states()))
    other = Sender(avatar, recorded(wandering_states()))
    options = CallOptions("call", server=server.url)
    for error in await asyncio.gather(sender.run(options), other.run(options), return_exceptions=True):
        assert isinstance(error, SessionError)
        assert "both sides of this room send" in str(error)
