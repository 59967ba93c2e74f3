"""Where the states of a face come from in a call: a recording that is played, or a camera or clip that is tracked."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.backdrop_follower import BackdropFollower
from app.capture.pacing import paced
from app.capture.source import Frame, Source
from app.recording_player import paced_states
from codec.face_state import FaceState

if TYPE_CHECKING:
    from app.tracking.tracker import Tracker

MAX_FPS: Final = 25.0
"""Frames a second that are sent at most: the receiver interpolates, so that more would only cost bits."""

Picture = Callable[[NDArray[np.uint8], float], None]
"""Told each captured picture (H, W, 3), RGB, and its timestamp."""


class FaceSource(Protocol):
    """Where the states of a face come from, in real time; their expressions are embedded."""

    recording_digest: bytes
    """Of the recording that is played; empty for a camera or clip."""
    began: float
    """`time.monotonic` when work on the state yielded last began."""

    def follow_backdrop(self, tell: Callable[[bytes], None]) -> None:
        """Call ``tell``, in any thread, with each coded backdrop (`codec.backdrop`) from now on."""

    def states(self, sleep: Callable[[float], object]) -> Iterator[FaceState]:
        """Yield states as they fall due; ``sleep`` waits and may return early."""

    def close(self) -> None:
        """Free camera and models."""


class RecordedFace:
    """A recording, played in real time."""

    def __init__(self, states: Sequence[FaceState], fps: float, digest: bytes, loop: bool = False) -> None:
        """Play ``states`` with embedded expressions; ``digest`` is SHA-256 of the recording's file."""
        self._states, self._fps, self._loop = states, fps, loop
        self.began = 0.0
        self.recording_digest = digest

    def follow_backdrop(self, tell: Callable[[bytes], None]) -> None:
        """A recording knows nothing of what is behind the person."""

    def states(self, sleep: Callable[[float], object]) -> Iterator[FaceState]:
        """Yield the recorded states with timestamps of now."""
        for state in paced_states(self._states, self._fps, self._loop, sleep=sleep):
            self.began = time.monotonic()
            yield state

    def close(self) -> None:
        """There is nothing to free."""


class TrackedFace:
    """The face that a camera or clip shows."""

    def __init__(
        self,
        source: Source,
        tracker: "Tracker",
        on_picture: Picture | None = None,
        backdrop: BackdropFollower | None = None,
    ) -> None:
        """Track what ``source`` shows, as its avatar takes it; ``backdrop`` follows what is behind the person."""
        self._source, self._tracker, self._on_picture, self._backdrop = source, tracker, on_picture, backdrop
        self.began = 0.0
        self.recording_digest = b""

    def follow_backdrop(self, tell: Callable[[bytes], None]) -> None:
        """Call ``tell``, in another thread, with each coded backdrop from now on."""
        if self._backdrop is not None:
            self._backdrop.start(tell)

    def states(self, sleep: Callable[[float], object]) -> Iterator[FaceState]:
        """Track the newest picture, again and again."""
        for frame in thinned(paced(self._source, sleep=sleep), MAX_FPS):
            self.began = time.monotonic()
            if self._on_picture is not None:
                self._on_picture(frame.image, frame.timestamp)
            if self._backdrop is not None:
                self._backdrop.offer(frame.image, frame.timestamp)
            yield self._tracker.track(frame.image, frame.timestamp)

    def close(self) -> None:
        """Free camera and models."""
        if self._backdrop is not None:
            self._backdrop.close()
        self._source.close()
        self._tracker.close()


def thinned(frames: Iterator[Frame], fps: float) -> Iterator[Frame]:
    """Yield at most ``fps`` frames a second of a faster source, as evenly as its frames allow."""
    due: float | None = None
    before: float | None = None
    for frame in frames:
        interval = frame.timestamp - before if before is not None else 0.0
        before = frame.timestamp
        # The frame nearest to its turn is taken: half an interval early is as good as half an interval late.
        if due is not None and frame.timestamp + interval / 2.0 < due:
            continue
        due = frame.timestamp if due is None else max(due, frame.timestamp - 1.0 / fps)
        due += 1.0 / fps
        yield frame
