"""Two peers over a real connection: ICE, DTLS and SCTP on this machine."""

import asyncio
import random
import socket
import time

import pytest
from aioice import ice

from signaling import datagrams
from signaling import peer as peer_module
from signaling.channels import MAX_FACE_BYTES
from signaling.client import Rendezvous
from signaling.errors import SignalingError
from signaling.impairment import Impairment
from signaling.messages import Description
from signaling.peer import MAX_REFUSED, PEER_HAS_LEFT, Peer
from tests.signaling.udp_relay import UdpRelay


async def settle(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_face_and_control_both_ways(meet):
    a, b = await meet()
    faces, controls = {a: [], b: []}, {a: [], b: []}
    a.send_control({"type": "early", "n": 0})
    await asyncio.sleep(0.1)
    for peer in (a, b):
        peer.on_face(faces[peer].append)
        peer.on_control(controls[peer].append)
    for number in range(20):
        assert a.send_face(bytes([number]) * 30)
        assert b.send_face(bytes([100 + number]) * MAX_FACE_BYTES)
        a.send_control({"type": "count", "n": number})
        await asyncio.sleep(0.01)
    await settle(lambda: len(faces[a]) == len(faces[b]) == 20 and len(controls[b]) == 21)
    assert sorted(faces[b]) == [bytes([number]) * 30 for number in range(20)]
    assert sorted(faces[a]) == [bytes([100 + number]) * MAX_FACE_BYTES for number in range(20)]
    assert controls[b] == [{"type": "early", "n": 0}, *({"type": "count", "n": n} for n in range(20))]
    assert a.statistics.face.bytes_out == b.statistics.face.bytes_in == 600
    assert a.local_fingerprint == b.remote_fingerprint
    assert b.local_fingerprint == a.remote_fingerprint
    assert len({a.local_fingerprint, b.local_fingerprint}) == 2
    assert a.statistics.connect_seconds < 5.0


async def test_nobody_else_is_contacted_by_default(meet):
    a, b = await meet()
    for peer in (a, b):
        ice = peer._connection.sctp.transport.transport._connection
        assert ice.stun_server is None
        assert ice.turn_server is None


async def test_the_clock_offset_on_one_machine_is_nothing(meet):
    a, b = await meet()
    await settle(lambda: a.clock_known and b.clock_known)
    round_trip = a.statistics.round_trip
    assert round_trip > 0.0
    # However busy the machine: half of it is the most that the estimate can be off, but for stamps in microseconds.
    assert abs(a.clock_offset) <= 0.5 * round_trip + 2e-6


async def test_reports_ride_on_the_beats(meet):
    a, b = await meet()
    taken = []
    b.exchange_reports(lambda: {"fps": 25.0}, lambda report: None)
    a.exchange_reports(lambda: {}, taken.append)
    await settle(lambda: {"fps": 25.0} in taken, 3.0)


async def test_ten_percent_loss_neither_blocks_nor_delays(meet):
    # Either side loses some of both directions.
    a, b = await meet(impairment=Impairment(loss=0.05))
    delays, order, controls = [], [], []
    b.on_face(lambda data: (delays.append(time.monotonic() - float(data[3:])), order.append(int(data[:3]))))
    b.on_control(controls.append)
    frames, interval = 200, 0.02
    for number in range(frames):
        a.send_face(f"{number:03}{time.monotonic():.6f}".encode().ljust(30))
        if number % 20 == 0:
            a.send_control({"type": "note", "n": number})
        await asyncio.sleep(interval)
    await settle(lambda: len(controls) == frames // 20, 8.0)
    statistics = a.statistics, b.statistics
    # Datagrams are dropped with p = 0.0975: the number that comes is binomial, here within 5 standard deviations.
    sent = statistics[0].face.messages_out
    assert sent >= 0.95 * frames
    assert abs(len(delays) - 0.9025 * sent) < 5 * (0.088 * sent) ** 0.5 + 1
    assert len(set(order)) == len(order)
    # A lost frame is never waited for: those that come, come at once.
    assert sorted(delays)[int(0.95 * len(delays))] < 0.1
    # Control messages all come, in order.
    assert [message["n"] for message in controls] == list(range(0, frames, 20))
    for side in statistics:
        crossed = side.wire.datagrams_in + side.wire.datagrams_out
        assert 0.01 < side.wire.datagrams_dropped / crossed < 0.12
    assert not a.ended.done()
    assert not b.ended.done()


async def test_what_strangers_send_to_the_socket_is_nothing(meet):
    a, b = await meet()
    faces = []
    b.on_face(faces.append)
    candidates = b._connection.sctp.transport.transport._connection.local_candidates
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for candidate in candidates:
            if candidate.type == "host" and "." in candidate.host:
                for data in [b"", *(bytes([first]) + rest for first in range(256) for rest in (b"", b"\0" * 30))]:
                    stranger.sendto(data, (candidate.host, candidate.port))
                    await asyncio.sleep(0)
    before = b.statistics.wire.datagrams_in
    await settle(lambda: b.statistics.wire.datagrams_in > before)
    a.send_face(b"face")
    await settle(lambda: faces == [b"face"])
    assert b.statistics.wire.datagrams_in > 513
    assert not b.ended.done()


async def test_connecting_through_loss(meet, monkeypatch):
    seeds = iter(range(10))
    monkeypatch.setattr(
        peer_module, "DatagramMeter", lambda how: datagrams.DatagramMeter(how, random.Random(next(seeds)))
    )
    pairs = [await meet(impairment=Impairment(loss=0.15)) for _ in range(2)]
    assert all(peer.statistics.connect_seconds < 10.0 for pair in pairs for peer in pair)
    assert sum(peer.statistics.wire.datagrams_dropped for pair in pairs for peer in pair) > 5


async def test_every_byte_on_the_wire_is_counted(monkeypatch, server):
    monkeypatch.setattr(datagrams, "_aioice_host_addresses", lambda *_: [])
    relay = await UdpRelay().start()
    original = Rendezvous.description

    async def diverted(self):
        return relay.divert(await original(self))

    monkeypatch.setattr(Rendezvous, "description", diverted)
    a, b = await asyncio.gather(
        Peer.connect("abc", server=server.url, opens=True), Peer.connect("abc", server=server.url, opens=True)
    )
    # Which of the two came first decides which of them made the offer.
    offerer, answerer = (a, b) if a._seat.first else (b, a)
    for _ in range(50):
        a.send_face(bytes(30))
        await asyncio.sleep(0.01)
    # What comes in is counted and then lost.
    lossy = datagrams.ImpairedLink(Impairment(loss=0.5), time.monotonic())
    b._meter._links = (lossy, datagrams.ImpairedLink(Impairment(), time.monotonic()))
    for _ in range(50):
        a.send_face(bytes(30))
        await asyncio.sleep(0.01)

    def agree():
        ours, theirs = offerer.statistics.wire, answerer.statistics.wire
        return (
            [ours.bytes_out, ours.datagrams_out] == relay.answerer.came
            and [theirs.bytes_out, theirs.datagrams_out] == relay.offerer.came
            and [ours.bytes_in, ours.datagrams_in] == relay.offerer.passed_on
            and [theirs.bytes_in, theirs.datagrams_in] == relay.answerer.passed_on
        )

    # Datagrams are in flight most of the time; in between, everything must agree to the byte.
    await settle(agree)
    assert offerer.statistics.wire.bytes_out > 100 * (30 + 28)
    await a.close()
    await b.close()
    relay.close()


@pytest.mark.parametrize(("address", "headers"), [("127.0.0.1", 28), ("::1", 48)])
async def test_headers_are_counted_by_the_family_of_the_socket(monkeypatch, server, address, headers):
    if ":" in address and not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    monkeypatch.setattr(ice, "get_host_addresses", lambda **_: [address])
    sent = []
    original = ice.StunProtocol.send_stun
    monkeypatch.setattr(
        ice.StunProtocol,
        "send_stun",
        lambda self, message, to: (sent.append(len(bytes(message))), original(self, message, to)),
    )
    meter = datagrams.DatagramMeter()
    with datagrams.gathering(meter, loopback=False):
        here, there = ice.Connection(ice_controlling=True), ice.Connection(ice_controlling=False)
        await here.gather_candidates()
        await there.gather_candidates()
    for one, other in ((here, there), (there, here)):
        one.remote_username, one.remote_password = other.local_username, other.local_password
        for candidate in other.local_candidates:
            await one.add_remote_candidate(candidate)
        await one.add_remote_candidate(None)
    await asyncio.gather(here.connect(), there.connect())
    await here.send(bytes(100))
    await there.recv()
    assert meter.counter.bytes_out == sum(sent) + 100 + headers * (len(sent) + 1)
    assert meter.counter.datagrams_out == len(sent) + 1
    await asyncio.gather(here.close(), there.close())


async def test_a_farewell_ends_the_other_side_at_once(meet):
    a, b = await meet()
    started = time.monotonic()
    await a.close()
    ending = await asyncio.wait_for(b.ended, 2.0)
    assert (ending.reason, ending.farewell) == (PEER_HAS_LEFT, True)
    assert time.monotonic() - started < 1.0
    assert not b.send_face(b"x")
    assert not b.send_control({"type": "x"})


async def test_the_call_outlives_the_rendezvous(meet, server):
    a, b = await meet()
    faces = []
    b.on_face(faces.append)
    # One peer's connection to the server breaks: the other is told so, but sees that its peer lives.
    await b._seat.close()
    await settle(a._seat.peer_gone.is_set)
    await server.close()
    await asyncio.sleep(2.5)
    assert not a.ended.done()
    a.send_face(b"still here")
    await settle(lambda: faces == [b"still here"])


async def test_what_waits_for_the_network_is_not_added_to(meet):
    a, b = await meet()
    faces = []
    b.on_face(faces.append)
    # 100 frames at once are more than the network is given at a time: the rest is held back, not queued.
    sent = sum(a.send_face(bytes(200)) for _ in range(100))
    assert sent < 10
    assert a.statistics.face.messages_held_back == 100 - sent
    await settle(lambda: len(faces) == sent)
    with pytest.raises(SignalingError, match="at most"):
        a.send_face(bytes(MAX_FACE_BYTES + 1))


async def test_malformed_messages_are_thrown_away_and_a_flood_of_them_ends_the_call(meet):
    a, b = await meet()
    faces, controls = [], []
    b.on_face(faces.append)
    b.on_control(controls.append)
    a._face.channel.send("text")
    a._face.channel.send(bytes(MAX_FACE_BYTES + 1))
    a._control.channel.send(b"binary")
    a._control.channel.send("[1]")
    a._control.channel.send('{"type":"bye' + " " * 20000 + '"}')
    await settle(lambda: b._control.counter.messages_refused == 3 and b._face.counter.messages_refused >= 1)
    a.send_control({"type": "well"})
    await settle(lambda: controls == [{"type": "well"}])
    assert faces == []
    for number in range(MAX_REFUSED + 100):
        a._control.channel.send("{}")
        if number % 50 == 0:
            await asyncio.sleep(0.01)
    ending = await asyncio.wait_for(b.ended, 5.0)
    assert "does not keep to the protocol" in ending.reason


@pytest.mark.parametrize(
    "sdp",
    [
        "nonsense",
        "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=fingerprint:sha-256 00:11\r\n",
        "m=application\r\na=fingerprint:sha-256 " + ":".join(["AA"] * 32) + "\r\n",
        "m=application x y z\r\na=candidate:1\r\na=fingerprint:sha-256 " + ":".join(["AA"] * 32) + "\r\n",
    ],
)
async def test_a_hostile_session_description_is_refused_in_one_sentence(server, sdp):
    hostile = await Rendezvous.join(server.url, "abc", opens=True)
    connecting = asyncio.create_task(Peer.connect("abc", server=server.url, opens=True))
    await hostile.arrival()
    await hostile.send(Description("offer", sdp))
    with pytest.raises(SignalingError, match="update nerfcall on both sides"):
        await asyncio.wait_for(connecting, 5.0)
    await hostile.close()


async def test_a_peer_that_goes_while_connecting(server):
    other = await Rendezvous.join(server.url, "abc", opens=True)
    connecting = asyncio.create_task(Peer.connect("abc", server=server.url, opens=True))
    await other.arrival()
    await other.close()
    with pytest.raises(SignalingError, match="the peer has left before the call was set up"):
        await asyncio.wait_for(connecting, 5.0)


async def test_a_peer_that_says_nothing(server, monkeypatch):
    monkeypatch.setattr(peer_module, "CONNECT_SECONDS", 0.3)
    silent = await Rendezvous.join(server.url, "abc", opens=True)
    with pytest.raises(SignalingError, match="says nothing"):
        await asyncio.wait_for(Peer.connect("abc", server=server.url, opens=True), 5.0)
    await silent.close()


async def test_a_machine_without_a_network_still_offers_loopback(monkeypatch):
    monkeypatch.setattr(datagrams, "_aioice_host_addresses", lambda *_: [])
    with datagrams.gathering(datagrams.DatagramMeter(), loopback=False):
        assert datagrams._host_addresses(True, True) == ["127.0.0.1"]
    monkeypatch.setattr(datagrams, "_aioice_host_addresses", lambda *_: ["10.0.0.5"])
    with datagrams.gathering(datagrams.DatagramMeter(), loopback=False):
        assert datagrams._host_addresses(True, True) == ["10.0.0.5"]
    with datagrams.gathering(datagrams.DatagramMeter(), loopback=True):
        assert datagrams._host_addresses(True, True) == ["127.0.0.1", "10.0.0.5"]
    assert datagrams._host_addresses(True, True) == ["10.0.0.5"]
