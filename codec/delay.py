"""How long to wait: the playout delay from the arrivals of the last seconds."""

from collections import deque
from statistics import median

WINDOW = 3.0
"""Seconds of arrivals that the estimate rests on; it has forgotten a disturbance after as long."""

_SHARE = 0.97
"""Share of packets that the delay waits for."""

_RECOVERY_WINDOW = 10.0
"""Seconds of arrivals in which recovered packets are counted: losses are rarer than jitter."""

_UNCOVERED = 0.004
"""Share of packets that may be recovered, or overtaken, and too late. Of frames that are said again for that very
reason hardly any is to be missed."""

_HOPELESS = 0.4
"""Seconds beyond the least transit by which a packet is so late that it is not worth waiting for its like."""

_MARGIN = 0.002
"""Seconds for what happens between an arrival and its use."""

_MAX_ARRIVALS = 1024
_MAX_INTERVALS = 31


class DelayEstimator:
    """Estimates transit and jitter from pairs of capture and arrival times, and the interval between captures.

    The clocks of the two need not agree: only differences of transits count.
    """

    def __init__(self) -> None:
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=_MAX_ARRIVALS)
        self._intervals: deque[float] = deque(maxlen=_MAX_INTERVALS)
        self._newest: tuple[float, float] | None = None
        self._recent: deque[float] = deque(maxlen=_MAX_ARRIVALS)
        self._recovered: deque[tuple[float, float]] = deque(maxlen=_MAX_ARRIVALS)
        self.transit = 0.0
        """Least arrival time minus capture time of the window, seconds; includes the difference of the two clocks."""
        self.jitter = 0.0
        """Seconds by which all but 3 % of the packets of the window exceed the least transit, and all but a few in a
        thousand of those that came when they were said again, or were overtaken."""
        self.interval = 0.04
        """Median seconds between captures."""

    def add(self, timestamp: float, now: float) -> None:
        """Count a packet captured at ``timestamp`` that arrived at ``now``.

        One that comes in the same moment as a later one was said again along with that, as it had been lost before; one
        that comes after a later one was overtaken.
        """
        if self._newest is not None:
            arrived, newest = self._newest
            behind = timestamp if timestamp < newest else newest
            if (timestamp < newest or arrived == now) and now - behind - self.transit < _HOPELESS:
                self._recovered.append((now, now - behind))
        if self._newest is None or timestamp > self._newest[1]:
            self._newest = now, timestamp
        self._recent.append(now)
        while now - self._recent[0] > _RECOVERY_WINDOW:
            self._recent.popleft()
        while self._recovered and now - self._recovered[0][0] > _RECOVERY_WINDOW:
            self._recovered.popleft()
        self._arrivals.append((now, now - timestamp))
        while now - self._arrivals[0][0] > WINDOW:
            self._arrivals.popleft()
        transits = sorted(transit for _, transit in self._arrivals)
        self.transit = transits[0]
        # Rounded up: of few packets, the slowest counts.
        slowest = transits[min(int(_SHARE * len(transits)), len(transits) - 1)]
        uncovered = int(_UNCOVERED * len(self._recent))
        if len(self._recovered) > uncovered:
            slowest = max(slowest, sorted(transit for _, transit in self._recovered)[-1 - uncovered])
        self.jitter = slowest - self.transit + _MARGIN

    def add_interval(self, seconds: float) -> None:
        """Count the time between two captures in a row."""
        self._intervals.append(seconds)
        self.interval = median(self._intervals)
