"""What may keep a receiver from its first picture: nothing that can wait until after it."""

import asyncio
import threading

from app import receiver
from app.call_options import CallOptions
from app.face_source import RecordedFace
from app.receiver import Receiver
from app.sender import Sender
from tests.e2e.small_avatar import PlainBudget, SmallAvatar, wandering_states

SIZE = (32, 24)
WARMING_UP = 3
"""Pictures that are rendered before there is a call."""


class NotedAvatar(SmallAvatar):
    """Notes after how many pictures it was made fast."""

    def __init__(self):
        super().__init__()
        self.pictures = 0
        self.before: int | None = None
        self.prepared = threading.Event()

    def prepare(self):
        self.before = self.pictures
        self.prepared.set()

    def render(self, state, width, height, *, smooth=True):
        self.pictures += 1
        return super().render(state, width, height)


async def test_rendering_is_made_fast_after_the_first_picture(server, monkeypatch):
    monkeypatch.setattr(receiver, "ALONE_SECONDS", 30.0)
    avatar = NotedAvatar()
    options = CallOptions("busy", server=server.url, wait=10.0)
    sender = Sender(avatar, RecordedFace(wandering_states(), 25.0, b"", True))
    opened = asyncio.Event()
    sending = asyncio.create_task(sender.run(options, None, lambda first: opened.set()))
    await asyncio.wait_for(opened.wait(), 10.0)
    await Receiver(avatar, PlainBudget(), device="test", size=SIZE).run(options, 1.0)
    await sending
    assert await asyncio.to_thread(avatar.prepared.wait, 5.0)
    assert avatar.before is not None
    assert avatar.before > WARMING_UP


async def test_and_before_where_nobody_is_there_yet(server, monkeypatch):
    monkeypatch.setattr(receiver, "ALONE_SECONDS", 0.2)
    avatar = NotedAvatar()
    waiting = Receiver(avatar, PlainBudget(), device="test", size=SIZE)
    receiving = asyncio.create_task(waiting.run(CallOptions("empty", server=server.url, wait=20.0)))
    assert await asyncio.to_thread(avatar.prepared.wait, 10.0)
    assert avatar.before == WARMING_UP
    assert waiting.state()[0].label == "Waiting"
    waiting.stop()
    await receiving
