"""Every datagram of a peer, counted at its sockets; and losses on purpose, in the same place.

aiortc has no counters below DTLS and no way to hand it a socket, so the protocols that aioice puts on its UDP sockets
are replaced by subclasses which count and drop. A context variable names the meter while a peer gathers its candidates,
since that is when all of its sockets are opened. Protocols outside such a context behave as aioice made them.
"""

import asyncio
import contextlib
import random
import socket
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, cast

from aioice import ice, turn

from signaling.statistics import WireCounter

UDP_HEADER = 8
IPV4_HEADER = 20
IPV6_HEADER = 40

LOOPBACK_ADDRESS = "127.0.0.1"


class DatagramMeter:
    """Counts the datagrams of one peer and drops some of those that come in."""

    def __init__(self, drop_probability: float = 0.0, generator: random.Random | None = None) -> None:
        self.counter = WireCounter()
        self.drop_probability = drop_probability
        """[0, 1): share of incoming datagrams thrown away after they were counted, each independently."""
        self.heard = 0
        """Encrypted datagrams that came in and were not dropped: the sign of life of the other side."""
        self._random = generator or random.Random()

    def sent(self, data: bytes, headers: int) -> None:
        """Count a datagram that the socket took."""
        self.counter.bytes_out += len(data) + headers
        self.counter.datagrams_out += 1

    def received(self, data: bytes, headers: int) -> bool:
        """Count a datagram that came in; return False when it is to be thrown away."""
        self.counter.bytes_in += len(data) + headers
        self.counter.datagrams_in += 1
        if self.drop_probability > 0.0 and self._random.random() < self.drop_probability:
            self.counter.datagrams_dropped += 1
            return False
        # RFC 7983: the first byte tells DTLS from STUN, TURN channels and RTP.
        if data and 20 <= data[0] <= 63:
            self.heard += 1
        return True


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
    """A datagram transport that counts what it sends."""

    def __init__(self, transport: asyncio.DatagramTransport, meter: DatagramMeter) -> None:
        self._transport = transport
        self._meter = meter
        endpoint: socket.socket = transport.get_extra_info("socket")
        self.headers = UDP_HEADER + (IPV6_HEADER if endpoint.family == socket.AF_INET6 else IPV4_HEADER)
        self.failed = False
        """Set by the protocol when sending failed: asyncio reports that to the protocol before ``sendto`` returns."""

    def sendto(self, data: bytes, addr: Any = None) -> None:
        self.failed = False
        self._transport.sendto(data, addr)
        if not self.failed:
            self._meter.sent(data, self.headers)

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
        if outer is None or self._gathering is None or self._gathering.meter.received(data, outer.headers):
            super().datagram_received(data, addr)

    def error_received(self, exc: Exception) -> None:
        if self._metered_transport is not None:
            self._metered_transport.failed = True
        super().error_received(exc)


class _MeteredStunProtocol(_Metered, ice.StunProtocol):  # type: ignore[misc]
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


ice.StunProtocol = _MeteredStunProtocol  # type: ignore[misc]
turn.TurnClientUdpProtocol = _MeteredTurnProtocol  # type: ignore[misc]
ice.get_host_addresses = _host_addresses
