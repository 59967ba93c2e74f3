"""A peer that is killed or stopped, as a process of its own, never leaves the other hanging."""

import asyncio
import signal
import sys
import time

import pytest

from signaling import liveness
from signaling.peer import PEER_HAS_LEFT, Peer

LONELY_PEER = """
import asyncio, sys
from signaling.peer import Peer

async def main():
    peer = await Peer.connect("abc", server=sys.argv[1], opens=True)
    print("connected", flush=True)
    while not peer.ended.done():
        peer.send_face(b"face")
        await asyncio.sleep(0.04)
    print(peer.ended.result().reason, flush=True)
    await peer.close()

asyncio.run(main())
"""


@pytest.fixture
async def other_process(server):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LONELY_PEER, server.url, stdout=asyncio.subprocess.PIPE
    )
    yield process
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_the_survivor_knows_within_five_seconds(server, other_process, how):
    peer = await Peer.connect("abc", server=server.url, opens=False, wait=20.0)
    faces = []
    peer.on_face(faces.append)
    assert await other_process.stdout.readline() == b"connected\n"
    while not faces:
        await asyncio.sleep(0.01)
    other_process.send_signal(how)
    started = time.monotonic()
    ending = await asyncio.wait_for(peer.ended, 5.0)
    assert ending.reason == PEER_HAS_LEFT
    assert not ending.farewell
    # The rendezvous sees its socket close, so there is little to wait for.
    assert time.monotonic() - started < 3.0
    await peer.close()


async def test_one_that_stands_still_is_out_of_reach_and_may_come_back(server, other_process):
    """From here a stopped process looks like a network that carries nothing: it is waited for."""
    peer = await Peer.connect("abc", server=server.url, opens=False, wait=20.0)
    faces = []
    peer.on_face(faces.append)
    assert await other_process.stdout.readline() == b"connected\n"
    while not faces:
        await asyncio.sleep(0.01)
    assert not peer.out_of_reach
    other_process.send_signal(signal.SIGSTOP)
    async with asyncio.timeout(3.0):
        while not peer.out_of_reach:
            await asyncio.sleep(0.05)
    await asyncio.sleep(4.0)
    assert not peer.ended.done()
    before = len(faces)
    other_process.send_signal(signal.SIGCONT)
    async with asyncio.timeout(3.0):
        while peer.out_of_reach or len(faces) < before + 10:
            await asyncio.sleep(0.05)
    await peer.close()


async def test_one_that_does_not_come_back_is_given_up(server, other_process, monkeypatch):
    monkeypatch.setattr(liveness, "PATIENCE", 3.0)
    peer = await Peer.connect("abc", server=server.url, opens=False, wait=20.0)
    assert await other_process.stdout.readline() == b"connected\n"
    other_process.send_signal(signal.SIGSTOP)
    ending = await asyncio.wait_for(peer.ended, 6.0)
    assert (ending.reason, ending.farewell) == (PEER_HAS_LEFT, False)
    await peer.close()


async def test_the_process_that_is_left_ends_by_itself(server, other_process):
    peer = await Peer.connect("abc", server=server.url, opens=False, wait=20.0)
    assert await other_process.stdout.readline() == b"connected\n"
    await peer.close()
    assert await asyncio.wait_for(other_process.stdout.readline(), 5.0) == PEER_HAS_LEFT.encode() + b"\n"
    assert await asyncio.wait_for(other_process.wait(), 5.0) == 0
