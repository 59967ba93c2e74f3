"""What the benchmark asks of a video codec, ours and anybody's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]
"""(N, S, S, 3), RGB."""
Settings = Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Coded:
    """A stretch of video as bits."""

    packets: tuple[bytes, ...]
    """For each frame what a call would send for it, headers of the codec included; empty where nothing is sent."""
    side_bytes: int = 0
    """What the receiver must hold beforehand, such as an avatar: not part of the rate, and said beside it."""
    seldom: tuple[tuple[int, bytes], ...] = ()
    """Frame, and what a call sends after it besides: what it knows to arrive, once in a while."""

    @property
    def payload(self) -> bytes:
        """All of it, in the order of time but for what is sent seldom, which comes last."""
        return b"".join([*self.packets, *(data for _, data in self.seldom)])

    def kbps(self, fps: float) -> float:
        """Return the payload's rate in kbit/s."""
        return len(self.payload) * 8 * fps / 1000 / len(self.packets)


class BenchCodec(Protocol):
    """A codec at one operating point."""

    @property
    def name(self) -> str:
        """Short, of lower-case letters, digits and -."""

    @property
    def label(self) -> str:
        """As tables and plots call it."""

    @property
    def settings(self) -> Settings:
        """Everything that decides the result; "command" is the command line of an outside program's equal."""

    def encode(self, frames: Frames, fps: float) -> Coded:
        """Code frames in the order of time, each without waiting for later ones."""

    def decode(self, coded: Coded, size: int) -> Frames:
        """Return as many frames as were coded, (N, size, size, 3)."""

    def versions(self) -> Mapping[str, str]:
        """Return the versions of the libraries that do the work."""
