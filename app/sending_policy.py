"""How a sender sends: how finely, how many frames a message, how many of them again. All of it is decided here.

A message costs about 85 bytes of headers and a frame ten, so that

- saying frames again is nearly free, and is done as soon as anything is lost, and until it is known whether anything
  is: so often that hardly one in two thousand is missing in the end;
- where much is lost, every message is sent once more, half a frame later: frames that are said again wait for the next
  message that comes, and the face stands still meanwhile;
- waiting for further frames saves most of the rate, and costs their time: `LATENCY` says how much of it each operating
  point may take;
- where the network cannot carry even that (messages queue up, in it or here), more frames wait for each other, and then
  the point changes to the thriftiest. That is taken back when the queue has been empty for a while, each time a longer
  one when it did not last.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from codec.operating_point import FINEST, NORMAL, THRIFTY, OperatingPoint
from signaling.link import LinkState

FPS: Final = 25.0
"""Frames a second of the camera at which the stride of an operating point is counted."""

LATENCY: Final[Mapping[OperatingPoint, float]] = {FINEST: 0.0, NORMAL: 0.0, THRIFTY: 0.08}
"""Seconds that the first frame of a message may wait for the last."""

REMAINING: Final = 0.0005
"""Share of frames that may be lost with all their repetitions."""

MOST_REPEATS: Final = 4

UNTOLD_LOSS: Final = 0.1
"""What counts as the share of messages lost while there are too few of them to tell, in the first seconds of a
call: else what is lost there is lost for good. More would queue up where the network is slow."""

ECHO_LOSS: Final = (0.12, 0.18)
"""Shares of messages lost: below the first nothing is echoed any more, above the second every message is."""

ECHO_SECONDS: Final = 0.02
"""From a message to its echo: half the time to the next one, so that no moment of bad luck takes both."""

QUEUE: Final = 0.15
"""Seconds that messages wait in the network from which on it counts as too slow."""

STEP_SECONDS: Final = 2.0
"""Between two steps down: the queue has to empty before the last one shows."""

PATIENCE: Final = 8.0
MOST_PATIENCE: Final = 64.0
"""Seconds without a queue before a step up; doubled whenever a queue comes again sooner than it takes to step up."""

STEPS: Final = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How frames are sent."""

    point: OperatingPoint
    stride: int = 1
    """Of the camera's frames, every so many is sent."""
    frames: int = 1
    """Of a message."""
    repeats: int = 0
    """Messages before that are said again in each."""
    echoes: bool = False
    """Whether each message is sent twice."""

    @property
    def again(self) -> int:
        """How often a frame is said after the first time."""
        return (1 + self.repeats) * (1 + self.echoes) - 1

    def __str__(self) -> str:
        return f"{self.point.name}, every {self.stride}, {self.frames} a message, {self.again} times again"


class SendingPolicy:
    """Decides how to send, by what the way to the other side is like."""

    def __init__(self, point: OperatingPoint = NORMAL) -> None:
        """``point`` is what the user has chosen."""
        self._point = point
        self.bundles = True
        """Whether the other side takes messages of several packets."""
        self._steps = 0
        """Down from what was chosen."""
        self._changed = self._queued = float("-inf")
        self._up = False
        """Whether the last change was a step up."""
        self._patience = PATIENCE
        self._echoes = False

    def plan(self, link: LinkState, fps: float, now: float) -> Plan:
        """Return how to send from ``now`` on, frames of a camera that takes ``fps`` of them a second."""
        self._follow(link, now)
        point = THRIFTY if self._steps >= 2 else self._point
        if not self.bundles:
            return Plan(point, stride_of(point, fps))
        frames = frames_of(point, fps) + (0, 1, 0, 2)[self._steps]
        loss = UNTOLD_LOSS if link.loss is None else link.loss
        # Where the network is too slow, repetitions are part of why.
        self._echoes = self._steps == 0 and loss > ECHO_LOSS[not self._echoes]
        lost = loss**2 if self._echoes else loss
        repeats = min(repeats_of(lost), MOST_REPEATS - self._steps)
        return Plan(point, stride_of(point, fps), frames, repeats, self._echoes)

    def _follow(self, link: LinkState, now: float) -> None:
        since = now - self._changed
        if link.queueing > QUEUE or link.held_back:
            self._queued = now
            if self._steps < STEPS and since >= STEP_SECONDS:
                if self._up and since < self._patience:
                    self._patience = min(2.0 * self._patience, MOST_PATIENCE)
                self._change(self._steps + 1, now)
        elif self._steps and min(since, now - self._queued) >= self._patience:
            self._change(self._steps - 1, now)
        elif since >= 2.0 * MOST_PATIENCE:
            self._patience = PATIENCE

    def _change(self, steps: int, now: float) -> None:
        self._up = steps < self._steps
        self._steps, self._changed = steps, now


def stride_of(point: OperatingPoint, fps: float) -> int:
    """Return of how many of the camera's frames one is sent: of those of a slow camera, more.

    >>> [stride_of(THRIFTY, fps) for fps in (25.0, 15.0, 8.0)]
    [2, 1, 1]
    """
    return max(1, round(point.stride * fps / FPS))


def frames_of(point: OperatingPoint, fps: float) -> int:
    """Return how many frames of an operating point a message has, by the time that they may wait for each other.

    >>> [frames_of(point, 25.0) for point in (FINEST, NORMAL, THRIFTY)], frames_of(THRIFTY, 8.0)
    ([1, 1, 2], 1)
    """
    # A camera is not quite regular: a tenth longer is as good.
    return 1 + int(1.1 * LATENCY[point] * fps / stride_of(point, fps))


def repeats_of(loss: float) -> int:
    """Return how often to say a frame again where each message is lost with this probability, by itself.

    >>> [repeats_of(loss) for loss in (0.0, 0.01, 0.1, 0.3, 1.0)]
    [0, 1, 3, 4, 4]
    """
    repeats = 0
    while repeats < MOST_REPEATS and loss ** (repeats + 1) > REMAINING:
        repeats += 1
    return repeats
