"""What whole calls need: a viewer, sources, and both sides at once."""

import asyncio
import threading
from dataclasses import replace

import numpy as np

from app.call_options import CallOptions
from app.capture.source import Frame
from app.face_source import RecordedFace
from app.receiver import Receiver
from codec.face_state import EMBEDDED_SIZE, FaceState, HeadPose
from tests.e2e.small_avatar import PlainBudget


class Viewer:
    """Takes what is rendered, as a window would."""

    def __init__(self, receiver):
        self.receiver = receiver
        self.frames = []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while (frame := self.receiver.mailbox.take(None)) is not None:
            self.receiver.painted(frame)
            self.frames.append(frame)


def recorded(states, loop=True, digest=b""):
    return RecordedFace(states, 25.0, digest, loop)


async def call(server, sender, receiver, seconds, impairment=None, room="call"):
    options, impaired = (CallOptions(room, server=server.url, impairment=how, wait=10.0) for how in (None, impairment))
    viewer = Viewer(receiver)
    endings = await asyncio.gather(receiver.run(impaired, seconds), sender.run(options), return_exceptions=True)
    viewer.thread.join(5.0)
    assert not viewer.thread.is_alive()
    return (*endings, viewer.frames)


def make_receiver(avatar, **options):
    return Receiver(avatar, PlainBudget(), device="test", size=(32, 24), **options)


class Clip:
    """Two seconds of pictures at 50 frames a second; where there is a face is written in the first pixel."""

    is_live = False
    closed = False

    def frames(self):
        for index in range(100):
            yield Frame(np.full((4, 4, 3), index < 50, np.uint8), index / 50.0, index)

    def close(self):
        self.closed = True


class Tracker:
    def __init__(self):
        self.tracked = []
        self.closed = False

    def track(self, image, timestamp):
        self.tracked.append(timestamp)
        expression = np.zeros(EMBEDDED_SIZE, np.float32)
        return FaceState(expression, HeadPose.at_rest(), timestamp, present=bool(image[0, 0, 0]))

    def close(self):
        self.closed = True


def able_to(receiver, *capabilities):
    """Have the receiver say in its hello that it can do this and no more."""
    plain = receiver._handshake

    def handshake(fingerprints):
        made = plain(fingerprints)
        made._hello = replace(made._hello, capabilities=frozenset(capabilities))
        return made

    receiver._handshake = handshake
