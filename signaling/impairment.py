"""A bad network on purpose: what becomes of each datagram, decided by numbers that can be written on a command line.

`Impairment` says how bad; `ImpairedLink` decides datagram by datagram, in one direction, from the time it is told and
from a seeded generator. It neither waits nor sends: `signaling.datagrams` does, at the peer's own sockets.
"""

import random
import re
from dataclasses import dataclass, fields
from typing import Final

from signaling.errors import SignalingError

REORDER_SECONDS: Final = 0.1
"""By how much a datagram that is overtaken is late: at 25 frames a second two or three come before it."""
DUPLICATE_SECONDS: Final = 0.005
"""How long after a datagram its double comes."""
QUEUE_SECONDS: Final = 0.5
"""What waits longer for a link of limited rate is thrown away, as a router's full queue does."""

MAX_SHARE: Final = 0.9
"""Of datagrams: beyond that no call comes about."""
MAX_DELAY: Final = 10.0
MAX_PERIOD: Final = 3600.0
MIN_RATE: Final = 1000.0

_TICK: Final = 1e-6
"""Seconds between two that leave a queue: timers of one moment go off in any order."""

_NUMBER: Final = re.compile(r"(\d{1,10}(?:\.\d{1,9})?)([a-z]*)")
_SECONDS: Final = {"ms": 1e-3, "s": 1.0}
_BITS: Final = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6}
_FORM: Final = "write it like loss=0.1,delay=80ms,jitter=20ms,burst=500ms/10s,reorder=0.02,duplicate=0.02,rate=64kbit"


class ImpairmentError(SignalingError):
    """A description of a bad network that cannot be taken; the message names what is wrong in it."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """How bad the network is, in each direction."""

    loss: float = 0.0
    """Share of datagrams that vanish, each independently."""
    burst: float = 0.0
    """Seconds for which all of them vanish, at the end of each `burst_every`."""
    burst_every: float = 0.0
    """Seconds from the end of one burst to the end of the next."""
    delay: float = 0.0
    """Seconds that each takes."""
    jitter: float = 0.0
    """Seconds by which it may take longer, uniformly; it overtakes nobody for that."""
    reorder: float = 0.0
    """Share of datagrams that come `REORDER_SECONDS` late, overtaken by others."""
    duplicate: float = 0.0
    """Share of datagrams that come twice."""
    rate: float = 0.0
    """Bits a second, headers counted; 0: as much as there is."""

    def __post_init__(self) -> None:
        for name in ("loss", "reorder", "duplicate"):
            if not 0.0 <= getattr(self, name) <= MAX_SHARE:
                raise ImpairmentError(f"{name}={getattr(self, name):g} is no share from 0 to {MAX_SHARE:g}")
        for name in ("delay", "jitter"):
            if not 0.0 <= getattr(self, name) <= MAX_DELAY:
                raise ImpairmentError(f"{name}={getattr(self, name):g}s is not between 0 and {MAX_DELAY:g}s")
        if self.rate and not MIN_RATE <= self.rate <= 1e9:
            raise ImpairmentError(f"rate={self.rate:g}bit is not between 1kbit and 1000mbit")
        if (self.burst or self.burst_every) and not 0.0 < self.burst < self.burst_every <= MAX_PERIOD:
            raise ImpairmentError(
                f"burst={self.burst:g}s/{self.burst_every:g}s: a burst is shorter than the time from one to the next,"
                f" and that is at most {MAX_PERIOD:g}s"
            )

    @classmethod
    def parse(cls, text: str) -> "Impairment":
        """Read ``name=value`` pairs with commas between, the names those of the fields.

        Shares are plain numbers, times end in ``ms`` or ``s``, the rate in ``bit``, ``kbit`` or ``mbit``, and ``burst``
        is LENGTH/PERIOD. Raises `ImpairmentError`.
        """
        values: dict[str, float] = {}
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if name not in _PARSERS or not equals:
                known = ", ".join(sorted(_PARSERS))
                raise ImpairmentError(f"{_shown(part)} is none of {known}, each with a value: {_FORM}")
            if name in values:
                raise ImpairmentError(f"{name} is given twice: {_FORM}")
            if name == "burst":
                length, slash, period = value.partition("/")
                values["burst"] = _quantity(name, length, _SECONDS)
                if not slash:
                    raise ImpairmentError(f"burst={_shown(value)} does not say how often, as in burst=500ms/10s")
                values["burst_every"] = _quantity(name, period, _SECONDS)
            else:
                values[name] = _quantity(name, value, _PARSERS[name])
        return cls(**values)

    def __str__(self) -> str:
        parts = [
            f"{name}={_plain(value)}{_SUFFIX.get(name, '')}"
            for name, value in ((field.name, getattr(self, field.name)) for field in fields(self))
            if value and not name.startswith("burst")
        ]
        if self.burst:
            parts.append(f"burst={_plain(self.burst)}s/{_plain(self.burst_every)}s")
        return ",".join(parts)


class ImpairedLink:
    """One direction of a bad network: `pass_on` says when each datagram comes out, if it does."""

    def __init__(self, impairment: Impairment, now: float, generator: random.Random | None = None) -> None:
        """Begin at ``now``, seconds of a steady clock; the first burst begins when one period less its length is over.

        Without a seeded ``generator`` no two runs are alike.
        """
        self.impairment = impairment
        self._begin = now
        self._random = generator or random.Random()
        self._free_at = now
        self._latest = now

    def pass_on(self, size: int, now: float) -> list[float]:
        """Return how many seconds from ``now`` a datagram of ``size`` bytes, with headers, comes out.

        Nothing when it vanishes, two times when it comes twice.
        """
        how = self.impairment
        # Drawn in any case, so that with the same seed one kind of trouble does not change who meets another.
        lost, held, doubled, waits = (self._random.random() for _ in range(4))
        if self.in_burst(now) or lost < how.loss:
            return []
        if how.rate:
            sent = max(self._free_at, now) + 8 * size / how.rate
            if sent - now > QUEUE_SECONDS:
                return []
            self._free_at = sent
        else:
            sent = now
        due = sent + how.delay + waits * how.jitter
        if held < how.reorder:
            due += REORDER_SECONDS
        else:
            # Packets queue behind each other: jitter alone lets none overtake.
            if now < self._latest and due <= self._latest:
                due = self._latest + _TICK
            self._latest = due
        return [due - now, *([due - now + DUPLICATE_SECONDS] if doubled < how.duplicate else [])]

    def in_burst(self, now: float) -> bool:
        """Return whether everything vanishes at ``now``."""
        how = self.impairment
        return bool(how.burst) and (now - self._begin) % how.burst_every >= how.burst_every - how.burst


def _quantity(name: str, text: str, units: dict[str, float]) -> float:
    found = _NUMBER.fullmatch(text.strip())
    if found is None or found[2] not in units:
        wanted = f"a number that ends in {' or '.join(units)}" if "" not in units else f"a number from 0 to {MAX_SHARE}"
        raise ImpairmentError(f"{name}={_shown(text)} is not {wanted}: {_FORM}")
    return float(found[1]) * units[found[2]]


def _plain(value: float) -> str:
    """Return a number as `Impairment.parse` reads it: never with an exponent."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def _shown(text: str) -> str:
    return ascii(text if len(text) <= 40 else text[:37] + "...")


_SHARE: Final = {"": 1.0}
_PARSERS: Final[dict[str, dict[str, float]]] = {
    "loss": _SHARE,
    "burst": _SECONDS,
    "delay": _SECONDS,
    "jitter": _SECONDS,
    "reorder": _SHARE,
    "duplicate": _SHARE,
    "rate": _BITS,
}
"""The units of each, by name."""

_SUFFIX: Final = {"delay": "s", "jitter": "s", "rate": "bit"}
