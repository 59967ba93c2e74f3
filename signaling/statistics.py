"""Counters of what a peer puts on the wire and takes from it, and rates over a sliding window.

Everything here is arithmetic on numbers that others bring, ``now`` among them (seconds of any steady clock).
"""

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class WireCounter:
    """Datagrams that crossed the peer's UDP sockets, with their IP and UDP headers (20 or 40 and 8 bytes).

    STUN, TURN, DTLS and SCTP are all in it, the handshakes too. What is dropped on purpose is counted, as if it had
    been lost further on.
    """

    bytes_out: int = 0
    bytes_in: int = 0
    datagrams_out: int = 0
    datagrams_in: int = 0
    datagrams_dropped: int = 0
    """Of both directions: thrown away on purpose."""

    def copy(self) -> "WireCounter":
        """Return the counts as they are now."""
        return WireCounter(self.bytes_out, self.bytes_in, self.datagrams_out, self.datagrams_in, self.datagrams_dropped)


@dataclass(slots=True)
class ChannelCounter:
    """Messages of the application on one data channel; bytes are payload alone."""

    messages_out: int = 0
    messages_in: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    messages_held_back: int = 0
    """Not sent because older ones still waited for the network."""
    messages_refused: int = 0
    """Came in too large, malformed or too fast, and were thrown away."""


class RateWindow:
    """The mean rate of a running total over the last ``span`` seconds.

    >>> window = RateWindow(2.0)
    >>> for second in range(4):
    ...     window.add(100.0 * second, float(second))
    >>> window.rate
    100.0
    """

    def __init__(self, span: float) -> None:
        self._span = span
        self._samples: deque[tuple[float, float]] = deque()

    def add(self, total: float, now: float) -> None:
        """Take the running total at ``now``."""
        self._samples.append((now, total))
        # Keep one sample at or beyond the far end, so that the window is never shorter than asked for.
        while len(self._samples) > 2 and now - self._samples[1][0] >= self._span:
            self._samples.popleft()

    @property
    def rate(self) -> float:
        """Units per second; 0 before two samples lie apart."""
        if len(self._samples) < 2:
            return 0.0
        (first_at, first), (last_at, last) = self._samples[0], self._samples[-1]
        return (last - first) / (last_at - first_at) if last_at > first_at else 0.0


def kilobits_per_second(byte_count: float, seconds: float) -> float:
    """Return a rate in kbit/s (1000 bits); 0 for no time at all."""
    return byte_count * 8.0 / 1000.0 / seconds if seconds > 0.0 else 0.0
