"""The other side's clock, from time stamps that ride on messages which are sent anyway.

Each beat carries its own send time, the send time of the last beat that came in, and how long that one had been held;
this is the exchange of NTP (RFC 5905, section 8). The sample with the shortest round trip has the smallest error, which
is at most half that round trip.
"""

from collections import deque

WINDOW = 64
"""Samples that are kept. At one a second the estimate follows a drift within a minute."""


class ClockOffset:
    """Estimate of ``remote clock - local clock`` in seconds; both are any steady clocks."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._remote_sent: float | None = None
        self._received: float = 0.0

    @property
    def known(self) -> bool:
        """Whether there has been a round trip yet."""
        return bool(self._samples)

    @property
    def offset(self) -> float:
        """Remote minus local clock, seconds; 0 while not known."""
        return min(self._samples)[1] if self._samples else 0.0

    @property
    def round_trip(self) -> float:
        """Shortest round trip in the window, seconds; 0 while not known."""
        return min(self._samples)[0] if self._samples else 0.0

    def stamp(self, now: float) -> dict[str, float]:
        """Return the fields to put into a beat that is sent at ``now``."""
        # In microseconds: more digits would be bytes for nothing.
        fields = {"t": round(now, 6)}
        if self._remote_sent is not None:
            fields |= {"echo": self._remote_sent, "held": round(now - self._received, 6)}
        return fields

    def take(self, fields: dict[str, object], now: float) -> None:
        """Take the fields of a beat that arrived at ``now``; values that make no sense are passed over."""
        sent = _finite(fields.get("t"))
        if sent is None:
            return
        self._remote_sent, self._received = sent, now
        echo, held = _finite(fields.get("echo")), _finite(fields.get("held"))
        if echo is None or held is None or held < 0.0:
            return
        round_trip = now - echo - held
        if 0.0 <= round_trip < 60.0:
            # Half the round trip ago the remote clock showed `sent`.
            self._samples.append((round_trip, sent - (now - round_trip / 2.0)))


def _finite(value: object) -> float | None:
    """Return a JSON number as a float when it can be a time, else None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
        return float(value)
    return None
