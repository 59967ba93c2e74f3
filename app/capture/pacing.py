"""Playing a clip in real time, as if it were a camera."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from app.capture.source import Frame, Source

MAX_DROPPED = 30
"""After so many frames dropped in a row the clip is played slower than it was taken: decoding it is too slow."""


def paced(
    source: Source, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Frame]:
    """Yield the frames of ``source`` at the moments they fall due, with timestamps on ``clock``.

    The timestamp is the moment at which a camera would have taken the picture, so what the consumer needs after it is
    latency. A consumer that is slower than the clip gets fewer frames, not older ones: when the next frame is due
    already, the one before it is dropped. Live sources are passed on as they are.
    """
    if source.is_live:
        yield from source.frames()
        return
    frames = source.frames()
    frame = next(frames, None)
    if frame is None:
        return
    start = clock() - frame.timestamp
    dropped = 0
    while frame is not None:
        following = next(frames, None)
        now = clock()
        if following is not None and start + following.timestamp <= now:
            if dropped < MAX_DROPPED:
                dropped += 1
                frame = following
                continue
            start = now - frame.timestamp
        dropped = 0
        due = start + frame.timestamp
        if due > now:
            sleep(due - now)
        yield replace(frame, timestamp=due)
        frame = following
