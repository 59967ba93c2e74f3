"""A call without a network: states into packets and back, with acknowledgements that take their time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.bench.rate.acknowledging import DelayedAcknowledgements
from app.bench.rate.bits import PARTS, alone_bits, predicted_bits
from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.face_state import FaceState
from codec.interpolation import interpolate_state
from codec.operating_point import OperatingPoint
from codec.packet import Packet
from codec.prediction import PredictionTables
from codec.tables import CodecTables

AVATAR: Final = bytes(32)
START: Final = 1000.0
"""Of the capture clock: any time is as good as another."""


@dataclass(frozen=True, slots=True, eq=False)
class Exchanged:
    """What became of the states."""

    packets: tuple[bytes, ...]
    """Of each frame; empty where none was sent."""
    states: list[FaceState]
    """As the receiver shows them; those of frames that were not sent lie between their neighbours."""
    bits: NDArray[np.float64]
    """(packets, 7) bits of each packet's `app.bench.rate.bits.PARTS`."""
    alone: int
    """Packets of frames coded alone."""


def exchange(
    states: Sequence[FaceState],
    fps: float,
    tables: CodecTables,
    prediction: PredictionTables | None,
    point: OperatingPoint,
    delay: float,
) -> Exchanged:
    """Send embedded ``states`` one after the other at ``fps``.

    Args:
        states: of frames in a row.
        fps: of the footage.
        tables: for frames coded alone.
        prediction: None: every frame is coded alone.
        point: how finely and how often.
        delay: seconds from sending a frame to the sender's knowing that it was decoded.
    """
    encoder = FrameEncoder(tables, AVATAR, prediction=prediction)
    decoder = FrameDecoder(tables, AVATAR, prediction=prediction)
    encoder.point = point
    acknowledgements = DelayedAcknowledgements(delay)
    stride = 1 if prediction is None else point.stride
    packets = [b""] * len(states)
    received: dict[int, FaceState] = {}
    bits, alone = [], 0
    for index in range(0, len(states), stride):
        now = START + index / fps
        encoder.acknowledge(acknowledgements.heard(now))
        packet = encoder.encode(replace(states[index], timestamp=now))
        packets[index] = bytes(packet)
        received[index] = replace(decoder.decode(packets[index], now), timestamp=index / fps)
        if isinstance(packet, Packet):
            bits.append(alone_bits(tables, packet))
            alone += 1
        else:
            assert prediction is not None
            bits.append(predicted_bits(prediction, packet, decoder))
        acknowledgements.arrived(decoder.sequence, now, isinstance(packet, Packet))
    assert np.shape(bits)[1:] == (len(PARTS),)
    return Exchanged(tuple(packets), _shown(received, len(states), stride), np.array(bits), alone)


def _shown(received: dict[int, FaceState], count: int, stride: int) -> list[FaceState]:
    shown = []
    for index in range(count):
        before, ahead = index - index % stride, index - index % stride + stride
        if index in received or ahead not in received:
            shown.append(received[before])
        else:
            shown.append(interpolate_state(received[before], received[ahead], (index - before) / stride))
    return shown
