"""A call without a network: states into packets and back, with acknowledgements that take their time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.bench.rate.acknowledging import DelayedAcknowledgements
from app.bench.rate.bits import PARTS, packet_bits
from app.sending_policy import frames_of
from codec.decoder import FrameDecoder
from codec.encoder import FacePacket, FrameEncoder
from codec.face_state import FaceState
from codec.interpolation import interpolate_state
from codec.message import Bundler, Outgoing
from codec.operating_point import OperatingPoint
from codec.packet import Packet
from codec.path_search import PATHS
from codec.prediction import PredictionTables
from codec.short_packet import ShortPacket
from codec.tables import CodecTables

AVATAR: Final = bytes(32)
START: Final = 1000.0
"""Of the capture clock: any time is as good as another."""


@dataclass(frozen=True, slots=True, eq=False)
class Exchanged:
    """What became of the states."""

    messages: tuple[bytes, ...]
    """In the order in which they were sent; one packet each."""
    states: list[FaceState]
    """As the receiver shows them; those of frames that were not sent lie between their neighbours."""
    bits: NDArray[np.float64]
    """(messages, 7) bits of each message's `app.bench.rate.bits.PARTS`."""
    alone: int
    """Frames coded alone."""


def exchange(
    states: Sequence[FaceState],
    fps: float,
    tables: CodecTables,
    prediction: PredictionTables | None,
    point: OperatingPoint,
    delay: float,
) -> Exchanged:
    """Send embedded ``states`` one after the other at ``fps``, as many in a message as a call does.

    Args:
        states: of frames in a row.
        fps: of the footage.
        tables: for frames coded alone.
        prediction: None: every frame is coded alone.
        point: how finely and how often.
        delay: seconds from sending a message to the sender's knowing that it was decoded.
    """
    encoder = FrameEncoder(tables, AVATAR, prediction=prediction, short=True, paths=PATHS)
    encoder.point = point
    receiver = _Receiver(tables, FrameDecoder(tables, AVATAR, prediction=prediction, short=True))
    bundler, acknowledgements = Bundler(), DelayedAcknowledgements(delay)
    stride, together = (1, 1) if prediction is None else (point.stride, frames_of(point, fps))
    waiting: list[FacePacket] = []
    alone, now = 0, START
    for index in range(0, len(states), stride):
        now = START + index / fps
        encoder.acknowledge(acknowledgements.heard(now))
        packet = encoder.encode(replace(states[index], timestamp=now), bundler.along)
        alone += isinstance(packet, Packet)
        waiting.append(packet)
        urgent = encoder.waits_for(packet)
        message = bundler.add(encoder.sequence - 1, packet, urgent=urgent, frames=together, repeats=0)
        if message is not None:
            receiver.take(message, waiting, now)
            waiting = []
            acknowledgements.arrived(message.frames, now, message.urgent)
    if (message := bundler.close(0)) is not None:
        receiver.take(message, waiting, now)
    received = {number * stride: state for number, state in receiver.states.items()}
    received = {index: replace(state, timestamp=index / fps) for index, state in received.items()}
    shown = _shown(received, len(states), stride)
    return Exchanged(tuple(receiver.messages), shown, np.array(receiver.bits), alone)


class _Receiver:
    """Decodes messages of one packet, and takes them apart."""

    def __init__(self, tables: CodecTables, decoder: FrameDecoder) -> None:
        self._tables, self._decoder = tables, decoder
        self.messages: list[bytes] = []
        self.bits: list[list[float]] = []
        self.states: dict[int, FaceState] = {}

    def take(self, message: Outgoing, sent: Sequence[FacePacket], now: float) -> None:
        """Decode a message of the frames ``sent``."""
        frames, refused = self._decoder.decode_message(message.data, now)
        assert not refused
        self.states |= dict(frames)
        packet = sent[0]
        for following in sent[1:]:
            assert isinstance(packet, ShortPacket)
            assert isinstance(following, ShortPacket)
            joined = packet.joined(following)
            assert joined is not None
            packet = joined
        assert bytes(packet) == message.data
        self.messages.append(message.data)
        self.bits.append(packet_bits(packet, self._tables))
        assert len(self.bits[-1]) == len(PARTS)


def _shown(received: dict[int, FaceState], count: int, stride: int) -> list[FaceState]:
    shown = []
    for index in range(count):
        before, ahead = index - index % stride, index - index % stride + stride
        if index in received or ahead not in received:
            shown.append(received[before])
        else:
            shown.append(interpolate_state(received[before], received[ahead], (index - before) / stride))
    return shown
