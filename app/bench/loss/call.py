"""A real call over a network made bad on purpose, observed: what came when, and what was on show."""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from app.bench.loss.footage import Footage
from app.bench.loss.networks import Network
from app.call_options import CallOptions
from app.face_source import RecordedFace
from app.receiver import Receiver
from app.sender import Sender
from codec.face_state import FaceState
from codec.playout import PlayoutBuffer
from signaling.impairment import ImpairedLink
from signaling.messages import make_room_code
from signaling.peer import Peer
from signaling.server import RendezvousServer

WAIT_SECONDS = 30.0
WATCH_SECONDS = 0.05
"""Between two looks at what the receiver says of the call."""
SIZE = (16, 16)


@dataclass(slots=True)
class Observation:
    """A call; all times are seconds of `time.monotonic`."""

    begin: float = 0.0
    """When the first frame was there."""
    end: float = 0.0
    truth: list[FaceState] = field(default_factory=list)
    """What the camera would have seen, with the times of capture, in their order."""
    sent: dict[int, float] = field(default_factory=dict)
    """Capture time by sequence number, of every frame that was encoded."""
    messages: list[float] = field(default_factory=list)
    """Arrivals of face messages."""
    pushed: list[tuple[float, int, bool]] = field(default_factory=list)
    """Frames that were decoded: when, sequence number, whether before their moment on show had passed."""
    shown: list[tuple[float, float, FaceState]] = field(default_factory=list)
    """What was on show: when, capture time, and the state."""
    delays: list[tuple[float, float]] = field(default_factory=list)
    """When, and the playout delay, seconds."""
    labels: list[tuple[float, str]] = field(default_factory=list)
    """When, and what the receiver said of the call."""
    outages: list[tuple[float, float]] = field(default_factory=list)
    """From when to when nothing came through."""
    refused: int = 0
    """Packets that came and could not be decoded."""
    control_bytes: int = 0
    """Of control messages, both ways, after the first second."""
    wire_kbps: float = 0.0
    """Both ways, with all headers."""
    payload_kbps: float = 0.0
    ended: bool = False
    """Whether the call ended before its time."""


class _Budget:
    """Lowers nothing: the pictures are blank."""

    smooth = False

    def choose(self, width: int, height: int) -> tuple[int, int]:
        return width, height

    def report(self, width: int, height: int, seconds: float) -> None:
        pass


class _WatchedPlayout(PlayoutBuffer):
    """Notes what is pushed in time and what is shown."""

    def __init__(self, rest: FaceState, seen: Observation) -> None:
        super().__init__(rest)
        self._seen = seen

    def push(self, state: FaceState, now: float, sequence: int | None = None) -> None:
        in_time = self._display_time is None or state.timestamp > self._display_time
        super().push(state, now, sequence)
        if sequence is not None:
            self._seen.pushed.append((now, sequence, in_time))

    def sample(self, now: float) -> FaceState | None:
        state = super().sample(now)
        if state is not None:
            self._seen.shown.append((now, state.timestamp, state))
            self._seen.delays.append((now, self.delay))
        return state


class _WatchedFace(RecordedFace):
    """Notes what is to be sent."""

    def __init__(self, footage: Footage, seen: Observation) -> None:
        super().__init__(footage.states, footage.fps, footage.recording, loop=True)
        self._seen = seen

    def states(self, sleep: Callable[[float], object]) -> Iterator[FaceState]:
        for state in super().states(sleep):
            self._seen.truth.append(state)
            yield state


class _WatchedReceiver(Receiver):
    """Notes when messages arrive."""

    def __init__(self, footage: Footage, seen: Observation) -> None:
        super().__init__(footage, _Budget(), device="none", size=SIZE)
        self._playout = _WatchedPlayout(footage.tables.rest_state(0.0), seen)
        self._seen = seen
        self.peer: Peer | None = None

    def _take(self, peer: Peer, data: bytes, *values: Any, **keywords: Any) -> None:
        self.peer = peer
        self._seen.messages.append(time.monotonic())
        super()._take(peer, data, *values, **keywords)


def observe(footage: Footage, network: Network, seconds: float) -> Observation:
    """Call over a network for so many seconds from the first frame on, in real time."""
    return asyncio.run(_observe(footage, network, seconds))


async def _observe(footage: Footage, network: Network, seconds: float) -> Observation:
    seen = Observation()
    receiver, sender = _WatchedReceiver(footage, seen), Sender(footage, _WatchedFace(footage, seen))
    async with RendezvousServer("127.0.0.1", 0) as server:
        room = make_room_code()
        # One side alone makes the network bad, both ways.
        here = CallOptions(room, server.url, impairment=network.impairment, wait=WAIT_SECONDS)
        there = CallOptions(room, server.url, wait=WAIT_SECONDS)
        watching = asyncio.create_task(_watch(receiver, seen))
        try:
            ending, _ = await asyncio.gather(receiver.run(here, seconds), sender.run(there))
        finally:
            watching.cancel()
    seen.begin, seen.end = seen.messages[0], time.monotonic()
    seen.ended = ending.reason != "the call was ended here" or seen.end - seen.begin < seconds
    seen.sent = {span.frame: span.begin for span in sender.stages.spans if span.stage == "capture"}
    seen.refused = receiver.packets_damaged
    summary = receiver.meter.summary()
    seen.wire_kbps, seen.payload_kbps = summary["wire_kbps_out"] + summary["wire_kbps_in"], summary["payload_kbps"]
    return seen


async def _watch(receiver: _WatchedReceiver, seen: Observation) -> None:
    """Look at the call again and again: what it says, and whether the network carries anything."""
    before: int | None = None
    down: float | None = None
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        now = time.monotonic()
        seen.labels.append((now, receiver.state()[0].label))
        peer = receiver.peer
        if peer is None:
            continue
        links: tuple[ImpairedLink, ...] = peer._meter._links or ()
        if any(link.in_burst(now) for link in links):
            down = now if down is None else down
        elif down is not None:
            seen.outages.append((down, now))
            down = None
        control = peer.statistics.control
        total = control.bytes_in + control.bytes_out
        if before is None and seen.messages and now - seen.messages[0] > 1.0:
            before = total
        seen.control_bytes = total - (total if before is None else before)
