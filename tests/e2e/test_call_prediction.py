"""Frames that are predicted from others, over a real connection."""

import asyncio

import pytest

from app.sender import Sender
from app.session import BUNDLES
from codec.frame_record import FrameHistory
from codec.operating_point import THRIFTY
from signaling.impairment import Impairment
from signaling.peer import Ending
from tests.e2e.calls import able_to, call, make_receiver, recorded
from tests.e2e.small_avatar import SmallAvatar, wandering_states


async def test_frames_are_predicted_from_what_has_reached_the_receiver(server):
    states, sizes = wandering_states(), {}
    for predicted in (True, False):
        avatar = SmallAvatar(predicted=predicted)
        receiver, sender = make_receiver(avatar), Sender(avatar, recorded(states))
        await call(server, sender, receiver, 3.0, room=f"predicted-{predicted}")
        summary = sender.meter.summary()
        assert summary["frames_sent"] > 50
        assert receiver.packets_damaged == 0
        sizes[predicted] = summary["payload_kbps"] / summary["frames_sent"] * summary["seconds"]
    assert sizes[True] < 0.85 * sizes[False]


async def test_lost_packets_leave_no_packet_that_cannot_be_decoded(server):
    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    received, sent, _ = await call(server, sender, receiver, 4.0, Impairment(loss=0.2))
    assert isinstance(received, Ending), received
    assert isinstance(sent, Ending), sent
    assert receiver.packets_damaged == 0
    assert receiver.meter.summary()["frames_received"] > 50


async def test_a_receiver_that_has_lost_its_frames_says_so_and_is_sent_frames_alone(server):
    avatar = SmallAvatar()
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    refused = []

    async def lose():
        while receiver.meter.summary()["frames_received"] < 30:
            await asyncio.sleep(0.01)
        # It still knows which frame was the newest, and none of what is in them.
        receiver._decoder._history = FrameHistory()
        await asyncio.sleep(1.0)
        refused.append(receiver.packets_damaged)

    losing = asyncio.create_task(lose())
    await call(server, sender, receiver, 4.0)
    await losing
    # Two or three are on their way when the sender hears of it; later ones are decoded again.
    assert 1 <= refused[0] <= 5
    assert receiver.packets_damaged == refused[0]
    assert receiver.meter.summary()["frames_received"] > 85


async def test_a_receiver_that_neither_predicts_nor_takes_bundles_is_sent_what_it_can_read(server):
    states, messages = wandering_states(), []
    receiver = make_receiver(SmallAvatar(predicted=False))
    sender = Sender(SmallAvatar(), recorded(states))
    able_to(receiver)
    take = receiver._take
    receiver._take = lambda peer, data, late=False: (messages.append(data), take(peer, data, late))
    received, _, frames = await call(server, sender, receiver, 3.0, Impairment(loss=0.1))
    assert received.farewell
    assert frames
    assert receiver.packets_damaged == 0
    assert len(messages) > 40
    # Each is one packet of a frame coded alone.
    assert {data[0] >> 4 for data in messages} == {2}


@pytest.mark.parametrize("knows", [True, False])
async def test_predicted_frames_go_in_short_packets_to_whoever_knows_those(server, knows):
    messages, receiver = [], make_receiver(SmallAvatar())
    sender = Sender(SmallAvatar(), recorded(wandering_states()), point=THRIFTY)
    if not knows:
        able_to(receiver, BUNDLES)
    take = receiver._take
    receiver._take = lambda peer, data, late=False: (messages.append(data), take(peer, data, late))
    received, _, frames = await call(server, sender, receiver, 6.0)
    assert received.farewell
    assert frames
    assert receiver.packets_damaged == 0
    assert receiver._decoder.short == sender._encoder.short == knows
    # Two frames a message: together in a packet, or each in its own. At first they are said again.
    kinds = [data[0] >> 5 for data in messages[2 * len(messages) // 3 :]]
    assert kinds.count(2) == 0 if knows else kinds.count(2) > 5
    assert sum(kind >= 4 for kind in kinds) > 5 if knows else True
