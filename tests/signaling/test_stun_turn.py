"""Calls that need help from outside: a STUN server's candidate, a TURN server's relay."""

import asyncio
from types import SimpleNamespace

import pytest
from aioice import ice

from signaling.datagrams import DatagramMeter, gathering
from signaling.errors import SignalingError
from signaling.ice_servers import IceServers
from signaling.peer import Peer
from tests.signaling.turn_server import TurnServer


@pytest.fixture
async def turn():
    running = await TurnServer.start()
    yield running
    running.close()


def connect(server, **options):
    return asyncio.gather(
        *(Peer.connect("abc", server=server.url, opens=True, **options) for _ in range(2)), return_exceptions=True
    )


async def test_a_call_through_a_turn_server_counts_what_crosses_its_socket(server, turn, monkeypatch):
    # Without addresses of its own a peer has nothing but the relay.
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: [])
    servers = IceServers(turn=turn.address, turn_user="u", turn_password="p")
    a, b = await connect(server, ice=servers)
    faces = []
    b.on_face(faces.append)
    for number in range(40):
        a.send_face(bytes([number]) * 30)
        await asyncio.sleep(0.01)
    async with asyncio.timeout(3.0):
        while len(faces) < 40:
            await asyncio.sleep(0.01)

        def agree():
            wires = [peer.statistics.wire for peer in (a, b)]
            return sorted(wire.bytes_out for wire in wires) == sorted(turn.came.values()) and sorted(
                wire.bytes_in for wire in wires
            ) == sorted(turn.went.values())

        while not agree():
            await asyncio.sleep(0.001)
    assert len(turn.relays) == 2
    await asyncio.gather(a.close(), b.close())


async def test_an_empty_datagram_through_a_relay_goes_no_further():
    class Receiver:
        def data_received(self, data, component):
            received.append(data)

    received = []
    with gathering(DatagramMeter(), loopback=False):
        protocol = ice.StunProtocol(Receiver())
    # As within an allocation: the socket below it is another protocol's.
    protocol.local_candidate = SimpleNamespace(component=1)
    for data in (b"", b"word", b""):
        protocol.datagram_received(data, ("192.0.2.1", 5))
    assert received == [b"word"]


async def test_a_stun_server_is_asked_and_counted(server, turn):
    a, b = await connect(server, ice=IceServers(stun=turn.address))
    assert turn.came
    await asyncio.gather(a.close(), b.close())


async def test_no_way_to_the_peer_is_said_with_the_remedy(server, monkeypatch):
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: [])
    monkeypatch.setattr("signaling.peer.CONNECT_SECONDS", 1.0)
    for error in await connect(server):
        assert isinstance(error, SignalingError)
        assert "STUN or TURN server" in str(error) or "has left" in str(error)
