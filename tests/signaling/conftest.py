"""A rendezvous server on a free port, and pairs of peers that meet there."""

import asyncio
import contextlib

import pytest
from hypothesis import HealthCheck, settings

from signaling.peer import Peer
from signaling.server import RendezvousServer

# Machines that are busy with something else draw their examples slowly; that is no fault of the code under test.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
async def server():
    async with RendezvousServer(port=0) as running:
        yield running


@pytest.fixture
async def meet(server):
    """Return a function that connects two peers in a fresh room and closes them at the end."""
    async with contextlib.AsyncExitStack() as stack:
        rooms = iter(range(1000))

        async def meet(**options):
            room = f"room{next(rooms)}"
            pair = await asyncio.gather(
                Peer.connect(room, server=server.url, opens=True, **options),
                Peer.connect(room, server=server.url, opens=False, wait=5.0, **options),
            )
            for peer in pair:
                stack.push_async_callback(peer.close)
            return pair

        yield meet
