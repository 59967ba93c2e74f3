"""The receiving side of a call: packets in, rendered frames out.

Three threads: the event loop decodes what arrives; the render thread samples the playout buffer at display time and
renders; whoever shows the frames takes the newest from the mailbox. None of them waits for another, and what comes too
late anywhere is skipped.
"""

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.call_course import ended_status, measure, until_stopped
from app.call_options import CallOptions
from app.call_statistics import CallMeter, CallStatistics
from app.latency import RECEIVER_STAGES, ArrivalLog, StageLog
from app.loaded import RenderedAvatar
from app.mailbox import Mailbox
from app.session import REFUSED, Handshake, Hello, Rights, Role, backdrop_of, shake_hands
from app.warm_up import Budget, WarmUp, limit_render_threads
from app.window import figures
from app.window.figures import Status
from codec.backdrop import decode_backdrop
from codec.decoder import FrameDecoder
from codec.errors import BackdropError
from codec.face_state import FaceState
from codec.playout import PlayoutBuffer
from signaling.ice_servers import IceServers
from signaling.identity import make_nonce
from signaling.peer import Ending, Peer

MAX_FPS: Final = 30.0
"""Frames a second that are rendered at most. More than are sent, so that the playout buffer interpolates: a display at
the very rate of the camera would show some states twice and others never, as their phases drift."""

SILENT_SECONDS: Final = 0.7
"""Without a packet for so long the connection counts as interrupted: what is said again does not reach back further."""

REFUSED_SECONDS: Final = 0.5
"""Between telling the sender that a packet was refused and doing so again: by then it has acted upon it."""

ALONE_SECONDS: Final = 2.0
"""Without a seat in the room for so long nobody else is there: the server gives one at once otherwise."""

OFFSET_STEP: Final = 0.005
"""Seconds by which the estimate of the other clock must change before it is taken: smaller steps would only jitter."""


@dataclass(frozen=True, slots=True, eq=False)
class RenderedFrame:
    """A picture for the window."""

    image: NDArray[np.uint8]
    """(height, width, 3), RGB."""
    capture_time: float
    """When the camera saw what it shows, on this machine's `time.monotonic`."""
    render_ms: float
    width: int
    height: int
    wanted_width: int
    wanted_height: int
    """What was asked for; more than width and height when the render budget lowered them."""
    state: FaceState
    """What it shows, embedded."""
    begun: float
    """When its rendering began."""
    done: float
    """When it was there."""


class Receiver:
    """Carries a call until one side ends it: ``await receiver.run(options)`` in any event loop.

    `mailbox`, `set_size`, `painted`, `state` and `stop` may be used from any thread meanwhile.
    """

    def __init__(
        self,
        avatar: RenderedAvatar,
        budget: Budget,
        *,
        device: str,
        fps: float = MAX_FPS,
        size: tuple[int, int] = (512, 512),
        threads: int = 1,
    ) -> None:
        """Prepare a call that renders ``avatar``.

        ``fps`` is the most that is rendered a second, ``size`` the first (width, height), ``threads`` the number of CPU
        threads a rendering may use, ``device`` what renders, in words.
        """
        self._avatar, self._budget = avatar, budget
        self._interval = 1.0 / fps
        self._size = size
        self._threads = threads
        self._decoder = FrameDecoder(avatar.tables, avatar.digest, prediction=avatar.prediction)
        self._playout = PlayoutBuffer(avatar.tables.rest_state(0.0))
        self._playout_lock = threading.Lock()
        self._clock_offset = 0.0
        self._last_packet: float | None = None
        self._refused_told = float("-inf")
        self._backdrop: asyncio.Future[None] | None = None
        self._present = True
        self._newest_painted = float("-inf")
        self._status: Status | None = figures.connecting()
        self._stop = threading.Event()
        self._warm_up = WarmUp(avatar, budget, threads)
        self._render_failure: asyncio.Future[BaseException] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._arrivals = ArrivalLog()
        self.meter = CallMeter(device)
        self.stages = StageLog()
        """When what happened to each frame that was received, and to each picture that was painted."""
        self.mailbox: Mailbox[RenderedFrame] = Mailbox()
        self.packets_damaged = 0
        """Packets that came but could not be decoded."""

    def set_size(self, width: int, height: int) -> None:
        """Render at this size from the next frame on."""
        self._size = (width, height)

    def painted(self, frame: RenderedFrame) -> None:
        """Take note that a frame has just reached the eye: that is where latency ends."""
        # While nothing comes, the last face is eased to rest under its old time: that is no latency.
        if frame.capture_time > self._newest_painted:
            self._newest_painted = frame.capture_time
            now = time.monotonic()
            self.meter.frame_painted(1000.0 * (now - frame.capture_time))
            with self._playout_lock:
                shown = self._arrivals.shown(frame.capture_time)
            if shown is not None:
                number, took = shown
                moments = frame.capture_time + took, frame.begun, frame.done, now
                self.stages.add(number, *moments, stages=RECEIVER_STAGES[1:])

    def state(self) -> tuple[Status, CallStatistics]:
        """Return the state of the call in words, and its figures."""
        return self._current_status(), self.meter.snapshot()

    def stop(self) -> None:
        """End the call from this side."""
        self._stop.set()
        loop, stopped = self._loop, self._stopped
        if loop is not None and stopped is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stopped.set)

    async def run(self, options: CallOptions, seconds: float | None = None) -> Ending:
        """Meet the sender, receive until one side ends the call, and return how it ended.

        ``seconds`` counts from the first packet. Raises `SignalingError` or `SessionError` when the call did not come
        about, and whatever the renderer raises. The mailbox is closed at the end.
        """
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._render_failure = self._loop.create_future()
        try:
            ending = await self._call(options, seconds)
        except BaseException as error:
            self._status = figures.failed(str(error)) if isinstance(error, Exception) else figures.peer_left()
            raise
        finally:
            self._stop.set()
            self._warm_up.end()
            self.mailbox.close()
        return ending

    async def _call(self, options: CallOptions, seconds: float | None) -> Ending:
        ice = IceServers(options.stun, options.turn, options.turn_user, options.turn_password)

        def wait() -> None:
            self._status = figures.waiting(options.room)
            self._warm_up.make_fast()

        def joined(first: bool) -> None:
            alone.cancel()
            if first:
                wait()
            else:
                self._status = figures.connecting()

        # Until somebody has opened the room, there is no seat to take.
        alone = asyncio.get_running_loop().call_later(ALONE_SECONDS, wait)
        connecting = asyncio.ensure_future(
            Peer.connect(
                options.room,
                server=options.server,
                opens=False,
                wait=options.wait,
                ice=ice,
                impairment=options.impairment,
                on_joined=joined,
            )
        )
        warming = asyncio.create_task(asyncio.to_thread(self._warm_up.run, *self._size))
        try:
            peer = await until_stopped(connecting, self._stopped)
        finally:
            alone.cancel()
            # Not cancelled: the thread would go on, and it renders with what the call is about to use.
            await asyncio.wait({warming})
            # Looked at, so that asyncio does not complain when the call fails for another reason.
            warming.exception()
        if peer is None:
            return Ending("the call was ended here", farewell=True)
        renderer = threading.Thread(target=self._render_loop, name="render", daemon=True)
        measuring: asyncio.Task[None] | None = None
        try:
            warming.result()
            agreement = await shake_hands(peer, self._handshake, self._told)
            self._decoder.short = agreement.short
            peer.exchange_reports(self.meter.report, lambda report: self.meter.take_report(report, time.monotonic()))
            self._clock_offset = peer.clock_offset
            for data in peer.on_face(lambda data: self._take(peer, data)):
                self._take(peer, data, late=True)
            renderer.start()
            measuring = asyncio.create_task(measure(peer, self.meter))
            self._status = None
            ending = await self._until_over(peer, seconds)
            self._status = ended_status(ending)
        finally:
            self._stop.set()
            if measuring is not None:
                measuring.cancel()
            self.meter.wire(peer.statistics.wire, time.monotonic())
            await peer.close()
            if renderer.ident is not None:
                await asyncio.to_thread(renderer.join, 5.0)
        return ending

    def _handshake(self, fingerprints: tuple[bytes, bytes]) -> Handshake:
        avatar = self._avatar
        prediction = b"" if avatar.prediction is None else avatar.prediction.digest
        hello = Hello(Role.RECEIVER, avatar.digest, avatar.tables.digest, make_nonce(), prediction=prediction)
        return Handshake(hello, Rights.of(avatar.meta), fingerprints)

    async def _until_over(self, peer: Peer, seconds: float | None) -> Ending:
        assert self._stopped is not None
        assert self._render_failure is not None
        stopped = asyncio.create_task(self._stopped.wait())
        timer = asyncio.create_task(self._call_time(seconds))
        awaited: set[asyncio.Future[Any]] = {peer.ended, stopped, timer, self._render_failure}
        try:
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            timer.cancel()
        if self._render_failure.done():
            raise self._render_failure.result()
        if peer.ended.done():
            return peer.ended.result()
        return Ending("the call was ended here", farewell=True)

    async def _call_time(self, seconds: float | None) -> None:
        """Return ``seconds`` after the first packet; never without them."""
        while seconds is None or self._last_packet is None:
            await asyncio.sleep(0.05)
        await asyncio.sleep(seconds)

    def _take(self, peer: Peer, data: bytes, late: bool = False) -> None:
        """Decode a message; ``late``: it has waited on this side, so that it says nothing of how long packets take."""
        now = time.monotonic()
        if abs(peer.clock_offset - self._clock_offset) > OFFSET_STEP:
            self._clock_offset = peer.clock_offset
        self._last_packet = now
        # Everything from here to the screen counts on the sender's clock.
        there = now + self._clock_offset
        frames, refused = self._decoder.decode_message(data, there)
        if refused:
            self.packets_damaged += refused
            self._tell_refused(peer, now)
        self.meter.message_received(len(data), len(frames), now)
        for sequence, state in frames:
            self._present = state.present
            # Late ones were decoded so that others can be predicted from them.
            if not late:
                with self._playout_lock:
                    self._playout.push(state, there, sequence)
                    captured = state.timestamp - self._clock_offset
                    self._arrivals.add(sequence, captured, now)
                self.stages.add(sequence, captured, now, stages=RECEIVER_STAGES)
        for state in self._decoder.take_amended():
            with self._playout_lock:
                self._playout.amend(state)

    def _told(self, message: dict[str, Any]) -> None:
        """Take note of what the sender says during the call."""
        data = backdrop_of(message)
        # They come seconds apart; whoever sends more has one looked at, and not a thread for each.
        if data is None or (self._backdrop is not None and not self._backdrop.done()):
            return
        # In a thread, as decoding takes as long as a frame.
        self._backdrop = asyncio.ensure_future(asyncio.to_thread(self._show_backdrop, data))

    def _show_backdrop(self, data: bytes) -> None:
        try:
            self._avatar.show_backdrop(decode_backdrop(data))
        except BackdropError:
            self.packets_damaged += 1

    def _tell_refused(self, peer: Peer, now: float) -> None:
        """Tell the sender that something it knows to have come was not decoded."""
        if now - self._refused_told >= REFUSED_SECONDS:
            self._refused_told = now
            peer.send_control(REFUSED)

    def _render_loop(self) -> None:
        try:
            self._render_until_stopped()
        except BaseException as error:
            if self._loop is not None and not self._stop.is_set():
                self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: BaseException) -> None:
        if self._render_failure is not None and not self._render_failure.done():
            self._render_failure.set_result(error)

    def _render_until_stopped(self) -> None:
        limit_render_threads(self._threads)
        due = time.monotonic()
        shown: FaceState | None = None
        shown_size = (0, 0)
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            due = max(due + self._interval, now)
            with self._playout_lock:
                state = self._playout.sample(now + self._clock_offset)
            wanted = self._size
            same = shown is not None and state is not None and wanted == shown_size and looks_alike(state, shown)
            if state is None or (same and not self._avatar.refining):
                continue
            shown, shown_size = state, wanted
            self.mailbox.put(self._render(state, wanted))
            self._warm_up.make_fast()

    def _render(self, state: FaceState, wanted: tuple[int, int]) -> RenderedFrame:
        width, height = self._budget.choose(*wanted)
        begun = time.monotonic()
        image = self._avatar.render(state, width, height, smooth=self._budget.smooth)
        done = time.monotonic()
        seconds = done - begun
        self._budget.report(width, height, seconds)
        self.meter.frame_rendered(1000.0 * seconds, width, height, (width, height) != wanted, done)
        capture_time = state.timestamp - self._clock_offset
        return RenderedFrame(image, capture_time, 1000.0 * seconds, width, height, *wanted, state, begun, done)

    def _current_status(self) -> Status:
        if self._status is not None:
            return self._status
        if self._last_packet is None:
            return figures.connecting()
        if time.monotonic() - self._last_packet > SILENT_SECONDS:
            return figures.reconnecting()
        return figures.live() if self._present else figures.away()


def looks_alike(first: FaceState, second: FaceState) -> bool:
    """Return whether two states render to the same picture."""
    return (
        np.array_equal(first.expression, second.expression)
        and np.array_equal(first.pose.rotation, second.pose.rotation)
        and np.array_equal(first.pose.translation, second.pose.translation)
        and np.array_equal(first.torso, second.torso)
    )
