"""The rendezvous over real sockets: what goes wrong is said in one sentence."""

import asyncio
import contextlib
import socket
import urllib.request

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from signaling.client import Rendezvous
from signaling.errors import PeerLeft, SignalingError
from signaling.messages import MAX_MESSAGE_BYTES, Description, Join, serialise
from signaling.rooms import RoomLimits
from signaling.server import RendezvousServer

OFFER, ANSWER = Description("offer", "v=0"), Description("answer", "v=0")


async def test_two_clients_meet_and_swap_descriptions(server):
    first = await Rendezvous.join(server.url, " Blue-Door ", opens=True)
    second = await Rendezvous.join(server.url, "blue-door", opens=False)
    assert (first.first, second.first, first.room) == (True, False, "blue-door")
    await first.arrival()
    await first.send(OFFER)
    assert await second.description() == OFFER
    await second.send(ANSWER)
    assert await first.description() == ANSWER
    await second.close()
    async with asyncio.timeout(2):
        await first.peer_gone.wait()
    await first.close()


async def test_who_waits_for_a_room_is_let_in_when_it_opens(server):
    waiting = asyncio.create_task(Rendezvous.join(server.url, "later", opens=False, wait=5.0))
    await asyncio.sleep(0.1)
    first = await Rendezvous.join(server.url, "later", opens=True)
    second = await waiting
    assert first.first
    assert not second.first
    await first.close()
    await second.close()


async def test_unknown_and_full_rooms(server):
    with pytest.raises(SignalingError, match=r"^there is no room abc on ws://.* start `nerfcall send abc` first$"):
        await Rendezvous.join(server.url, "abc", opens=False)
    seats = [await Rendezvous.join(server.url, "abc", opens=True) for _ in range(2)]
    with pytest.raises(
        SignalingError, match=r"^room abc on ws://.* already has its two peers: choose another room code$"
    ):
        await Rendezvous.join(server.url, "abc", opens=True)
    for seat in seats:
        await seat.close()


async def test_a_peer_that_goes_before_its_description(server):
    first = await Rendezvous.join(server.url, "abc", opens=True)
    second = await Rendezvous.join(server.url, "abc", opens=True)
    await first.close()
    with pytest.raises(PeerLeft):
        await second.description()
    await second.close()


async def test_a_room_expires():
    async with RendezvousServer(port=0, limits=RoomLimits(lone_seconds=0.0)) as server:
        seat = await Rendezvous.join(server.url, "abc", opens=True)
        with pytest.raises(SignalingError, match="has expired"):
            await asyncio.wait_for(seat.arrival(), 5.0)
        await seat.close()


async def test_a_server_that_stops_is_noticed():
    async with RendezvousServer(port=0) as server:
        seat = await Rendezvous.join(server.url, "abc", opens=True)
    with pytest.raises(SignalingError, match=r"the rendezvous server at .* has gone"):
        await asyncio.wait_for(seat.arrival(), 5.0)
    await seat.close()


async def test_a_taken_port(server):
    with pytest.raises(SignalingError, match=rf"^port {server.port} on 127.0.0.1 is already taken: .* --port$"):
        await RendezvousServer(port=server.port).start()


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
async def test_a_host_that_is_not_ours(host):
    with pytest.raises(SignalingError, match=f"^{host} is not an address of this machine"):
        await RendezvousServer(host=host, port=0).start()


async def test_no_server_there():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(SignalingError, match=rf"^no rendezvous server answers at ws://127.0.0.1:{port}: "):
        await Rendezvous.join(f"ws://127.0.0.1:{port}", "abc", opens=True)


@pytest.mark.parametrize("address", ["localhost:8765", "http://localhost:1", "ws://", "", "ws://[::1"])
async def test_an_address_that_is_none(address):
    with pytest.raises(SignalingError, match="is not the address of a rendezvous server"):
        await Rendezvous.join(address, "abc", opens=True)


async def test_something_else_answers():
    async def web_server(reader, writer):
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(web_server, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    with pytest.raises(SignalingError, match="is not a nerfcall rendezvous server"):
        await Rendezvous.join(f"ws://127.0.0.1:{port}", "abc", opens=True)
    listener.close()


@pytest.mark.parametrize("payload", ["x" * (MAX_MESSAGE_BYTES + 1), b"\xff\x00", "{}", "[" * 9000])
async def test_hostile_messages_end_only_their_own_connection(server, payload):
    seat = await Rendezvous.join(server.url, "abc", opens=True)
    async with connect(server.url) as hostile:
        await hostile.send(payload)
        async with asyncio.timeout(5):
            await hostile.wait_closed()
    other = await Rendezvous.join(server.url, "abc", opens=False)
    await asyncio.wait_for(seat.arrival(), 2.0)
    await seat.close()
    await other.close()


async def test_a_flood_is_cut_off(server):
    async with connect(server.url) as hostile:
        await hostile.send(serialise(Join("abc", True)))
        with contextlib.suppress(ConnectionClosed):
            for _ in range(1000):
                await hostile.send(serialise(OFFER))
                await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await hostile.wait_closed()
    async with asyncio.timeout(2):
        while server.rooms.connection_count:
            await asyncio.sleep(0.01)


async def test_a_browser_is_told_what_this_is(server):
    url = server.url.replace("ws://", "http://")
    text = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read().decode())
    assert "rendezvous" in text
