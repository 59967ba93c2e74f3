"""Packets -> face states."""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from codec.encoder import encode_symbols
from codec.entropy import EntropyError, SymbolDecoder
from codec.errors import PacketError
from codec.face_state import FaceState
from codec.frame_record import GAPS, FrameHistory, FrameRecord
from codec.message import Message
from codec.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, Packet, short_id
from codec.parameters import state_from_parameters
from codec.predicted_frame import alone_record, decode_frame, decode_held
from codec.predicted_packet import (
    HELD,
    SHORT_SEQUENCE_MODULUS,
    PredictedPacket,
    checksum,
    is_predicted,
    short_sequence,
)
from codec.prediction import PredictionTables, context_of
from codec.tables import CodecTables

_LARGEST_TURN = np.pi + 0.05
"""Radians: half a turn and its rounding."""
_FASTEST = 120.0
"""Frames a second that a sender sends at most."""
_SLACK = 512
"""Frames by which a sequence number may otherwise differ from the newest: more than any sender sends in a second."""
_LATELY = 128
"""Frames of which is known that they have come: more than any message repeats."""
_SLEW = 0.005
"""Seconds by which one packet may move the estimate of the capture clock."""


@dataclass(frozen=True, slots=True, eq=False)
class _Unsettled:
    """A frame that came before the one before it; see `PredictionTables.shown`."""

    point: int
    gap: int
    values: NDArray[np.int64]
    predicted: NDArray[np.int64]
    timestamp: float


class FrameDecoder:
    """Turns the packets of one sender, in any order and with any of them missing, into states.

    Timestamps are unwrapped to the time nearest to where the capture clock must be by now: the first to the one nearest
    to ``now`` itself. On one machine, where both sides read the same clock, they are thus the capture times themselves;
    between machines they differ from them by a constant.

    With ``prediction``, predicted frames are decoded too. The sender must then be told of packets that were refused, as
    it takes what reached this side for known here: :meth:`codec.encoder.FrameEncoder.forget`.
    """

    def __init__(self, tables: CodecTables, avatar_id: bytes, *, prediction: PredictionTables | None = None) -> None:
        self._tables = tables
        self._avatar_id = short_id(avatar_id)
        self._prediction = prediction
        self._context = b"" if prediction is None else context_of(avatar_id, prediction)
        self._history = FrameHistory()
        self._lately: dict[int, int] = {}
        """Unwrapped numbers and time stamps (ms) of the frames decoded last, in that order."""
        self._clock_offset: float | None = None
        self._newest_sequence: int | None = None
        self._accepted_at = 0.0
        self._held: FaceState | None = None
        self._unsettled: dict[int, _Unsettled] = {}
        """By their unwrapped numbers, those decoded last."""
        self._amended = deque[FaceState](maxlen=GAPS)
        self.sequence = 0
        """Sequence number of the packet decoded last, unwrapped: it does not start again from 0."""

    def decode(self, data: bytes, now: float) -> FaceState:
        """Return the state in one packet that arrived at ``now`` (seconds of this side's clock).

        Of a packet without a face, expression, pose and torso are those of the newest face before it. Raises nothing
        but :class:`PacketError`, and is then as if the packet had not come.
        """
        if is_predicted(data):
            return self._decode_predicted(data, now)
        packet = Packet.parse(data)
        header = packet.header
        if header.avatar_id != self._avatar_id:
            raise PacketError(
                f"A packet is of avatar {header.avatar_id.hex()} and this side renders {self._avatar_id.hex()}: "
                "both sides need the same avatar file."
            )
        sequence = self._unwrap_sequence(header.sequence, now)
        parameters = None
        if header.present:
            symbols = np.array(decode_symbols(self._tables, packet.payload), np.int64)
            parameters = self._tables.quantiser.dequantise(symbols)
            _check_turn(parameters)
            if self._prediction is not None:
                values = self._prediction.units_of_symbols(symbols, self._tables.quantiser)
                self._history.add(alone_record(sequence, header.timestamp, values))
                self._settle(self._prediction, sequence + 1, values)
        return self._accept(parameters, sequence, header.timestamp, now)

    def decode_message(self, data: bytes, now: float) -> tuple[list[tuple[int, FaceState]], int]:
        """Return the frames of a message that are new here, oldest first, and how many packets were refused.

        The frames come with their unwrapped sequence numbers; those that had come before are left out. Raises nothing.
        """
        frames: list[tuple[int, FaceState]] = []
        try:
            packets = Message.parse(data).packets
        except PacketError:
            return frames, 1
        refused = 0
        for packet in packets:
            if not self.knows(packet):
                try:
                    state = self.decode(packet, now)
                except PacketError:
                    refused += 1
                else:
                    frames.append((self.sequence, state))
        return frames, refused

    def take_amended(self) -> list[FaceState]:
        """Return states that were decoded before and are better known since; each once.

        Of a frame that overtook the one before it, what is shown follows when that has come (`codec.post_filter`).
        """
        amended = list(self._amended)
        self._amended.clear()
        return amended

    def knows(self, data: bytes) -> bool:
        """Return whether the packet in ``data`` seems to be of a frame that was decoded lately."""
        if self._newest_sequence is None or len(data) < 2:
            return False
        if is_predicted(data):
            return self._unwrap_short(short_sequence(data), self._newest_sequence) in self._lately
        with suppress(PacketError):
            header = Packet.parse(data).header
            sequence = _nearest(header.sequence, self._newest_sequence, SEQUENCE_MODULUS)
            # After an outage the same number may be that of another frame.
            return self._lately.get(sequence) == header.timestamp
        return False

    def record(self, sequence: int) -> FrameRecord | None:
        """Return what is kept of a frame, by its unwrapped number, if it is."""
        return self._history.find(sequence)

    def _decode_predicted(self, data: bytes, now: float) -> FaceState:
        packet, tables = PredictedPacket.parse(data), self._prediction
        if tables is None:
            raise PacketError("A packet is predicted and this avatar has no tables for that: enrol it again.")
        header, newest_sequence = packet.header, self._newest_sequence
        if newest_sequence is None:
            raise PacketError("A packet is predicted from a frame that has not come.")
        sequence = self._unwrap_short(header.sequence, newest_sequence)
        newest = self._history.find(sequence - header.gap)
        before = self._history.find(sequence - header.gap - 1) if header.order == 1 else None
        if newest is None or (header.order == 1 and before is None):
            raise PacketError("A packet is predicted from a frame that has not come.")
        if checksum(self._context, sequence, header, packet.payload, newest, before) != packet.checksum:
            raise PacketError("A packet is damaged, or the two sides differ in what went before: wrong checksum.")
        point = newest.point if header.point is None else header.point
        if header.order == HELD:
            record, predicted = decode_held(sequence, packet.payload, newest), newest.values
        else:
            record, predicted = decode_frame(tables, point, sequence, packet.payload, newest, before)
        _check_turn(tables.parameters(record.values))
        previous = self._history.find(sequence - 1)
        shown = tables.shown(point, header.gap, record.values, predicted, None if previous is None else previous.values)
        self._history.add(record)
        self._settle(tables, sequence + 1, record.values)
        state = self._accept(tables.parameters(shown), sequence, record.clock.timestamp, now)
        if previous is None and tables.post_filter is not None:
            self._unsettled[sequence] = _Unsettled(point, header.gap, record.values, predicted, state.timestamp)
            if len(self._unsettled) > GAPS:
                del self._unsettled[next(iter(self._unsettled))]
        return state

    def _settle(self, tables: PredictionTables, sequence: int, previous: NDArray[np.int64]) -> None:
        """Filter a frame anew that had come before the one before it, whose values (D,) are ``previous``."""
        frame = self._unsettled.pop(sequence, None)
        if frame is not None:
            shown = tables.shown(frame.point, frame.gap, frame.values, frame.predicted, previous)
            parameters = tables.parameters(shown)
            state = state_from_parameters(parameters, self._tables.layout, frame.timestamp, present=True)
            self._amended.append(state)

    def _accept(
        self, parameters: NDArray[np.float64] | None, sequence: int, milliseconds: int, now: float
    ) -> FaceState:
        """Take note of a packet that is all right, and return its state; without parameters, no face is seen."""
        timestamp = self._unwrap_timestamp(milliseconds, now)
        newest = self._newest_sequence is None or sequence >= self._newest_sequence
        self.sequence, self._accepted_at = sequence, now
        self._lately.pop(sequence, None)
        self._lately[sequence] = milliseconds
        if len(self._lately) > _LATELY:
            del self._lately[next(iter(self._lately))]
        if newest:
            self._newest_sequence = sequence
        if parameters is None:
            held = self._held or self._tables.rest_state(timestamp)
            return replace(held, timestamp=timestamp, present=False)
        state = state_from_parameters(parameters, self._tables.layout, timestamp, present=True)
        if newest:
            self._held = state
        return state

    @staticmethod
    def _unwrap_short(sequence: int, newest: int) -> int:
        """Return the unwrapped number of a predicted frame: its reference has been here, so it is at most `GAPS` on."""
        return newest + GAPS - (newest + GAPS - sequence) % SHORT_SEQUENCE_MODULUS

    def _unwrap_sequence(self, sequence: int, now: float) -> int:
        """Return the unwrapped number of a frame coded alone; :class:`PacketError` for one of long ago."""
        if self._newest_sequence is None:
            return sequence
        unwrapped = _nearest(sequence, self._newest_sequence, SEQUENCE_MODULUS)
        if abs(unwrapped - self._newest_sequence) <= _SLACK:
            return unwrapped
        # After a silence as much further on as may have been sent meanwhile; never back. So what was sent hours ago is
        # refused after an outage as well, and yet no wrong packet shuts out for ever all that follow.
        ahead = (sequence - self._newest_sequence) % SEQUENCE_MODULUS
        if ahead > _SLACK + _FASTEST * (now - self._accepted_at):
            raise PacketError("A packet is not of this time: it was sent long ago, or its sender has started anew.")
        return self._newest_sequence + ahead

    def _unwrap_timestamp(self, milliseconds: int, now: float) -> float:
        offset = self._clock_offset or 0.0
        timestamp = _nearest(milliseconds, round((now + offset) * 1000), TIMESTAMP_MODULUS) / 1000
        if self._clock_offset is None:
            self._clock_offset = timestamp - now
        else:
            # A bounded step follows the drift of two clocks, and no single packet can lead it astray.
            self._clock_offset += min(max(timestamp - now - offset, -_SLEW), _SLEW)
        return timestamp


def decode_symbols(tables: CodecTables, payload: bytes) -> list[int]:
    """Return the symbols (D,) of a payload; :class:`PacketError` unless it is exactly what the encoder makes."""
    coder = SymbolDecoder(payload)
    symbols: list[int] = []
    offsets: list[int] = []
    try:
        for index, table in enumerate(tables.residuals):
            symbol = tables.predict(index, offsets) + coder.get(table)
            low, high = tables.bounds[index]
            if not low <= symbol <= high:
                raise PacketError("A packet is damaged: it holds a number out of range.")
            symbols.append(symbol)
            offsets.append(symbol - tables.centres[index])
    except EntropyError:
        raise PacketError("A packet is damaged: no encoder makes its payload.") from None
    if encode_symbols(tables, symbols) != payload:
        raise PacketError("A packet is damaged: its payload is not the shortest for what it says.")
    return symbols


def _check_turn(parameters: NDArray[np.float64]) -> None:
    if np.linalg.norm(parameters[:3]) > _LARGEST_TURN:
        raise PacketError("A packet turns the head by more than half a turn: no encoder makes that.")


def _nearest(value: int, reference: int, modulus: int) -> int:
    """Return the number nearest to ``reference`` that equals ``value`` modulo ``modulus``."""
    return reference + (value - reference + modulus // 2) % modulus - modulus // 2
