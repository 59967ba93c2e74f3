"""Playing a recording in real time, as if it were being tracked."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from codec.face_state import FaceState


def paced_states(
    states: Sequence[FaceState],
    fps: float,
    loop: bool = False,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[FaceState]:
    """Yield the ``states`` of a recording at the moments they fall due, with timestamps on ``clock``.

    A consumer that is too slow misses states instead of getting old ones. With ``loop`` the recording begins again a
    frame after its end.
    """
    start = states[0].timestamp
    period = states[-1].timestamp - start + 1.0 / fps
    begin = clock()
    while True:
        yield from _once(states, begin - start, clock, sleep)
        if not loop:
            return
        begin += period


def _once(
    states: Sequence[FaceState], shift: float, clock: Callable[[], float], sleep: Callable[[float], object]
) -> Iterator[FaceState]:
    for index, state in enumerate(states):
        due = state.timestamp + shift
        now = clock()
        if index + 1 < len(states) and states[index + 1].timestamp + shift <= now:
            continue
        if due > now:
            sleep(due - now)
        yield replace(state, timestamp=due)
