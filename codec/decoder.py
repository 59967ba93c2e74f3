"""Packets -> face states."""

from dataclasses import replace

import numpy as np

from codec.encoder import encode_symbols
from codec.entropy import EntropyError, SymbolDecoder
from codec.errors import PacketError
from codec.face_state import FaceState
from codec.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, Packet, short_id
from codec.quantiser import state_from_parameters
from codec.tables import CodecTables

_LARGEST_TURN = np.pi + 0.05
"""Radians: half a turn and its rounding."""
_SLEW = 0.005
"""Seconds by which one packet may move the estimate of the capture clock."""


class FrameDecoder:
    """Turns the packets of one sender, in any order and with any of them missing, into states.

    Timestamps are unwrapped to the time nearest to where the capture clock must be by now: the first to the one nearest
    to ``now`` itself. On one machine, where both sides read the same clock, they are thus the capture times themselves;
    between machines they differ from them by a constant.
    """

    def __init__(self, tables: CodecTables, avatar_id: bytes) -> None:
        self._tables = tables
        self._avatar_id = short_id(avatar_id)
        self._clock_offset: float | None = None
        self._newest_sequence: int | None = None
        self._held: FaceState | None = None
        self.sequence = 0
        """Sequence number of the packet decoded last, unwrapped: it does not start again from 0."""

    def decode(self, data: bytes, now: float) -> FaceState:
        """Return the state in one packet that arrived at ``now`` (seconds of this side's clock).

        Of a packet without a face, expression, pose and torso are those of the newest face before it. Raises nothing
        but :class:`PacketError`, and is then as if the packet had not come.
        """
        packet = Packet.parse(data)
        header = packet.header
        if header.avatar_id != self._avatar_id:
            raise PacketError(
                f"A packet is of avatar {header.avatar_id.hex()} and this side renders {self._avatar_id.hex()}: "
                "both sides need the same avatar file."
            )
        parameters = None
        if header.present:
            symbols = decode_symbols(self._tables, packet.payload)
            parameters = self._tables.quantiser.dequantise(np.array(symbols, np.int64))
            if np.linalg.norm(parameters[:3]) > _LARGEST_TURN:
                raise PacketError("A packet turns the head by more than half a turn: no encoder makes that.")
        timestamp = self._unwrap_timestamp(header.timestamp, now)
        sequence = self._unwrap_sequence(header.sequence)
        newest = self._newest_sequence is None or sequence >= self._newest_sequence
        self.sequence = sequence
        if newest:
            self._newest_sequence = sequence
        if parameters is None:
            held = self._held or self._tables.rest_state(timestamp)
            return replace(held, timestamp=timestamp, present=False)
        state = state_from_parameters(parameters, timestamp, present=True)
        if newest:
            self._held = state
        return state

    def _unwrap_sequence(self, sequence: int) -> int:
        if self._newest_sequence is None:
            return sequence
        return _nearest(sequence, self._newest_sequence, SEQUENCE_MODULUS)

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
    """Return the symbols (12 + E,) of a payload; :class:`PacketError` unless it is exactly what the encoder makes."""
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


def _nearest(value: int, reference: int, modulus: int) -> int:
    """Return the number nearest to ``reference`` that equals ``value`` modulo ``modulus``."""
    return reference + (value - reference + modulus // 2) % modulus - modulus // 2
