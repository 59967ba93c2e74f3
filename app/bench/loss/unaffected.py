"""What must have no effect at all: packets overtaken, doubled, three hours old, and sequence numbers that begin again.

The same packets are played out twice, once as they were sent and once with all of that; the faces on show must be the
same at every moment. No network: what happens to each packet, and when, is written down here.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from app.bench.loss.footage import Footage
from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.errors import PacketError
from codec.face_state import FaceState
from codec.packet import SEQUENCE_MODULUS
from codec.playout import PlayoutBuffer

FRAMES: Final = 1500
WRAP_AT: Final = 600
"""The frame with which the sequence numbers begin again."""
START: Final = 20_000.0
THREE_HOURS: Final = 10_800.0
TRANSIT: Final = 0.03
JITTER: Final = 0.09
"""Seconds by which one packet in ten is later than the others in both: playout waits for as long."""
OVERTAKEN: Final = 0.045
"""Seconds by which others are late: more than the time between two packets, less than what is waited for."""
PICTURE: Final = 1 / 30

Arrival = tuple[float, bytes]


def unaffected_figures(footage: Footage) -> dict[str, float]:
    """Return how many packets of each kind there were, and by how much the faces on show differ at most, in steps."""
    packets = list(_packets(footage, START))
    old = [data for _, data in _packets(footage, START - THREE_HOURS)]
    plain, troubled, counts = [], [], dict.fromkeys(("overtaken", "doubled", "old"), 0.0)
    for index, (sent, data) in enumerate(packets):
        late = JITTER if index % 10 == 5 else 0.0
        plain.append((sent + TRANSIT + late, data))
        if index % 10 in (1, 8):
            # Away from those that are late in both, beside which pictures lack a frame to interpolate with anyway.
            troubled.append((sent + TRANSIT + OVERTAKEN, data))
            counts["overtaken"] += 1
        else:
            troubled.append(plain[-1])
        if index % 4 == 1:
            troubled.append((sent + TRANSIT + 0.5 * JITTER * (index % 3) + late, data))
            counts["doubled"] += 1
        if index % 25 == 9:
            troubled.append((sent + TRANSIT, old[index]))
            counts["old"] += 1
    expected, _ = _shown(footage, plain)
    actual, refused = _shown(footage, troubled)
    distances = np.abs(footage.parameters(actual) - footage.parameters(expected))
    return {
        **counts,
        "wraps": float((SEQUENCE_MODULUS - WRAP_AT + FRAMES) // SEQUENCE_MODULUS),
        "old_refused": float(refused),
        "largest_difference_steps": float(distances.max()),
        "pictures": float(len(expected)),
    }


def _packets(footage: Footage, start: float) -> Iterator[Arrival]:
    """Yield when each packet is sent, and the packet; the receiver has acknowledged what is 0.12 s old."""
    encoder = FrameEncoder(
        footage.tables, footage.digest, sequence=SEQUENCE_MODULUS - WRAP_AT, prediction=footage.prediction, short=True
    )
    for index in range(FRAMES):
        if index > 3:
            encoder.acknowledge((encoder.sequence - 4,))
        now = start + index / footage.fps
        state = footage.states[index % len(footage.states)]
        yield now, bytes(encoder.encode(replace(state, timestamp=now)))


def _shown(footage: Footage, arrivals: list[Arrival]) -> tuple[list[FaceState], int]:
    """Return the face on show at each picture of the call's last nine tenths, and how many packets were refused."""
    decoder = FrameDecoder(footage.tables, footage.digest, prediction=footage.prediction, short=True)
    buffer = PlayoutBuffer(footage.tables.rest_state(0.0))
    pending, shown, refused = sorted(arrivals, reverse=True), [], 0
    for picture in range(round(FRAMES / footage.fps / PICTURE)):
        now = START + picture * PICTURE
        while pending and pending[-1][0] <= now:
            arrived, data = pending.pop()
            try:
                state = decoder.decode(data, arrived)
            except PacketError:
                refused += 1
                continue
            buffer.push(state, arrived, decoder.sequence)
            for amended in decoder.take_amended():
                buffer.amend(amended)
        state_now = buffer.sample(now)
        # At the beginning nobody knows yet how late packets may be.
        if state_now is not None and now > START + 0.1 * FRAMES / footage.fps:
            shown.append(state_now)
    return shown, refused
