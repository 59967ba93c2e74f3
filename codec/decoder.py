"""Packets -> face states."""

from collections import deque
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codec.encoder import encode_symbols
from codec.entropy import EntropyError, SymbolDecoder
from codec.errors import PacketError
from codec.face_state import FaceState
from codec.frame_record import GAPS, FrameHistory, FrameRecord
from codec.message import Message
from codec.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, Packet, short_id
from codec.parameters import check_turn, state_from_parameters
from codec.predicted_decoding import DecodedFrame, PredictedDecoder, not_come, not_shortest
from codec.predicted_frame import alone_record
from codec.predicted_packet import SHORT_SEQUENCE_MODULUS, PredictedPacket, is_predicted, short_sequence
from codec.prediction import PredictionTables, context_of
from codec.short_packet import FIRST_MODULUS, ShortFront, first_sequence
from codec.tables import CodecTables

_FASTEST = 120.0
"""Frames a second that a sender sends at most."""
_SLACK = 512
"""Frames by which a sequence number may otherwise differ from the newest: more than any sender sends in a second."""
_LATELY = 128
"""Frames of which is known that they have come: more than any message repeats."""
_SLEW = 0.005
"""Seconds by which one packet may move the estimate of the capture clock."""


class FrameDecoder:
    """Turns the packets of one sender, in any order and with any of them missing, into states.

    Timestamps are unwrapped to the time nearest to where the capture clock must be by now: the first to the one nearest
    to ``now`` itself. On one machine, where both sides read the same clock, they are thus the capture times themselves;
    between machines they differ from them by a constant.

    With ``prediction``, predicted frames are decoded too. The sender must then be told of packets that were refused, as
    it takes what reached this side for known here: :meth:`codec.encoder.FrameEncoder.forget`.
    """

    def __init__(
        self, tables: CodecTables, avatar_id: bytes, *, prediction: PredictionTables | None = None, short: bool = False
    ) -> None:
        self.short = short
        """Whether predicted frames come in short packets, as the encoder has it; else in those with a long header."""
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
        self._unsettled: dict[int, tuple[DecodedFrame, float]] = {}
        """By their unwrapped numbers, frames decoded lately that came before the one before them, and their times."""
        self._amended = deque[FaceState](maxlen=GAPS)
        self.sequence = 0
        """Sequence number of the packet decoded last, unwrapped: it does not start again from 0."""

    def decode(self, data: bytes, now: float) -> FaceState:
        """Return the newest state in one packet that arrived at ``now`` (seconds of this side's clock).

        Of a packet without a face, expression, pose and torso are those of the newest face before it. Raises nothing
        but :class:`PacketError`, and is then as if the packet had not come.
        """
        return self._decode_all(data, now)[-1][1]

    def _decode_all(self, data: bytes, now: float) -> list[tuple[int, FaceState]]:
        """Return the numbers and states of all frames in one packet, as `decode` does."""
        if not is_predicted(data):
            state = self._decode_alone(data, now)
            return [(self.sequence, state)]
        return self._decode_predicted(data, now)

    def _decode_alone(self, data: bytes, now: float) -> FaceState:
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
            check_turn(parameters)
            if self._prediction is not None:
                values = self._prediction.units_of_symbols(symbols, self._tables.quantiser)
                record = alone_record(sequence, header.timestamp, values)
                self._history.add(record)
                self._settle(self._prediction, record)
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
                    frames += self._decode_all(packet, now)
                except PacketError:
                    refused += 1
        return frames, refused

    def take_amended(self) -> list[FaceState]:
        """Return states that were decoded before and are better known since; each once.

        Of a frame that overtook the one before it, what is shown follows when that has come (`codec.post_filter`).
        """
        amended = list(self._amended)
        self._amended.clear()
        return amended

    def knows(self, data: bytes) -> bool:
        """Return whether the packet in ``data`` seems to be of frames that were decoded lately."""
        if self._newest_sequence is None or len(data) < 2:
            return False
        if is_predicted(data):
            said, modulus = first_sequence(data), FIRST_MODULUS
            if not self.short:
                said, modulus = short_sequence(data), SHORT_SEQUENCE_MODULUS
            return _latest(said, self._newest_sequence, modulus) in self._lately
        with suppress(PacketError):
            header = Packet.parse(data).header
            sequence = _nearest(header.sequence, self._newest_sequence, SEQUENCE_MODULUS)
            # After an outage the same number may be that of another frame.
            return self._lately.get(sequence) == header.timestamp
        return False

    def record(self, sequence: int) -> FrameRecord | None:
        """Return what is kept of a frame, by its unwrapped number, if it is."""
        return self._history.find(sequence)

    def _decode_predicted(self, data: bytes, now: float) -> list[tuple[int, FaceState]]:
        tables = self._prediction
        if tables is None:
            raise PacketError("A packet is predicted and this avatar has no tables for that: enrol it again.")
        if self._newest_sequence is None:
            raise not_come()
        decoder = PredictedDecoder(tables, self._context, self._history)
        if self.short:
            front = ShortFront.parse(data)
            frames = decoder.decode_short(front, _latest(front.sequence, self._newest_sequence, FIRST_MODULUS))
        else:
            packet = PredictedPacket.parse(data)
            number = _latest(packet.header.sequence, self._newest_sequence, SHORT_SEQUENCE_MODULUS)
            frames = [decoder.decode_long(packet, number)]
        return [self._show(tables, frame, now) for frame in frames]

    def _show(self, tables: PredictionTables, frame: DecodedFrame, now: float) -> tuple[int, FaceState]:
        """Take note of a frame of a packet that is all right, and return its number and state."""
        record = frame.record
        previous = self._history.find(record.sequence - 1)
        shown = frame.shown(tables, previous)
        self._history.add(record)
        self._settle(tables, record)
        state = self._accept(shown, record.sequence, record.clock.timestamp, now)
        if previous is None and tables.post_filter is not None:
            self._unsettled[record.sequence] = frame, state.timestamp
            if len(self._unsettled) > GAPS:
                del self._unsettled[next(iter(self._unsettled))]
        return record.sequence, state

    def _settle(self, tables: PredictionTables, previous: FrameRecord) -> None:
        """Filter anew the frame after ``previous``, if it had come before that."""
        if previous.sequence + 1 in self._unsettled:
            frame, timestamp = self._unsettled.pop(previous.sequence + 1)
            shown = frame.shown(tables, previous)
            self._amended.append(state_from_parameters(shown, self._tables.layout, timestamp, present=True))

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
        raise not_shortest()
    return symbols


def _latest(sequence: int, newest: int, modulus: int) -> int:
    """Return the number of a predicted frame, known as ``sequence`` modulo ``modulus``.

    Its reference has been here, so it is at most `GAPS` after the ``newest``.
    """
    return newest + GAPS - (newest + GAPS - sequence) % modulus


def _nearest(value: int, reference: int, modulus: int) -> int:
    """Return the number nearest to ``reference`` that equals ``value`` modulo ``modulus``."""
    return reference + (value - reference + modulus // 2) % modulus - modulus // 2
