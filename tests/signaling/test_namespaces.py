"""Two peers on two machines of their own, as far as their kernel is concerned: network namespaces with a cable between.

Needs root and iproute2. Where the kernel has ``netem``, it impairs the cable; pulling the cable and a narrow link work
everywhere.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import uuid
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FPS = 25.0
SERVER, CLIENT = "10.77.0.1", "10.77.0.2"

RECEIVER = """
import asyncio, json, sys, time
from signaling.peer import Peer
from signaling.server import RendezvousServer

async def main(address, seconds):
    async with RendezvousServer(address, 8765) as server:
        print("ready", flush=True)
        peer = await Peer.connect("abc", server=f"ws://{address}:8765", opens=True)
        came, reach = [], []
        peer.on_face(lambda data: came.append((int(data[:6]), time.monotonic(), float(data[6:26]))))
        print("connected", flush=True)
        began = time.monotonic()
        while time.monotonic() - began < seconds and not peer.ended.done():
            reach.append(peer.out_of_reach)
            await asyncio.sleep(0.05)
        print(json.dumps({"came": came, "reach": reach, "ended": peer.ended.done()}), flush=True)
        await peer.close()

asyncio.run(main(sys.argv[1], float(sys.argv[2])))
"""

SENDER = """
import asyncio, sys, time
from signaling.peer import Peer

async def main(address):
    peer = await Peer.connect("abc", server=f"ws://{address}:8765", opens=False, wait=10.0)
    number = 0
    while not peer.ended.done():
        peer.send_face(f"{number:06}{time.monotonic():020.6f}".encode().ljust(40))
        number += 1
        await asyncio.sleep(1 / 25)
    await peer.close()

asyncio.run(main(sys.argv[1]))
"""


def ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


def inside(namespace, *command):
    return subprocess.run(
        ["ip", "netns", "exec", namespace, *command], capture_output=True, text=True, check=False, timeout=20
    )


@pytest.fixture
def cable():
    """Two namespaces and a cable; yields their names. Both ends of it are called wire."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("tc") is None:
        pytest.skip("network namespaces need root and iproute2")
    here, there = (f"nc{uuid.uuid4().hex[:8]}" for _ in range(2))
    made = ip("netns", "add", here)
    if made.returncode != 0:
        pytest.skip(f"this system makes no network namespaces: {made.stderr.strip()}")
    try:
        ip("netns", "add", there)
        made = ip("link", "add", "wire", "netns", here, "type", "veth", "peer", "name", "wire", "netns", there)
        if made.returncode != 0:
            pytest.skip(f"this system has no cable between namespaces: {made.stderr.strip()}")
        for namespace, address in ((here, SERVER), (there, CLIENT)):
            ip("-n", namespace, "address", "add", f"{address}/24", "dev", "wire")
            ip("-n", namespace, "link", "set", "wire", "up")
            ip("-n", namespace, "link", "set", "lo", "up")
        yield here, there
    finally:
        ip("netns", "del", here)
        ip("netns", "del", there)


def impair(namespace, *how):
    """Put a queueing discipline on an end of the cable; skip where the kernel has none such."""
    done = inside(namespace, "tc", "qdisc", "add", "dev", "wire", "root", *how)
    if done.returncode != 0:
        pytest.skip(f"this kernel has no {how[0]}: {done.stderr.strip()}")


async def call(cable, seconds, meanwhile=None):
    """Carry a call across the cable and return what the receiver saw; ``meanwhile`` runs once they are connected."""
    here, there = cable
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    async def start(namespace, script, *arguments):
        return await asyncio.create_subprocess_exec(
            *("ip", "netns", "exec", namespace, sys.executable, "-c", script, *arguments),
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            limit=1 << 22,
        )

    receiver = await start(here, RECEIVER, SERVER, str(seconds))
    processes = [receiver]
    try:
        assert await receiver.stdout.readline() == b"ready\n"
        processes.append(await start(there, SENDER, SERVER))
        assert await asyncio.wait_for(receiver.stdout.readline(), 30.0) == b"connected\n"
        if meanwhile is not None:
            await meanwhile()
        return json.loads(await asyncio.wait_for(receiver.stdout.readline(), seconds + 20.0))
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError, TimeoutError):
                await asyncio.wait_for(process.wait(), 10.0)
            if process.returncode is None:
                process.kill()
                await process.wait()


def delays(seen):
    return sorted(arrived - sent for _, arrived, sent in seen["came"])


async def test_across_a_good_cable(cable):
    seen = await call(cable, 4.0)
    numbers = [number for number, _, _ in seen["came"]]
    assert len(numbers) > 60
    assert sorted(numbers) == list(range(numbers[0], numbers[0] + len(numbers)))
    assert not seen["ended"]
    assert delays(seen)[len(numbers) // 2] < 0.05


async def test_the_cable_is_pulled_for_six_seconds(cable):
    async def pull():
        await asyncio.sleep(2.0)
        ip("-n", cable[0], "link", "set", "wire", "down")
        await asyncio.sleep(6.0)
        ip("-n", cable[0], "link", "set", "wire", "up")

    seen = await call(cable, 14.0, pull)
    assert not seen["ended"]
    # Out of reach in the middle, back at the end.
    assert any(seen["reach"])
    assert not seen["reach"][-1]
    arrivals = [arrived for _, arrived, _ in seen["came"]]
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    assert 5.5 < max(gaps) < 8.5
    after = arrivals[gaps.index(max(gaps)) + 1 :]
    assert len(after) > 0.8 * FPS * (after[-1] - after[0])


async def test_a_narrow_link_delays_nothing_for_long(cable):
    impair(cable[1], "tbf", "rate", "48kbit", "burst", "1600", "latency", "200ms")
    seen = await call(cable, 6.0)
    # What is sent, with all headers, is about what fits; what does not fit is dropped and never queues for longer.
    assert len(seen["came"]) > 60
    assert delays(seen)[-1] < 0.6


async def test_netem(cable):
    for end in cable:
        impair(end, "netem", "delay", "40ms", "10ms", "loss", "10%", "duplicate", "2%", "reorder", "5%")
    seen = await call(cable, 10.0)
    numbers = [number for number, _, _ in seen["came"]]
    assert len(set(numbers)) == len(numbers)
    span = max(numbers) - min(numbers) + 1
    assert 0.75 * span < len(numbers) < 0.99 * span
    assert delays(seen)[len(numbers) // 2] >= 0.04
    assert not seen["ended"]
