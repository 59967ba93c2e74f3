"""What both sides keep of a frame so that later ones can be predicted from it."""

import binascii
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from codec.adaptive import MEAN_SCALE, updated_mean
from codec.operating_point import NORMAL, OPERATING_POINTS

CLOCK_SCALE: Final = 64
"""Units of a frame interval per millisecond."""
ALONE_POINT: Final = OPERATING_POINTS.index(NORMAL)
"""The operating point that a frame coded alone stands for."""
GAPS: Final = 16
"""Frames that a reference may lie back at most: 0.64 s at 25 frames a second."""
TIMESTAMP_MODULUS: Final = 1 << 16
"""Milliseconds after which the timestamp starts again from 0."""

_INTERVAL = 40 * CLOCK_SCALE
_SPREAD = MEAN_SCALE
_RATE_SHIFT = 2


@dataclass(frozen=True, slots=True)
class FrameClock:
    """The time of a frame, and what it lets expect of the next ones; integers, the same on both sides."""

    timestamp: int
    """0..65535, milliseconds of the capture clock modulo 65536."""
    interval: int = _INTERVAL
    """Between two frames, in 1 / 64 ms, by the references before; 25 frames a second to begin with."""
    spread: int = _SPREAD
    """Mean absolute error of that, in 1 / 64 ms."""

    def expected(self, gap: int) -> int:
        """Return the timestamp to expect of the frame ``gap`` frames later."""
        return (self.timestamp + ((gap * self.interval + CLOCK_SCALE // 2) // CLOCK_SCALE)) % TIMESTAMP_MODULUS

    def residual(self, gap: int, timestamp: int) -> int:
        """Return by how much ``timestamp`` differs from the expected one, -32768..32767 ms."""
        half = TIMESTAMP_MODULUS // 2
        return (timestamp - self.expected(gap) + half) % TIMESTAMP_MODULUS - half

    def advanced(self, gap: int, residual: int) -> Self:
        """Return the clock of the frame ``gap`` frames later."""
        timestamp = (self.expected(gap) + residual) % TIMESTAMP_MODULUS
        seen = (timestamp - self.timestamp) % TIMESTAMP_MODULUS * CLOCK_SCALE // gap
        interval = self.interval + ((seen - self.interval) >> _RATE_SHIFT)
        return type(self)(timestamp, interval, updated_mean(self.spread, residual, _RATE_SHIFT))


@dataclass(frozen=True, eq=False)
class FrameRecord:
    """One frame with a face, as the receiver has it."""

    sequence: int
    """Unwrapped."""
    clock: FrameClock
    values: NDArray[np.int64] = field(repr=False)
    """(D,) units of :mod:`codec.prediction`."""
    point: int = ALONE_POINT
    """The operating point at which it was coded: that of the next frame is most often the same."""

    @property
    def check(self) -> int:
        """CRC-16 of all of it but the upper bits of the sequence number: equal on both sides, or they have diverged."""
        clock = self.clock
        numbers = np.array(
            [self.sequence % (1 << 16), clock.timestamp, clock.interval, clock.spread, self.point], np.int64
        )
        return binascii.crc_hqx(numbers.astype("<i8").tobytes() + self.values.astype("<i8").tobytes(), 0xFFFF)


class FrameHistory:
    """The frames of the recent past, by their sequence numbers."""

    SPAN: Final = 64
    """Frames behind the newest that are kept: four times as far back as a reference may lie, so that a late packet
    still finds its own."""

    def __init__(self) -> None:
        self._records: dict[int, FrameRecord] = {}
        self._newest = 0

    def add(self, record: FrameRecord) -> None:
        """Keep a frame, unless it is too old already."""
        if not self._records or record.sequence > self._newest:
            self._newest = record.sequence
        elif record.sequence <= self._newest - self.SPAN:
            return
        self._records[record.sequence] = record
        if len(self._records) > self.SPAN:
            least = self._newest - self.SPAN
            self._records = {number: kept for number, kept in self._records.items() if number > least}

    def find(self, sequence: int) -> FrameRecord | None:
        """Return the frame of this number, if it is known."""
        return self._records.get(sequence)
