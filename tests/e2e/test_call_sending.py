"""How densely a call sends, and how long it waits, over a real connection."""

import asyncio

import numpy as np

from app.sender import Sender
from app.sending_policy import Plan
from codec.message import Outgoing
from codec.operating_point import FINEST, NORMAL, OPERATING_POINTS, THRIFTY
from signaling.impairment import Impairment
from tests.e2e.calls import call, make_receiver, recorded
from tests.e2e.small_avatar import SmallAvatar, wandering_states


async def test_the_delay_follows_the_jitter_and_shrinks_again(server):
    avatar, peers = SmallAvatar(), []
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    take = receiver._take
    receiver._take = lambda peer, data, late=False: (peers.append(peer), take(peer, data, late))
    delays = {}

    async def change():
        for name, how in (("before", None), ("during", "jitter=150ms"), ("after", None)):
            while not peers:
                await asyncio.sleep(0.05)
            peers[0].impairment = how and Impairment.parse(how)
            # The estimate looks back 10 s at most.
            await asyncio.sleep(12.0 if name == "after" else 5.0)
            delays[name] = receiver._playout.delay
        receiver.stop()

    changing = asyncio.create_task(change())
    await call(server, sender, receiver, None)
    await changing
    assert delays["during"] > delays["before"] + 0.05
    assert delays["after"] < delays["during"] - 0.05
    assert delays["during"] < 0.4 + 0.04


async def test_the_way_of_sending_changes_without_a_break_in_the_picture(server):
    plans = [
        Plan(NORMAL),
        Plan(NORMAL, 1, 2, 1),
        Plan(THRIFTY, 2, 2, 0),
        Plan(THRIFTY, 2, 4, 2),
        Plan(FINEST, 1, 1, 4),
        Plan(NORMAL, 1, 3, 3),
    ]
    taken = []

    class Changing:
        def plan(self, link, fps, now):
            assert 12.0 < fps < 30.0
            taken.append(plans[len(taken) // 3 % len(plans)])
            return taken[-1]

    avatar, states = SmallAvatar(), wandering_states()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(states))
    sender._policy = Changing()
    _, _, frames = await call(server, sender, receiver, 7.0)
    assert set(taken) == set(plans)
    assert receiver.packets_damaged == 0
    figures = receiver.meter.summary()
    assert figures["frames_received"] >= figures["frames_sent"] - 4
    # Of the thriftiest, four frames make 0.32 s; nothing is held for longer than that while the renderer goes on, nor
    # shown backwards.
    times, begun = (np.array([getattr(frame, name) for frame in frames]) for name in ("capture_time", "begun"))
    assert (np.diff(times) >= 0.0).all()
    assert (np.diff(times) - np.diff(begun)).max() < 0.34
    # What is seen is what the face did about then.
    levels = np.array([frame.image[0, 0, 0] for frame in frames], float)
    assert distance_from(states, times - times[0], levels).max() < 12.0


def distance_from(states, times, levels, reach=0.1):
    """Return how far shown grey levels are from what ``states`` show within ``reach`` s, at the offset that fits."""
    truth = np.array([128 + 20 * state.expression[0] for state in states])
    around = np.linspace(-reach, reach, 11)
    distances = []
    for offset in np.arange(0.0, 1.0, 0.02):
        wanted = np.interp(times[:, None] + offset + around, np.arange(len(truth)) / 25.0, truth)
        distances.append(np.maximum(np.maximum(wanted.min(1) - levels, levels - wanted.max(1)), 0.0))
    return min(distances, key=np.mean)


async def test_in_its_thrifty_way_a_call_takes_half_of_the_wire(server):
    rates = {}
    for point in (NORMAL, THRIFTY):
        avatar = SmallAvatar()
        receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()), point=point)
        await call(server, sender, receiver, 5.0, room=point.name)
        rates[point.name] = receiver.meter.summary()
        assert rates[point.name]["point"] == OPERATING_POINTS.index(point)
    assert rates["thrifty"]["wire_kbps_in"] < 0.55 * rates["normal"]["wire_kbps_in"]
    assert rates["thrifty"]["wire_kbps_in"] <= 12.0
    # Of which 4 are what is said again in the first seconds.
    assert rates["normal"]["wire_kbps_in"] <= 28.0
    assert rates["normal"]["wire_kbps_out"] <= 15.0


class Narrow:
    """A peer that takes those of its face messages that it is told to take."""

    def __init__(self, *takes):
        self.takes = list(takes)

    def send_face(self, data, mark, *, urgent=False):
        return self.takes.pop(0)


def test_a_frame_that_was_held_back_is_counted_where_it_is_said_again():
    sender = Sender(SmallAvatar(), recorded(wandering_states()))
    peer = Narrow(True, False, True, True, False, False, True)
    messages = [(0,), (0, 1), (0, 1, 2), (1, 2, 3), (4,), (5,), (5, 6)]
    counted = []
    for frames in messages:
        sender._send_once(peer, Outgoing(b"face", frames, 1, urgent=False))
        counted.append(sender.meter.summary()["frames_sent"])
    # The fifth frame never goes out.
    assert counted == [1, 1, 3, 4, 4, 4, 6]
