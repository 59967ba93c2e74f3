"""The SCTP of a call: who has what is read off its acknowledgements, and there are fewer of these.

Frames are predicted from frames that the receiver has. Were it to say so in messages of its own, each would cost a
datagram of 93 bytes of headers, and another one of SCTP to acknowledge it: more than prediction saves. But SCTP already
tells the sender which of its DATA chunks have come, and a face message is one chunk. aiortc has no public way to ask,
so its transport is subclassed here, and nowhere else:

- A chunk counts as delivered when a SACK covers it, by the cumulative TSN or by a gap block, while it still waits in
  aiortc's queue of what was sent and was not abandoned. Chunks that were given up and skipped with a FORWARD TSN are
  covered by later cumulative TSNs as well, though they never came; but aiortc takes them out of the queue before it
  sends the FORWARD TSN, so that they are not found there.
- A gap block could be taken back later (RFC 9260, section 6.2). Neither aiortc nor the SCTP of browsers does that with
  an unordered message, as they hand it on the moment it comes.

Delivered is not decoded: what the receiver refuses nevertheless it must say itself.

aiortc acknowledges each datagram with one of its own, so that an acknowledgement costs as much as a frame. Here it
waits as RFC 9260 (section 6.2) lets it: for every second packet, 200 ms at most. At once it goes

- when a packet is missing that was not missing before, so that the sender hears of losses early; RFC 9260 asks for it
  as long as anything is missing, but what is lost of a face is not sent again, and there is nothing to hurry for;
- when a packet came twice: then an acknowledgement was probably lost;
- when the sender asks for it by the I bit (RFC 7053), which it sets on messages that it marks as urgent.

A FORWARD TSN skips what was given up, and stops before what has come (RFC 3758, section 3.5), though that needs no
skipping past either: where a third is lost, it then goes forward by one loss each round trip, losses come faster than
that, and every acknowledgement names them all. Here it goes on over unordered messages that have come.

aiortc also sends each chunk as a packet of its own. Here what can wait for the next message goes along with it (RFC
9260, section 6.10): an acknowledgement that waits anyway, and the FORWARD TSN that every lost message leads to.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextvars import ContextVar
from itertools import takewhile
from typing import Any, Final

import aiortc.rtcpeerconnection
from aiortc import RTCDataChannel, RTCPeerConnection
from aiortc.rtcsctptransport import (
    SCTP_COMMON_HEADER_LENGTH,
    SCTP_DATA_UNORDERED,
    SCTP_MAX_PACKET_LENGTH,
    SCTP_TSN_MODULO,
    USERDATA_MAX_LENGTH,
    Chunk,
    DataChunk,
    ForwardTsnChunk,
    InitChunk,
    RTCSctpTransport,
    SackChunk,
    serialize_packet,
)
from aiortc.utils import uint32_gt
from OpenSSL import SSL

from signaling.errors import SignalingError

IMMEDIATE: Final = 0x08
"""The I bit in the flags of a DATA chunk (RFC 7053)."""

ACKNOWLEDGE_EVERY: Final = 2
"""Packets for each acknowledgement."""

ACKNOWLEDGE_SECONDS: Final = 0.2
"""That an acknowledgement waits at most; RFC 9260 allows 0.5 s and recommends this."""

LEAST_TIMEOUT: Final = 0.4
"""Seconds after which what was not acknowledged is taken for lost, at least. RFC 9260 recommends 1; but until then it
counts as under way, and during an outage the frames of a second would fill the window that SCTP has fallen back to: the
first frames after it would be held back."""


LEAST_WINDOW: Final = 4 * USERDATA_MAX_LENGTH
"""Bytes that may be under way, at least. After a timeout SCTP begins with a single packet (RFC 9260, section 7.2.3),
which some frames with their repetitions fill at once; the policy of what to send (app.sending_policy) follows the
network by itself, and a call begins with as much."""


SHUT_DOWN: Final = "protocol is shutdown"
"""What OpenSSL says to whoever sends after the goodbye."""

FORWARD_SECONDS: Final = 0.05
"""That a FORWARD TSN waits for a message: one at 25 a second comes by then."""

_ROOM: Final = SCTP_MAX_PACKET_LENGTH - SCTP_COMMON_HEADER_LENGTH
"""Bytes of chunks in a packet."""


class _Together(Chunk):
    """Chunks in one packet."""

    def __init__(self, chunks: list[Chunk]) -> None:
        super().__init__()
        self.chunks = chunks

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self.chunks))

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.chunks))


class CallSctpTransport(RTCSctpTransport):
    """The SCTP of a call: tells which marked messages have been delivered."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._to_mark: dict[int, deque[Any]] = {}
        self._marks: dict[int, Any] = {}
        self.on_delivered: Callable[[Any], None] | None = None
        """Called with the mark of each marked message when a SACK says that it has come."""
        self._urgent: set[int] = set()
        self._packets_untold = 0
        self._tell_at_once = False
        self._telling: asyncio.TimerHandle | None = None
        self._late: asyncio.Future[None] | None = None
        self._forward: ForwardTsnChunk | None = None
        self._forwarding: asyncio.TimerHandle | None = None
        self._joining: list[Chunk] | None = None
        """Where an acknowledgement goes that travels with a message; None: on its own."""

    def mark_next(self, stream: int, mark: Any, *, urgent: bool = False) -> None:
        """Mark the message that is sent next on ``stream``; all messages of a stream are marked or none.

        ``urgent``: the other side is asked to acknowledge it at once.
        """
        self._to_mark.setdefault(stream, deque()).append((mark, urgent))

    async def _send(
        self,
        stream_id: int,
        pp_id: int,
        user_data: bytes,
        expiry: float | None = None,
        max_retransmits: int | None = None,
        ordered: bool = True,
    ) -> None:
        # aiortc takes messages of one channel out of its queue in their order, and gives them their TSN here.
        if waiting := self._to_mark.get(stream_id):
            self._marks[self._local_tsn], urgent = waiting.popleft()
            if urgent:
                self._urgent.add(self._local_tsn)
        await super()._send(stream_id, pp_id, user_data, expiry, max_retransmits, ordered)

    async def _transmit(self) -> None:
        for chunk in self._outbound_queue:
            if chunk.tsn in self._urgent:
                self._urgent.discard(chunk.tsn)
                chunk.flags |= IMMEDIATE
        # The timer for what was lost starts it as well, also while the connection ends.
        await _unless_gone(super()._transmit())

    async def _receive_data_chunk(self, chunk: DataChunk) -> None:
        missing, duplicates = self._missing, len(self._sack_duplicates)
        await super()._receive_data_chunk(chunk)
        self._packets_untold += 1
        if chunk.flags & IMMEDIATE or self._missing > missing or len(self._sack_duplicates) > duplicates:
            self._tell_at_once = True

    async def _receive_forward_tsn_chunk(self, chunk: ForwardTsnChunk) -> None:
        await super()._receive_forward_tsn_chunk(chunk)
        self._packets_untold += 1

    @property
    def _missing(self) -> int:
        """How many packets have not come though a later one has."""
        if not self._sack_misordered or self._last_received_tsn is None:
            return 0
        # Of numbers that may wrap, the one furthest ahead.
        ahead = max((tsn - self._last_received_tsn) % SCTP_TSN_MODULO for tsn in self._sack_misordered)
        return ahead - len(self._sack_misordered)

    async def _send_chunk(self, chunk: Chunk) -> None:
        if isinstance(chunk, SackChunk) and self._joining is not None:
            self._joining.append(chunk)
        elif isinstance(chunk, ForwardTsnChunk):
            # A newer one says all that an older one said.
            self._forward = chunk
            if self._forwarding is None:
                self._forwarding = asyncio.get_running_loop().call_later(FORWARD_SECONDS, self._forward_late)
        elif isinstance(chunk, DataChunk):
            await super()._send_chunk(_Together([*await self._companions(len(bytes(chunk))), chunk]))
        elif isinstance(chunk, InitChunk):
            # Its tag is 0 (RFC 9260, section 8.5.1). aiortc repeats it under the tag that it has learned from the other
            # side's INIT meanwhile, and refuses such a one: with both INIT ACKs lost, two sides never come together.
            assert self._remote_port is not None
            packet = serialize_packet(self._local_port, self._remote_port, 0, chunk)
            await self.transport._send_data(packet)  # type: ignore[no-untyped-call]
        else:
            await super()._send_chunk(chunk)

    async def _companions(self, size: int) -> list[Chunk]:
        """Return the chunks that have waited for one of ``size`` bytes, as far as they fit beside it."""
        waiting: list[Chunk] = []
        if self._telling is not None:
            self._joining = waiting
            try:
                await self._acknowledge()
            finally:
                self._joining = None
        if self._forward is not None:
            waiting.append(self._forward)
            self._forget_forward()
        if size + sum(len(bytes(chunk)) for chunk in waiting) <= _ROOM:
            return waiting
        for chunk in waiting:
            await super()._send_chunk(chunk)
        return []

    def _forget_forward(self) -> None:
        self._forward = None
        if self._forwarding is not None:
            self._forwarding.cancel()
            self._forwarding = None

    def _forward_late(self) -> None:
        chunk = self._forward
        self._forget_forward()
        if chunk is not None and self.state == "connected":
            self._late = asyncio.ensure_future(_unless_gone(super()._send_chunk(chunk)))

    async def _send_sack(self) -> None:
        """Send an acknowledgement if it is time; aiortc calls this after each packet as long as one is needed."""
        if self._tell_at_once or self._packets_untold >= ACKNOWLEDGE_EVERY:
            await self._acknowledge()
        elif self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(ACKNOWLEDGE_SECONDS, self._acknowledge_late)

    async def _acknowledge(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        self._packets_untold, self._tell_at_once = 0, False
        await super()._send_sack()

    def _acknowledge_late(self) -> None:
        self._telling = None
        if self.state == "connected":
            self._late = asyncio.ensure_future(_unless_gone(self._acknowledge()))

    def _update_advanced_peer_ack_point(self) -> None:
        settled = list(takewhile(_settled, self._sent_queue))
        while settled and not settled[-1]._abandoned:
            settled.pop()
        for chunk in settled:
            # Only what was given up is skipped.
            chunk._abandoned = True
        super()._update_advanced_peer_ack_point()

    def _t3_expired(self) -> None:
        super()._t3_expired()
        self._cwnd = max(self._cwnd, LEAST_WINDOW)

    def _update_rto(self, R: float) -> None:  # noqa: N803 (aiortc's name, and the RFC's)
        super()._update_rto(R)
        assert self._srtt is not None
        assert self._rttvar is not None
        self._rto = max(LEAST_TIMEOUT, self._srtt + 4 * self._rttvar)

    async def _receive_sack_chunk(self, chunk: SackChunk) -> None:
        cumulative = chunk.cumulative_tsn
        if not uint32_gt(self._last_sacked_tsn, cumulative):
            # aiortc writes out every number in these blocks: one of a hostile peer could name a hundred million.
            outstanding = (self._local_tsn - cumulative) % SCTP_TSN_MODULO
            chunk.gaps = [(first, last) for first, last in chunk.gaps if first <= last < outstanding]
            delivered = self._covered(cumulative, chunk.gaps)
            self._marks = {tsn: mark for tsn, mark in self._marks.items() if uint32_gt(tsn, cumulative)}
            if self.on_delivered is not None:
                for mark in delivered:
                    self.on_delivered(mark)
        await super()._receive_sack_chunk(chunk)

    def _covered(self, cumulative: int, gaps: list[tuple[int, int]]) -> list[Any]:
        """Return the marks of the outstanding chunks that a SACK covers, which are then told and gone."""
        marks = []
        for sent in self._sent_queue:
            if sent.tsn in self._marks and not sent._abandoned:
                ahead = (sent.tsn - cumulative) % SCTP_TSN_MODULO
                if not uint32_gt(sent.tsn, cumulative) or any(first <= ahead <= last for first, last in gaps):
                    marks.append(self._marks.pop(sent.tsn))
        return marks


def _settled(chunk: DataChunk) -> bool:
    """Return whether a chunk was given up, or has come and will not be taken back."""
    return bool(chunk._abandoned or (chunk._acked and chunk.flags & SCTP_DATA_UNORDERED))


async def _unless_gone(sending: Coroutine[Any, Any, None]) -> None:
    """Send something that nobody waits for any more when the connection ends in this very moment."""
    try:
        with contextlib.suppress(ConnectionError):
            await sending
    except SSL.Error as error:
        # For a moment after DTLS has said goodbye, aiortc still takes it for connected.
        if not any(SHUT_DOWN in reasons for reasons in error.args[0]):
            raise


_wanted: ContextVar[bool] = ContextVar("signaling_sctp", default=False)


@contextlib.contextmanager
def call_sctp() -> Iterator[None]:
    """Let connections whose first data channel is made in this context have a `CallSctpTransport`."""
    token = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(token)


def sctp_of(connection: RTCPeerConnection) -> CallSctpTransport:
    """Return the transport of a connection whose first data channel was made within `call_sctp`."""
    if not isinstance(connection.sctp, CallSctpTransport):
        raise SignalingError("this version of aiortc makes its SCTP transport in another way: install the one required")
    return connection.sctp


def stream_of(channel: RTCDataChannel) -> int:
    """Return the SCTP stream of a channel that was negotiated in advance."""
    assert channel.id is not None
    return channel.id


def _make_transport(*args: Any, **kwargs: Any) -> RTCSctpTransport:
    return CallSctpTransport(*args, **kwargs) if _wanted.get() else RTCSctpTransport(*args, **kwargs)


# RTCPeerConnection makes its transport by this name, and offers no other way in.
vars(aiortc.rtcpeerconnection)["RTCSctpTransport"] = _make_transport
