"""A rendezvous server for whole calls."""

import pytest

from signaling.server import RendezvousServer


@pytest.fixture
async def server():
    async with RendezvousServer(port=0) as running:
        yield running
