"""What the way to the other side is like, from when messages were sent and when they were known to have come.

Everything here is arithmetic on times that others bring (seconds of any steady clock).
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

LOSS_SPAN: Final = 4.0
"""Seconds of messages that the loss is taken over; up to twice as long where these are `FEW`."""

SETTLE: Final = 0.3
"""Seconds, beyond two round trips, after which a message that is not known to have come counts as lost: the other side
may wait 0.2 s before it acknowledges."""

FEW: Final = 15
"""Messages; of fewer no loss is told."""

QUEUE_SPAN: Final = 1.0
BASE_SPAN: Final = 30.0
"""Seconds over which the least time to an acknowledgement is that of now, and that of an empty network. The least one,
since of two messages only the second is acknowledged at once."""


@dataclass(frozen=True, slots=True)
class LinkState:
    """The way to the other side, lately."""

    loss: float | None = None
    """[0, 1], share of messages that have not come; None while there are too few to tell."""
    round_trip: float = 0.0
    """Seconds: the least of the last half minute; 0 before anything has come."""
    queueing: float = 0.0
    """Seconds by which messages now take longer than that: what waits in the network."""
    held_back: int = 0
    """Messages of the last second that were not sent, as others before still waited here."""


class LinkMeter:
    """Follows the messages of one side."""

    def __init__(self) -> None:
        self._sent: deque[tuple[float, int]] = deque()
        self._under_way: dict[int, float] = {}
        self._times: deque[tuple[float, float]] = deque()
        self._held_back: deque[float] = deque()
        self._next = 0

    def sent(self, now: float) -> int:
        """Note a message that is about to be sent, and return the number by which it is known here."""
        number, self._next = self._next, self._next + 1
        self._sent.append((now, number))
        self._under_way[number] = now
        while now - self._sent[0][0] > 2.0 * LOSS_SPAN:
            self._under_way.pop(self._sent.popleft()[1], None)
        return number

    def held_back(self, now: float) -> None:
        """Note that the message which was about to be sent was not: it is not lost, it has not been on its way."""
        self._held_back.append(now)
        self._under_way.pop(self._sent.pop()[1], None)

    def delivered(self, number: int, now: float) -> None:
        """Note that a message has come."""
        if (sent := self._under_way.pop(number, None)) is not None:
            self._times.append((now, now - sent))
            while now - self._times[0][0] > BASE_SPAN:
                self._times.popleft()

    def state(self, now: float) -> LinkState:
        """Return what the way is like at ``now``."""
        while self._held_back and now - self._held_back[0] > 1.0:
            self._held_back.popleft()
        base = min((took for _, took in self._times), default=0.0)
        recent = [took for at, took in self._times if now - at <= QUEUE_SPAN]
        settled = now - 2.0 * base - SETTLE
        known = [(at, number) for at, number in self._sent if at <= settled]
        lately = sum(at >= settled - LOSS_SPAN for at, _ in known)
        judged = [number for _, number in known[-max(lately, FEW) :]]
        lost = sum(number in self._under_way for number in judged)
        return LinkState(
            lost / len(judged) if len(judged) >= FEW else None,
            base,
            min(recent) - base if recent else 0.0,
            len(self._held_back),
        )
