"""One side of a call: a WebRTC connection made through the rendezvous, with its two channels and its counters.

All methods belong to the event loop that `Peer.connect` ran in.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, rtcsctptransport

from signaling.channels import Control, ControlChannel, FaceChannel
from signaling.client import Rendezvous, is_loopback
from signaling.clock import ClockOffset
from signaling.datagrams import DatagramMeter, gathering
from signaling.dtls import short_records
from signaling.dtls_flights import DtlsFlights
from signaling.errors import PeerLeft, SignalingError
from signaling.ice_servers import IceServers
from signaling.impairment import Impairment
from signaling.liveness import SILENT_SECONDS, TICK_SECONDS, Liveness
from signaling.messages import Description
from signaling.sctp import call_sctp, sctp_of
from signaling.statistics import ChannelCounter, WireCounter

CONNECT_SECONDS: Final = 20.0
"""How long two peers that know each other's candidates may take to connect."""

BEAT_SECONDS: Final = 1.0
"""Time between beats: sign of life, clock stamps and the application's report in one control message."""

FIRST_BEATS: Final = 4
FIRST_BEAT_SECONDS: Final = 0.1
"""The first beats follow quickly, so that the clock offset is known within the first half second."""

SCTP_FIRST_TIMEOUT: Final = 0.5
"""Seconds until SCTP repeats a lost packet before it has measured a round trip. aiortc has RFC 9260's 3 s, which made
every lost handshake packet a pause of 3 s."""

# One side can finish the DTLS handshake seconds before the other, when its last flight is lost. SCTP must not give up
# meanwhile: its nine attempts were meant for three seconds each.
rtcsctptransport.SCTP_MAX_INIT_RETRANS = int(CONNECT_SECONDS / SCTP_FIRST_TIMEOUT)

GOODBYE_SECONDS: Final = 2.5
"""How long a side that ends the call waits for the other one's goodbye; SCTP repeats a lost one after a second."""

MAX_PENDING_INBOUND: Final = 1024 * 1024
"""Bytes of unfinished messages that SCTP may hold for the peer. aiortc advertises a window but does not enforce it."""

MAX_REFUSED: Final = 500
"""Malformed messages after which the peer is cut off."""

_FINGERPRINT: Final = re.compile(r"^a=fingerprint:sha-256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})\s*$", re.M | re.I)

PEER_HAS_LEFT: Final = "the peer has left"

# These libraries log what a hostile or dying peer causes, tracebacks included; a call reports its end in one sentence.
for _name in ("aiortc", "aioice", "websockets"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended."""

    reason: str
    """One sentence without a full stop."""
    farewell: bool
    """True when it was meant: this side closed, or the other one said goodbye."""


@dataclass(frozen=True, slots=True)
class PeerStatistics:
    """Counters since the first datagram."""

    wire: WireCounter
    face: ChannelCounter
    control: ChannelCounter
    round_trip: float
    """Shortest of the last minute, seconds."""
    connect_seconds: float
    """From the arrival of the other peer in the room to open channels."""


class Peer:
    """A connected peer; made by `connect`."""

    def __init__(self, seat: Rendezvous, ice: IceServers, meter: DatagramMeter, loopback: bool) -> None:
        self._seat = seat
        self._meter = meter
        self._loopback = loopback
        with short_records():
            self._connection = RTCPeerConnection(RTCConfiguration(iceServers=ice.for_aiortc()))
        with call_sctp():
            self._control = ControlChannel(self._connection, time.monotonic)
        self._flights = DtlsFlights(sctp_of(self._connection).transport.transport)
        self._face = FaceChannel(self._connection)
        self._clock = ClockOffset()
        self._liveness = Liveness()
        self._report: Callable[[], Control] | None = None
        self._on_report: Callable[[Control], None] | None = None
        self._on_control: Callable[[Control], None] | None = None
        self._early: list[Control] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._connect_seconds = 0.0
        self._goodbye = asyncio.Event()
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        """Done when the call is over, whatever ended it."""
        self.local_fingerprint = b""
        """SHA-256 of this side's DTLS certificate, 32 bytes."""
        self.remote_fingerprint = b""
        """SHA-256 of the other side's, 32 bytes; DTLS has checked that it owns the key."""

    @classmethod
    async def connect(
        cls,
        room: str,
        *,
        server: str,
        opens: bool,
        wait: float = 0.0,
        ice: IceServers | None = None,
        impairment: Impairment | None = None,
        on_joined: Callable[[bool], None] | None = None,
    ) -> "Peer":
        """Meet the other peer in ``room`` and connect to it.

        ``opens`` and ``wait`` as in `Rendezvous.join`; ``on_joined(first)`` is called once the seat is taken, with True
        when the other one has yet to come. ``impairment`` makes the network at this side bad on purpose, both ways.
        Raises `SignalingError` (`PeerLeft` when the other one vanished meanwhile).
        """
        seat = await Rendezvous.join(server, room, opens=opens, wait=wait)
        peer: Peer | None = None
        try:
            if on_joined is not None:
                on_joined(seat.first)
            if seat.first:
                await seat.arrival()
            started = time.monotonic()
            peer = cls(seat, ice or IceServers(), DatagramMeter(impairment), is_loopback(server))
            await peer._negotiate()
            peer._connect_seconds = time.monotonic() - started
        except BaseException:
            if peer is not None:
                await peer._tear_down()
            else:
                await seat.close()
            raise
        return peer

    @property
    def statistics(self) -> PeerStatistics:
        """The counters as they are now."""
        return PeerStatistics(
            self._meter.counter.copy(),
            self._face.counter,
            self._control.counter,
            self._clock.round_trip,
            self._connect_seconds,
        )

    @property
    def clock_offset(self) -> float:
        """The other side's `time.monotonic` minus ours, seconds; right to within half a round trip."""
        return self._clock.offset

    @property
    def clock_known(self) -> bool:
        """Whether `clock_offset` has been measured yet."""
        return self._clock.known

    @property
    def impairment(self) -> Impairment | None:
        """How bad the network at this side is made, both ways. May be changed at any time."""
        return self._meter.impairment

    @impairment.setter
    def impairment(self, value: Impairment | None) -> None:
        self._meter.impair(value)

    @property
    def out_of_reach(self) -> bool:
        """Whether nothing has come from the other side for a while; it may come back."""
        return self._liveness.silent_seconds >= SILENT_SECONDS

    def send_face(self, data: bytes, mark: Any = None, *, urgent: bool = False) -> bool:
        """Send one packet of at most 1100 bytes, or hold it back (False) when the network is behind.

        ``mark`` is what `on_delivered` is told once it has reached the other side; ``urgent``: as soon as can be.
        """
        return self._face.send(data, mark, urgent=urgent)

    def on_face(self, callback: Callable[[bytes], None]) -> list[bytes]:
        """Call ``callback(data)`` in the event loop for each packet that arrives; return those that came before."""
        return self._face.on_message(callback)

    def on_delivered(self, callback: Callable[[Any], None]) -> None:
        """Call ``callback(mark)`` in the event loop for each packet of which it becomes known that it has arrived."""
        self._face.on_delivered(callback)

    def send_control(self, message: Control) -> bool:
        """Send a JSON object with a text ``type``; False when the call is over."""
        return self._control.send(message)

    def on_control(self, callback: Callable[[Control], None]) -> None:
        """Call ``callback(message)`` in the event loop for each control message, earlier ones included."""
        self._on_control = callback
        early, self._early = self._early, []
        for message in early:
            callback(message)

    def exchange_reports(self, make: Callable[[], Control], take: Callable[[Control], None]) -> None:
        """Send ``make()`` with every beat, once a second, and call ``take(report)`` with what the other side sent."""
        self._report, self._on_report = make, take

    async def close(self, reason: str = "the call was ended here") -> None:
        """Swap last reports, say goodbye and end the call; does nothing when it is over."""
        if not self.ended.done():
            self._say_goodbye()
            self._finish(reason, farewell=True)
            # The answer brings the other side's last report, and tells that it need not guess.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self._goodbye.wait()
        elif self._goodbye.is_set():
            await self._drain()
        await self._tear_down()

    async def _negotiate(self) -> None:
        opened = asyncio.get_running_loop().create_future()

        def channel_opened() -> None:
            if self._control.channel.readyState == self._face.channel.readyState == "open" and not opened.done():
                opened.set_result(None)

        self._control.channel.on("open", channel_opened)
        self._face.channel.on("open", channel_opened)
        self._connection.on("connectionstatechange", self._state_changed)
        self._control.on_message(self._take_control)
        if self._connection.sctp is None:
            raise SignalingError("this version of aiortc made no SCTP transport")
        self._connection.sctp._rto = SCTP_FIRST_TIMEOUT

        with gathering(self._meter, loopback=self._loopback):
            if self._seat.first:
                await self._connection.setLocalDescription(await self._connection.createOffer())
                await self._seat.send(Description("offer", self._connection.localDescription.sdp))
                await self._apply(await self._their_description(), "answer")
            else:
                await self._apply(await self._their_description(), "offer")
                await self._connection.setLocalDescription(await self._connection.createAnswer())
                await self._seat.send(Description("answer", self._connection.localDescription.sdp))
            self.local_fingerprint = _fingerprint(self._connection.localDescription.sdp)

            gone = asyncio.create_task(self._seat.peer_gone.wait())
            awaited: set[asyncio.Future[Any]] = {opened, gone, self.ended}
            try:
                await asyncio.wait(awaited, timeout=CONNECT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
        if opened.done():
            self._tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._watch())]
        elif self._seat.peer_gone.is_set():
            raise PeerLeft("the peer has left before the call was set up")
        else:
            raise SignalingError(
                "no network path to the peer was found: if it is in another network, name a STUN or TURN server"
                " with --stun or --turn on both sides"
            )

    async def _their_description(self) -> Description:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._seat.description()
        except TimeoutError:
            raise SignalingError("the peer came into the room but says nothing: start it again there") from None

    async def _apply(self, description: Description, kind: str) -> None:
        """Take the other side's description, which may be hostile, into aiortc."""
        broken = "the peer's session description cannot be used: update nerfcall on both sides"
        if description.kind != kind or re.findall(r"^m=(\w+)", description.sdp, re.MULTILINE) != ["application"]:
            raise SignalingError(broken)
        self.remote_fingerprint = _fingerprint(description.sdp)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(description.sdp, kind))
        except Exception as error:
            # aiortc's parser answers malformed text with whatever exception it runs into.
            raise SignalingError(broken) from error

    async def _beat(self) -> None:
        beats = 0
        while True:
            # One that waits for the network already says that this side lives; more would stand in the frames' way
            # when the network comes back.
            if beats < FIRST_BEATS or not self._control_waits():
                self._control.send(self._make_beat())
            beats += 1
            await asyncio.sleep(FIRST_BEAT_SECONDS if beats < FIRST_BEATS else BEAT_SECONDS)

    def _control_waits(self) -> bool:
        """Return whether a control message has not been acknowledged yet."""
        sctp = self._connection.sctp
        assert sctp is not None
        waiting = (*sctp._sent_queue, *sctp._outbound_queue)
        return self._control.channel.bufferedAmount > 0 or any(
            chunk.stream_id == self._control.channel.id for chunk in waiting
        )

    async def _drain(self) -> None:
        """Wait until the other side has acknowledged what was sent."""
        sctp = self._connection.sctp
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                while sctp is not None and sctp.state == "connected" and (sctp._outbound_queue or sctp._sent_queue):
                    await asyncio.sleep(0.01)

    def _say_goodbye(self) -> None:
        self._control.send(self._make_beat())
        self._control.send({"type": "bye"})

    def _make_beat(self) -> Control:
        beat: Control = {"type": "beat", **self._clock.stamp(time.monotonic())}
        if self._report is not None:
            beat["report"] = self._report()
        return beat

    async def _watch(self) -> None:
        warned = False
        while not self.ended.done():
            await asyncio.sleep(TICK_SECONDS)
            if not warned and (self._seat.peer_gone.is_set() or self._seat.server_gone.is_set()):
                warned = True
                self._liveness.warn()
            sctp = self._connection.sctp
            refused = self._control.counter.messages_refused + self._face.counter.messages_refused
            if not self._liveness.tick(self._meter.heard):
                self._finish(PEER_HAS_LEFT, farewell=False)
            elif refused > MAX_REFUSED or (sctp is not None and sctp._advertised_rwnd < -MAX_PENDING_INBOUND):
                self._finish("the peer does not keep to the protocol, so the call was ended", farewell=False)

    def _take_control(self, message: Control) -> None:
        if message["type"] == "bye":
            if not self.ended.done():
                self._say_goodbye()
            self._goodbye.set()
            self._finish(PEER_HAS_LEFT, farewell=True)
        elif message["type"] == "beat":
            self._clock.take(message, time.monotonic())
            report = message.get("report")
            if self._on_report is not None and isinstance(report, dict):
                self._on_report(report)
        elif self._on_control is not None:
            self._on_control(message)
        elif len(self._early) < 32:
            self._early.append(message)

    def _state_changed(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self._finish(PEER_HAS_LEFT, farewell=False)

    def _finish(self, reason: str, *, farewell: bool) -> None:
        if not self.ended.done():
            self.ended.set_result(Ending(reason, farewell))

    async def _tear_down(self) -> None:
        self._finish("the call was ended here", farewell=True)
        for task in self._tasks:
            task.cancel()
        self._flights.stop()
        # A TURN server that does not answer would hold up the goodbye for half a minute.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._connection.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._seat.close()


def _fingerprint(sdp: str) -> bytes:
    """Return the SHA-256 certificate fingerprint of a session description, 32 bytes."""
    found = _FINGERPRINT.findall(sdp)
    if len(found) != 1:
        raise SignalingError("the peer's session description has no SHA-256 fingerprint: update nerfcall on both sides")
    return bytes.fromhex(found[0].replace(":", ""))
