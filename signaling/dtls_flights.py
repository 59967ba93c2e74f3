"""A DTLS handshake through losses: each flight is repeated until the other side answers it.

OpenSSL repeats a flight after one second, then after two, four and eight (RFC 6347, section 4.2.4.1), and lets nobody
choose; and the side that has sent the last flight repeats it only when it is asked to. Where one datagram in five is
lost each way, one call in ten began after more than five seconds for that, and some not at all. So the very datagrams
of a flight are sent again, sooner: what has arrived already DTLS tells by its record number and drops.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiortc import RTCIceTransport

CHANGE_CIPHER_SPEC: Final = 20
HANDSHAKE: Final = 22
APPLICATION_DATA: Final = 23
"""Content types, the first byte of a record (RFC 6347, section 4.1)."""

FIRST_REPEAT: Final = 0.25
LAST_REPEAT: Final = 1.0
GROWTH: Final = 1.5
"""Seconds from a flight to its first repetition, and between later ones at most; each waits so much longer."""

FLIGHT_SECONDS: Final = 0.5
"""What is sent within so long, unanswered, is one flight; later OpenSSL repeats it, under new record numbers."""

MOST_REPEATS: Final = 20
"""About as long as a connection may take."""


class DtlsFlights:
    """Stands between DTLS and the ICE transport below it, and repeats the handshake's datagrams."""

    def __init__(self, transport: RTCIceTransport) -> None:
        """Take the place of a transport's sending and receiving, before DTLS starts on it."""
        self._send_below: Callable[[bytes], Awaitable[None]] = transport._send
        self._receive_below: Callable[[], Awaitable[bytes]] = transport._recv
        transport._send, transport._recv = self._send, self._receive
        self._flight: list[bytes] = []
        self._began = 0.0
        self._answered = True
        self._repeating: asyncio.Task[None] | None = None
        self.repeated = 0
        """Datagrams sent again."""

    def stop(self) -> None:
        """Repeat nothing any more."""
        if self._repeating is not None:
            self._repeating.cancel()
            self._repeating = None

    async def _send(self, data: bytes) -> None:
        await self._send_below(data)
        if data[0] not in (CHANGE_CIPHER_SPEC, HANDSHAKE):
            return
        now = time.monotonic()
        if self._answered or now - self._began > FLIGHT_SECONDS:
            self._flight, self._began, self._answered = [], now, False
            self.stop()
            self._repeating = asyncio.create_task(self._repeat())
        self._flight.append(data)

    async def _receive(self) -> bytes:
        data = await self._receive_below()
        if data[0] in (CHANGE_CIPHER_SPEC, HANDSHAKE):
            # Perhaps a part of an answer, or an old one: this flight is repeated until the next one goes out.
            self._answered = True
        elif data[0] == APPLICATION_DATA:
            # The other side has all that it needs.
            self.stop()
        return data

    async def _repeat(self) -> None:
        wait = FIRST_REPEAT
        with contextlib.suppress(ConnectionError):
            for _ in range(MOST_REPEATS):
                await asyncio.sleep(wait)
                wait = min(GROWTH * wait, LAST_REPEAT)
                for data in tuple(self._flight):
                    await self._send_below(data)
                    self.repeated += 1
