"""A call through an outage: what is on show meanwhile, what both sides say, and how it goes on."""

import asyncio

import numpy as np
import pytest

from app.sender import Sender
from tests.e2e.calls import call, make_receiver, recorded
from tests.e2e.small_avatar import SmallAvatar, wandering_states
from tests.signaling.bad_network import outage


@pytest.mark.parametrize("seconds", [1.0, 10.0])
async def test_a_call_goes_on_after_an_outage(server, seconds):
    avatar, peers, seen = SmallAvatar(), [], {"here": [], "there": [], "shown": []}
    receiver, sender = make_receiver(avatar), Sender(avatar, recorded(wandering_states()))
    take, rest = receiver._take, avatar.tables.rest_state(0.0)
    receiver._take = lambda peer, data, late=False: (peers.append(peer), take(peer, data, late))

    async def go_out():
        while len(peers) < 75:
            await asyncio.sleep(0.02)
        control = peers[0].statistics.control
        with outage(peers[0]):
            before = control.bytes_out + control.bytes_in
            for _ in range(round(seconds / 0.1)):
                await asyncio.sleep(0.1)
                seen["here"].append(receiver.state()[0].label)
                seen["there"].append(sender.state()[0].label)
            seen["shown"].append(receiver._playout._shown)
        came = receiver._playout.statistics.received
        await asyncio.sleep(3.0)
        frames = receiver._playout.statistics.received - came
        seen["after"] = receiver.state()[0].label, sender.state()[0].label, frames
        seen["control"] = control.bytes_out + control.bytes_in - before
        receiver.stop()

    going = asyncio.create_task(go_out())
    ended, _, frames = await call(server, sender, receiver, None)
    await going
    assert ended.farewell
    assert seen["here"][0] == "Live"
    assert "Reconnecting" in seen["here"]
    if seconds > 3.0:
        assert seen["there"][-1] == "Reconnecting"
        # The face has come to rest.
        np.testing.assert_allclose(seen["shown"][0].expression, rest.expression, atol=0.01)
    here, there, came = seen["after"]
    assert (here, there) == ("Live", "Live")
    # All of them, or every second one where the machine is busy and the sender takes that for a slow network.
    assert came > 30
    # Signs of life and reports, and nothing else, crossed the control channel: the avatar is known.
    assert seen["control"] < 20_000
    assert receiver.packets_damaged == 0
    assert frames[-1].capture_time > frames[0].capture_time + seconds
