"""A call of a million frames without a network: whatever is lost, both sides agree on every frame that is applied.

What happens to packets and to what the sender hears of them is drawn at random, worse and better by turns. Every frame
that the decoder takes is compared with the encoder's record of it, number by number and clock by clock.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

import numpy as np

from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.face_state import FaceState
from codec.message import Bundler
from codec.operating_point import OPERATING_POINTS
from codec.packet import Packet
from codec.prediction import PredictionTables
from codec.tables import CodecTables

AVATAR: Final = bytes(32)
FPS: Final = 25.0
SPELL: Final = 500
"""Frames after which the network changes its mood."""
OLD: Final = 270_000
"""Frames after which packets are replayed: three hours."""
KEPT: Final = 20
"""Packets that are kept for that, of each spell."""


@dataclass(slots=True)
class SoakFigures:
    """What became of the frames; numbers of packets but for `wraps` and `seconds_of_call`."""

    frames: int = 0
    """That were encoded."""
    alone: int = 0
    """Of those, coded alone."""
    lost: int = 0
    applied: int = 0
    """Decoded, and found to be on both sides the same."""
    disagreed: int = 0
    """Decoded, and different. There must be none."""
    refused: int = 0
    """Whole packets of the moment that the decoder did not take. There must be none but those that follow upon a
    damaged one which passed."""
    reordered: int = 0
    doubled: int = 0
    damaged: int = 0
    damaged_taken: int = 0
    """Of those, taken for right: the checksum of a short packet has 8 bits, so that one of 256 passes at most."""
    replayed: int = 0
    """Packets of three hours before."""
    replayed_taken: int = 0
    wraps: int = 0
    """Of the 16-bit sequence number."""
    seconds_of_call: float = 0.0

    def figures(self) -> dict[str, float]:
        """Return them by name."""
        return {name: float(value) for name, value in asdict(self).items()}


class Soak:
    """The call. Make one, `run` it, look at `figures`."""

    def __init__(
        self, tables: CodecTables, prediction: PredictionTables, states: Sequence[FaceState], seed: int = 0
    ) -> None:
        """Loop over ``states``, which have embedded expressions."""
        self.figures = SoakFigures()
        self._random, self._noise = random.Random(seed), np.random.default_rng(seed)
        self._states = states
        self._encoder = FrameEncoder(tables, AVATAR, prediction=prediction, short=True)
        self._decoder = FrameDecoder(tables, AVATAR, prediction=prediction, short=True)
        self._bundler = Bundler()
        self._under_way: list[tuple[float, tuple[int, ...], bytes]] = []
        self._heard: list[tuple[float, int]] = []
        self._old: deque[tuple[int, bytes]] = deque()
        self._newest = -1
        self._change_mood()

    def run(self, frames: int, progress: Callable[[int], None] = lambda done: None) -> SoakFigures:
        """Send so many frames; ``progress`` is called with the number of frames done."""
        for index in range(frames):
            if index % SPELL == 0:
                self._change_mood()
                progress(index)
            self._send(index, now=1000.0 + index / FPS)
        self.figures.wraps = self._encoder.sequence >> 16
        self.figures.seconds_of_call = frames / FPS
        return self.figures

    def _change_mood(self) -> None:
        draw = self._random
        self._loss = draw.choice([0.0, 0.05, 0.1, 0.3, 0.6, 1.0])
        # 1.0 is an outage: longer than any reference lies back.
        self._hearing = draw.choice([1.0, 0.9, 0.5])
        self._delay = draw.choice([0.02, 0.08, 0.2, 0.5])
        self._jitter = draw.choice([0.0, 0.0, 0.05, 0.15])
        self._encoder.point = draw.choice(OPERATING_POINTS)
        self._together = draw.choice([1, 1, 2, 3])

    def _send(self, index: int, now: float) -> None:
        figures, draw = self.figures, self._random
        while self._heard and self._heard[0][0] <= now:
            self._encoder.acknowledge((heapq.heappop(self._heard)[1],))
        sequence = self._encoder.sequence
        packet = self._encoder.encode(self._state(index, now), self._bundler.along)
        figures.frames += 1
        figures.alone += isinstance(packet, Packet)
        urgent = self._encoder.waits_for(packet)
        message = self._bundler.add(sequence, packet, urgent=urgent, frames=self._together, repeats=0)
        if message is not None:
            if index % SPELL < KEPT and len(self._old) < OLD // SPELL * KEPT + KEPT:
                self._old.append((index, message.data))
            if draw.random() < self._loss:
                figures.lost += message.new
            else:
                for _ in range(1 + (draw.random() < 0.02)):
                    arrival = now + 0.5 * self._delay + self._jitter * draw.random()
                    heapq.heappush(self._under_way, (arrival, message.frames, message.data))
            if draw.random() < 0.01:
                self._damage(message.data, now)
        if self._old and index - self._old[0][0] >= OLD:
            self._replay(self._old.popleft()[1], now)
        while self._under_way and self._under_way[0][0] <= now:
            self._take(*heapq.heappop(self._under_way), now)

    def _state(self, index: int, now: float) -> FaceState:
        state = self._states[index % len(self._states)]
        # So that no round of the recording is like another.
        stir = self._noise.normal(0.0, 0.05, len(state.expression)).astype(np.float32)
        late = self._random.choice([0.0, 0.0, 0.0, 0.003, 0.011])
        present = index % 5000 < 4900
        return replace(state, expression=state.expression + stir, timestamp=now + late, present=present)

    def _take(self, arrival: float, sequences: tuple[int, ...], data: bytes, now: float) -> None:
        figures = self.figures
        figures.reordered += sequences[-1] < self._newest
        figures.doubled += sequences[-1] == self._newest
        self._newest = max(self._newest, sequences[-1])
        frames, refused = self._decoder.decode_message(data, now)
        if refused:
            figures.refused += refused
            self._forget()
            return
        for number, state in frames:
            sent, received = self._encoder.record(number), self._decoder.record(number)
            agree = number in sequences
            if state.present:
                agree = agree and sent is not None and received is not None
                if sent is not None and received is not None:
                    agree = agree and sent.clock == received.clock and bool((sent.values == received.values).all())
            figures.applied += agree
            figures.disagreed += not agree
            if agree and self._random.random() < self._hearing:
                heapq.heappush(self._heard, (now + 0.5 * self._delay, number))

    def _forget(self) -> None:
        """Predict from nothing that was sent so far, and send nothing that was."""
        self._encoder.forget()
        self._bundler = Bundler()

    def _damage(self, data: bytes, now: float) -> None:
        hostile = bytearray(data)
        for _ in range(self._random.randint(1, 3)):
            hostile[self._random.randrange(len(hostile))] ^= self._random.randint(1, 255)
        if bytes(hostile) == data:
            return
        self.figures.damaged += 1
        self.figures.damaged_taken += self._passes(bytes(hostile), now)

    def _replay(self, data: bytes, now: float) -> None:
        self.figures.replayed += 1
        self.figures.replayed_taken += self._passes(data, now)

    def _passes(self, data: bytes, now: float) -> bool:
        frames, _ = self._decoder.decode_message(data, now)
        if frames:
            # What both sides have is not the same any more.
            self._forget()
        return bool(frames)
