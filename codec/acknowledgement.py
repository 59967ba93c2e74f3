"""What a receiver tells back: which frames it has decoded, so that later ones may be predicted from them.

Layout, integers big-endian::

    0  u8   0xA1
    1  u16  sequence number, modulo 65536, of the newest frame that was decoded
    3  u16  bit i: the frame i + 1 before it was decoded too

It may be lost, late or doubled: each stands for itself, and says nothing that could become untrue.
"""

import struct
from dataclasses import dataclass
from typing import Final, Self

from codec.errors import AcknowledgementError
from codec.packet import SEQUENCE_MODULUS

KIND: Final = 0xA1
SIZE: Final = 5
BEFORE: Final = 16
"""Frames before the newest that are told of."""
EVERY: Final = 2
"""Frames for each acknowledgement: with every frame the references would be half a frame nearer and the way back twice
as busy."""

_LAYOUT = struct.Struct(">BHH")


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Which of the last frames were decoded; ``bytes`` goes on the wire and ``parse`` is its inverse."""

    newest: int
    """0..65535."""
    before: int = 0
    """16 bits."""

    def __bytes__(self) -> bytes:
        return _LAYOUT.pack(KIND, self.newest, self.before)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the acknowledgement in ``data``; :class:`AcknowledgementError` for anything else."""
        if len(data) != SIZE or data[0] != KIND:
            raise AcknowledgementError("This is no acknowledgement of frames: update the older side.")
        _, newest, before = _LAYOUT.unpack(data)
        return cls(newest, before)

    def sequences(self, newest_sent: int) -> list[int]:
        """Return the unwrapped numbers that are acknowledged, newest first; ``newest_sent`` is the newest there is."""
        newest = newest_sent - (newest_sent - self.newest) % SEQUENCE_MODULUS
        return [newest, *(newest - 1 - bit for bit in range(BEFORE) if self.before >> bit & 1)]


class DecodedFrames:
    """The receiver's side: notes what was decoded, and says when it is time to tell."""

    def __init__(self, every: int = EVERY) -> None:
        self._every = every
        self._newest: int | None = None
        self._before = 0
        self._untold = 0

    def add(self, sequence: int, urgent: bool = False) -> None:
        """Note a decoded frame, by its unwrapped number; ``urgent``: the sender waits to hear of it."""
        if self._newest is None or sequence > self._newest:
            ahead = 1 if self._newest is None else sequence - self._newest
            known = 0 if self._newest is None else self._before << 1 | 1
            self._before = (known << ahead - 1) & (1 << BEFORE) - 1 if ahead <= BEFORE else 0
            self._newest = sequence
        elif 0 < self._newest - sequence <= BEFORE:
            self._before |= 1 << self._newest - sequence - 1
        self._untold += self._every if urgent else 1

    def due(self) -> Acknowledgement | None:
        """Return what is to be sent now, if anything; it counts as sent."""
        if self._newest is None or self._untold < self._every:
            return None
        self._untold = 0
        return Acknowledgement(self._newest % SEQUENCE_MODULUS, self._before)
