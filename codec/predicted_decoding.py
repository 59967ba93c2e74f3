"""Predicted packets -> frames, by what both sides have; nothing is kept here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codec.entropy import SymbolDecoder
from codec.errors import PacketError
from codec.frame_record import FrameHistory, FrameRecord
from codec.parameters import check_turn
from codec.predicted_frame import FrameSymbols, decode_frame, decode_held
from codec.predicted_packet import HELD, PredictedPacket, checksum
from codec.prediction import PredictionTables
from codec.short_packet import ShortFrame, ShortFront, ShortHead, ShortPacket, read_more, read_order


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """A predicted frame."""

    record: FrameRecord
    gap: int
    """Frames since its reference."""
    predicted: NDArray[np.int64]
    """(D,) its numbers as they were predicted in time."""

    def shown(self, tables: PredictionTables, previous: FrameRecord | None) -> NDArray[np.float64]:
        """Return the parameters (D,) to show of it, after the frame ``previous`` if that is known."""
        record = self.record
        values = None if previous is None else previous.values
        return tables.parameters(tables.shown(record.point, self.gap, record.values, self.predicted, values))


@dataclass(frozen=True, slots=True)
class PredictedDecoder:
    """Decodes packets by what this side has; all methods raise :class:`PacketError` for what no encoder makes of it."""

    tables: PredictionTables
    context: bytes
    """What both sides know, see `codec.prediction.context_of`."""
    history: FrameHistory

    def decode_long(self, packet: PredictedPacket, sequence: int) -> DecodedFrame:
        """Return the frame of a packet with a long header; ``sequence`` is its unwrapped number."""
        header = packet.header
        newest, before = self._references(sequence, header.gap, header.order)
        if checksum(self.context, sequence, header, packet.payload, newest, before) != packet.checksum:
            raise _differing()
        point = newest.point if header.point is None else header.point
        frame, symbols = self._frame(SymbolDecoder(packet.payload), point, sequence, newest, before, header.order)
        if symbols.payload != packet.payload:
            raise not_shortest()
        return frame

    def decode_short(self, front: ShortFront, first: int) -> list[DecodedFrame]:
        """Return the frames of a short packet; ``first`` is the unwrapped number of its first."""
        coder = SymbolDecoder(front.payload)
        head = ShortHead.read(coder, front.gap)
        newest, before = self._references(first, head.gap, head.order)
        point, order = newest.point if head.point is None else head.point, head.order
        decoded: list[DecodedFrame] = []
        frames: list[ShortFrame] = []
        for index in range(1 + read_more(coder, point)):
            if index:
                order = read_order(coder, index)
                newest, before = decoded[-1].record, self._before(first, decoded) if order == 1 else None
            frame, symbols = self._frame(coder, point, first + index, newest, before, order)
            decoded.append(frame)
            frames.append(ShortFrame.of(order, symbols, newest, before))
        packet = ShortPacket(self.context, first, head.gap, point, head.point is not None, tuple(frames))
        if packet.checksum(front.payload) != front.checksum:
            raise _differing()
        if packet.payload != front.payload:
            raise not_shortest()
        return decoded

    def _references(self, sequence: int, gap: int, order: int) -> tuple[FrameRecord, FrameRecord | None]:
        """Return what a frame is predicted from: its reference, and the frame before that where it is used."""
        return self._found(sequence - gap), self._found(sequence - gap - 1) if order == 1 else None

    def _before(self, first: int, decoded: Sequence[DecodedFrame]) -> FrameRecord:
        """Return the frame before the last of those decoded of a packet, whose first has the number ``first``."""
        return decoded[-2].record if len(decoded) > 1 else self._found(first - 1)

    def _found(self, sequence: int) -> FrameRecord:
        record = self.history.find(sequence)
        if record is None:
            raise not_come()
        return record

    def _frame(
        self,
        coder: SymbolDecoder,
        point: int,
        sequence: int,
        newest: FrameRecord,
        before: FrameRecord | None,
        order: int,
    ) -> tuple[DecodedFrame, FrameSymbols]:
        """Return the frame that ``coder`` has next, and its symbols."""
        if order == HELD:
            symbols, record = decode_held(coder, sequence, newest)
            predicted = newest.values
        else:
            symbols, record, predicted = decode_frame(coder, self.tables, point, sequence, newest, before)
        check_turn(self.tables.parameters(record.values))
        return DecodedFrame(record, sequence - newest.sequence, predicted), symbols


def not_come() -> PacketError:
    """Return what is raised where a reference is missing."""
    return PacketError("A packet is predicted from a frame that has not come.")


def _differing() -> PacketError:
    return PacketError("A packet is damaged, or the two sides differ in what went before: wrong checksum.")


def not_shortest() -> PacketError:
    """Return what is raised where an encoder would have written other bytes."""
    return PacketError("A packet is damaged: its payload is not the shortest for what it says.")
