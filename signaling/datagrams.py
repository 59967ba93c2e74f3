"""Every datagram of a peer, counted at its sockets; and a bad network on purpose, in the same place.

aiortc has no counters below DTLS and no way to hand it a socket, so the protocols that aioice puts on its UDP sockets
are replaced by subclasses which count, drop and delay. A context variable names the meter while a peer gathers its
candidates, since that is when all of its sockets are opened. Protocols outside such a context count nothing.
"""

import asyncio
import contextlib
import random
import socket
import time
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, cast

from aioice import ice, turn

from signaling.impairment import ImpairedLink, Impairment
from signaling.statistics import WireCounter
from signaling.stun_requests import RepeatingStunProtocol

UDP_HEADER = 8
IPV4_HEADER = 20
IPV6_HEADER = 40

LOOPBACK_ADDRESS = "127.0.0.1"


class DatagramMeter:
    """Counts the datagrams of one peer, and makes of its network what an `Impairment` says, in both directions."""

    def __init__(self, impairment: Impairment | None = None, generator: random.Random | None = None) -> None:
        self.counter = WireCounter()
        self.heard = 0
        """Encrypted datagrams that came in and were not dropped: the sign of life of the other side."""
        self._random = generator or random.Random()
        self.impair(impairment)

    def impair(self, impairment: Impairment | None) -> None:
        """Make the network so bad from now on; None leaves it as it is. What is under way arrives as it would have."""
        now = time.monotonic()
        self.impairment = impairment
        self._links = (
            None if impairment is None else tuple(ImpairedLink(impairment, now, self._random) for _ in range(2))
        )

    def sent(self, data: bytes, headers: int) -> None:
        """Count a datagram that the socket took, or would have taken in a better network."""
        self.counter.bytes_out += len(data) + headers
        self.counter.datagrams_out += 1

    def received(self, data: bytes, headers: int) -> None:
        """Count a datagram that came in."""
        self.counter.bytes_in += len(data) + headers
        self.counter.datagrams_in += 1

    def delays(self, data: bytes, headers: int, *, outgoing: bool) -> list[float]:
        """Return after how many seconds a datagram goes on, once or twice; nothing when it is lost."""
        if self._links is None:
            return [0.0]
        delays = self._links[outgoing].pass_on(len(data) + headers, time.monotonic())
        self.counter.datagrams_dropped += not delays
        return delays

    def delivered(self, data: bytes) -> None:
        """Take note that a datagram is being handed to the connection."""
        # RFC 7983: the first byte tells DTLS from STUN, TURN channels and RTP.
        if data and 20 <= data[0] <= 63:
            self.heard += 1


class _Gathering:
    """What the sockets that are being opened belong to."""

    def __init__(self, meter: DatagramMeter, loopback: bool) -> None:
        self.meter = meter
        self.loopback = loopback


_gathering: ContextVar[_Gathering | None] = ContextVar("signaling_gathering", default=None)


@contextlib.contextmanager
def gathering(meter: DatagramMeter, *, loopback: bool) -> Iterator[None]:
    """Meter all sockets that aioice opens in this context; with ``loopback`` offer 127.0.0.1 as the first candidate.

    aioice leaves loopback addresses out, so that two processes on a machine without a network would never meet; they
    are offered when asked for, and when there is nothing else.
    """
    token = _gathering.set(_Gathering(meter, loopback))
    try:
        yield
    finally:
        _gathering.reset(token)


class _MeteredTransport:
    """A datagram transport that counts what it sends, and sends it when it is to be sent."""

    def __init__(self, transport: asyncio.DatagramTransport, meter: DatagramMeter) -> None:
        self._transport = transport
        self._meter = meter
        endpoint: socket.socket = transport.get_extra_info("socket")
        self.headers = UDP_HEADER + (IPV6_HEADER if endpoint.family == socket.AF_INET6 else IPV4_HEADER)
        self.failed = False
        """Set by the protocol when sending failed: asyncio reports that to the protocol before ``sendto`` returns."""

    def sendto(self, data: bytes, addr: Any = None) -> None:
        self.failed = False
        for delay in self._meter.delays(data, self.headers, outgoing=True):
            if delay > 0.0:
                asyncio.get_running_loop().call_later(delay, self._send_late, data, addr)
            else:
                self._transport.sendto(data, addr)
        if not self.failed:
            self._meter.sent(data, self.headers)

    def _send_late(self, data: bytes, addr: Any) -> None:
        if not self._transport.is_closing():
            self._transport.sendto(data, addr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Metered(asyncio.DatagramProtocol):
    """Mixed in before a protocol of aioice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gathering = _gathering.get()
        self._metered_transport: _MeteredTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Inside a TURN allocation the transport is not a socket: the bytes are counted at the socket below it.
        if self._gathering is not None and not isinstance(transport, turn.TurnTransport):
            datagrams = cast(asyncio.DatagramTransport, transport)
            self._metered_transport = _MeteredTransport(datagrams, self._gathering.meter)
            transport = cast(asyncio.DatagramTransport, self._metered_transport)
        super().connection_made(cast(asyncio.DatagramTransport, transport))

    def datagram_received(self, data: bytes, addr: Any) -> None:
        outer = self._metered_transport
        if outer is not None and self._gathering is not None:
            self._gathering.meter.received(data, outer.headers)
        if not data:  # aiortc looks at a first byte, and ends the connection where there is none.
            return
        if outer is None or self._gathering is None:
            super().datagram_received(data, addr)
            return
        meter = self._gathering.meter
        for delay in meter.delays(data, outer.headers, outgoing=False):
            if delay > 0.0:
                asyncio.get_running_loop().call_later(delay, self._deliver, data, addr)
            else:
                self._deliver(data, addr)

    def _deliver(self, data: bytes, addr: Any) -> None:
        assert self._gathering is not None
        if self._metered_transport is not None and not self._metered_transport.is_closing():
            self._gathering.meter.delivered(data)
            super().datagram_received(data, addr)

    def error_received(self, exc: Exception) -> None:
        if self._metered_transport is not None:
            self._metered_transport.failed = True
        super().error_received(exc)


class _MeteredStunProtocol(_Metered, RepeatingStunProtocol):  # type: ignore[misc]
    """The protocol on a host candidate's socket."""


class _MeteredTurnProtocol(_Metered, turn.TurnClientUdpProtocol):  # type: ignore[misc]
    """The protocol on the socket to a TURN server."""


_aioice_host_addresses = ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    addresses = _aioice_host_addresses(use_ipv4, use_ipv6)
    current = _gathering.get()
    if current is not None and use_ipv4 and (current.loopback or not addresses):
        addresses.insert(0, LOOPBACK_ADDRESS)
    return addresses


CONSENT_FAILURES = 30
"""Checks in a row, one every five seconds and each sent once, after which aioice closes a connection. Its own 6 end a
call within minutes where a third of the packets is lost, though frames go on coming. That the other side still wants
them is known by what it sends: `signaling.liveness` gives it up after 20 s of silence."""

ice.CONSENT_FAILURES = CONSENT_FAILURES
ice.StunProtocol = _MeteredStunProtocol  # type: ignore[misc]
turn.TurnClientUdpProtocol = _MeteredTurnProtocol  # type: ignore[misc]
ice.get_host_addresses = _host_addresses
