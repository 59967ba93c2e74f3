"""The sending side of a call: pictures or a recording in, packets out.

Two threads: a worker takes the newest picture, tracks, embeds and codes; the event loop sends. A picture that cannot be
dealt with in time is skipped, and a packet that the network cannot take now is dropped.
"""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from app.call_course import ended_status, measure, until_stopped
from app.call_options import CallOptions
from app.call_statistics import CallMeter, CallStatistics
from app.face_source import FaceSource
from app.latency import SENDER_STAGES, StageLog
from app.loaded import CallAvatar
from app.sending_policy import ECHO_SECONDS, FPS, Plan, SendingPolicy
from app.session import REFUSED, Handshake, Hello, Rights, Role, backdrop_message, shake_hands
from app.window import figures
from app.window.figures import Status
from codec.encoder import FrameEncoder
from codec.face_state import FaceState
from codec.message import Bundler, Outgoing
from codec.operating_point import NORMAL, OPERATING_POINTS, OperatingPoint
from codec.path_search import PATHS
from signaling.ice_servers import IceServers
from signaling.identity import OwnerKey, make_nonce
from signaling.link import LinkMeter, LinkState
from signaling.peer import Ending, Peer

MAX_DELIVERED: Final = 64
"""Messages known to be delivered that wait to be taken note of; of more, the oldest are of no use any more."""

CAPTURED: Final = 25
"""Frames over which the camera's rate is taken."""

ADAPT_SECONDS: Final = 0.25
"""Between looking at what the network is like."""


class Sender:
    """Carries a call until one side ends it: ``await sender.run(options)`` in any event loop.

    `state` and `stop` may be used from any thread meanwhile.
    """

    def __init__(
        self,
        avatar: CallAvatar,
        face: FaceSource,
        key: OwnerKey | None = None,
        device: str = "",
        point: OperatingPoint = NORMAL,
    ) -> None:
        """Prepare a call that drives ``avatar`` by ``face``.

        ``key`` is that of the avatar's owner, if it has one; ``point`` is how finely to send as long as the network
        carries it.
        """
        self._avatar, self._face, self._key = avatar, face, key
        self._encoder = FrameEncoder(
            avatar.tables,
            avatar.digest,
            prediction=avatar.prediction,
            paths=PATHS,
        )
        # From the event loop to the worker: bounded, as a worker that waits for its camera takes nothing out.
        self._delivered: deque[tuple[int, ...]] = deque(maxlen=MAX_DELIVERED)
        self._refused = threading.Event()
        self._bundler = Bundler()
        self._policy = SendingPolicy(point)
        self._link = LinkMeter()
        self._newest_said = -1
        """Unwrapped number of the newest frame that has gone out."""
        # From the event loop to the worker: replaced as a whole.
        self._plan = self._policy.plan(LinkState(), FPS, 0.0)
        # From the worker to the event loop: time stamps of the camera's last frames.
        self._captured: deque[float] = deque(maxlen=CAPTURED)
        self._stop = threading.Event()
        self._status = figures.connecting()
        self._peer: Peer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: asyncio.Event | None = None
        self._finished: asyncio.Future[None] | None = None
        self.meter = CallMeter(device)
        self.stages = StageLog()
        """When what happened to each frame that was sent."""

    def state(self) -> tuple[Status, CallStatistics]:
        """Return the state of the call in words, and its figures."""
        peer, status = self._peer, self._status
        if peer is not None and status == figures.live() and peer.out_of_reach:
            status = figures.reconnecting()
        return status, self.meter.snapshot()

    def stop(self) -> None:
        """End the call from this side."""
        self._stop.set()
        loop, stopped = self._loop, self._stopped
        if loop is not None and stopped is not None and not loop.is_closed():
            loop.call_soon_threadsafe(stopped.set)

    async def run(
        self, options: CallOptions, seconds: float | None = None, on_joined: Callable[[bool], None] | None = None
    ) -> Ending:
        """Open the room, meet the receiver, send until one side ends the call or the source ends; return how it ended.

        ``seconds`` counts from the first packet; ``on_joined(first)`` is called when the room is open. Raises
        `SignalingError` or `SessionError` when the call did not come about, and whatever source and tracker raise.
        """
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        self._finished = self._loop.create_future()
        try:
            ending = await self._call(options, seconds, on_joined)
        except BaseException as error:
            self._status = figures.failed(str(error)) if isinstance(error, Exception) else figures.peer_left()
            raise
        finally:
            self._stop.set()
        self._status = ended_status(ending)
        return ending

    async def _call(
        self, options: CallOptions, seconds: float | None, on_joined: Callable[[bool], None] | None
    ) -> Ending:
        ice = IceServers(options.stun, options.turn, options.turn_user, options.turn_password)

        def joined(first: bool) -> None:
            self._status = figures.waiting(options.room) if first else figures.connecting()
            if on_joined is not None:
                on_joined(first)

        connecting = asyncio.ensure_future(
            Peer.connect(
                options.room,
                server=options.server,
                opens=True,
                ice=ice,
                impairment=options.impairment,
                on_joined=joined,
            )
        )
        peer = await until_stopped(connecting, self._stopped)
        if peer is None:
            return Ending("the call was ended here", farewell=True)
        worker = threading.Thread(target=self._work, args=(peer,), name="track", daemon=True)
        measuring: list[asyncio.Task[None]] = []
        try:
            agreement = await shake_hands(peer, self._handshake, self._told)
            self._encoder.predicts = agreement.prediction
            self._encoder.short = agreement.short
            self._policy.bundles = agreement.bundles
            self._plan = self._policy.plan(LinkState(), FPS, 0.0)
            peer.exchange_reports(self.meter.report, lambda report: self.meter.take_report(report, time.monotonic()))
            peer.on_delivered(self._take_delivered)
            self._status, self._peer = figures.live(), peer
            if agreement.backdrop:
                self._face.follow_backdrop(self._backdrop_teller(peer))
            worker.start()
            measuring = [asyncio.create_task(measure(peer, self.meter)), asyncio.create_task(self._adapt())]
            return await self._until_over(peer, seconds)
        finally:
            self._stop.set()
            for task in measuring:
                task.cancel()
            self.meter.wire(peer.statistics.wire, time.monotonic())
            await peer.close()
            if worker.ident is not None:
                await asyncio.to_thread(worker.join, 5.0)

    def _handshake(self, fingerprints: tuple[bytes, bytes]) -> Handshake:
        avatar = self._avatar
        hello = Hello(
            Role.SENDER,
            avatar.digest,
            avatar.tables.digest,
            make_nonce(),
            recording=self._face.recording_digest,
            prediction=b"" if avatar.prediction is None else avatar.prediction.digest,
        )
        return Handshake(hello, Rights.of(avatar.meta), fingerprints, self._key)

    async def _until_over(self, peer: Peer, seconds: float | None) -> Ending:
        assert self._stopped is not None
        assert self._finished is not None
        stopped = asyncio.create_task(self._stopped.wait())
        awaited: set[asyncio.Future[Any]] = {peer.ended, stopped, self._finished}
        try:
            await asyncio.wait(awaited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if self._finished.done():
            self._finished.result()
            return Ending("the source has ended", farewell=True)
        if peer.ended.done():
            return peer.ended.result()
        return Ending("the call was ended here", farewell=True)

    def _work(self, peer: Peer) -> None:
        """The worker thread: state after state into packets."""
        assert self._loop is not None
        failure: BaseException | None = None
        try:
            for index, state in enumerate(self._face.states(self._stop.wait)):
                if self._stop.is_set():
                    break
                plan = self._plan
                self._captured.append(state.timestamp)
                if index % plan.stride == 0 and (message := self._next_message(state, plan)) is not None:
                    self._loop.call_soon_threadsafe(self._send, peer, message)
            if (message := self._bundler.close(self._plan.repeats)) is not None:
                self._loop.call_soon_threadsafe(self._send, peer, message)
        except BaseException as error:
            failure = error
        finally:
            self._face.close()
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._work_done, failure)

    def _next_message(self, state: FaceState, plan: Plan) -> Outgoing | None:
        """Code the next frame, and return the message that it completes."""
        encoder = self._encoder
        if self._refused.is_set():
            self._refused.clear()
            encoder.forget()
            self._bundler = Bundler()
        while self._delivered:
            encoder.acknowledge(self._delivered.popleft())
        encoder.point = plan.point
        sequence, tracked = encoder.sequence, time.monotonic()
        packet = encoder.encode(state, self._bundler.along)
        moments = state.timestamp, self._face.began, tracked, time.monotonic()
        self.stages.add(sequence, *moments, stages=SENDER_STAGES)
        urgent = encoder.waits_for(packet)
        return self._bundler.add(sequence, packet, urgent=urgent, frames=plan.frames, repeats=plan.repeats)

    def _work_done(self, failure: BaseException | None) -> None:
        assert self._finished is not None
        if self._finished.done():
            return
        if failure is None:
            self._finished.set_result(None)
        elif not self._stop.is_set():
            self._finished.set_exception(failure)

    def _told(self, message: dict[str, Any]) -> None:
        """Take note of what the receiver says during the call."""
        if message == REFUSED:
            self._refused.set()

    def _backdrop_teller(self, peer: Peer) -> Callable[[bytes], None]:
        """Return what may be called in any thread with a coded backdrop."""
        loop = self._loop
        assert loop is not None

        def tell(data: bytes) -> None:
            loop.call_soon_threadsafe(self._tell_backdrop, peer, data)

        return tell

    def _tell_backdrop(self, peer: Peer, data: bytes) -> None:
        message = backdrop_message(data)
        if peer.send_control(message):
            self.meter.message_sent(len(json.dumps(message)), 0, time.monotonic())

    def _send(self, peer: Peer, message: Outgoing) -> None:
        self._send_once(peer, message)
        if self._plan.echoes and self._loop is not None:
            self._loop.call_later(ECHO_SECONDS, self._send_once, peer, message)

    def _send_once(self, peer: Peer, message: Outgoing) -> None:
        now = time.monotonic()
        if peer.send_face(message.data, (self._link.sent(now), message.frames), urgent=message.urgent):
            # Not those that are new in it: a frame that was held back is first said where it is said again.
            said = sum(frame > self._newest_said for frame in message.frames)
            self._newest_said = max(self._newest_said, *message.frames)
            self.meter.message_sent(len(message.data), said, now)
        else:
            self._link.held_back(now)

    def _take_delivered(self, mark: tuple[int, tuple[int, ...]]) -> None:
        """Take note of a message that has reached the other side."""
        number, frames = mark
        self._link.delivered(number, time.monotonic())
        self._delivered.append(frames)

    async def _adapt(self) -> None:
        """Follow what the network is like for ever."""
        while True:
            now = time.monotonic()
            link = self._link.state(now)
            # Copied in one go, as the worker goes on adding.
            fps = frame_rate(tuple(self._captured))
            self._plan = plan = self._policy.plan(link, fps, now)
            self.meter.sending(OPERATING_POINTS.index(plan.point), plan.frames, plan.again, link.loss)
            await asyncio.sleep(ADAPT_SECONDS)


def frame_rate(times: Sequence[float]) -> float:
    """Return the frames a second of time stamps in a row, 25 as long as there are few.

    >>> frame_rate([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    10.0
    """
    intervals = np.diff(times)
    usual = float(np.median(intervals)) if len(intervals) > 4 else 0.0
    return round(1.0 / usual, 3) if usual > 0.0 else FPS
