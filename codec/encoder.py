"""Face states -> packets: quantise, predict, entropy-code.

Without an acknowledgement each packet decodes alone. With prediction tables, frames are predicted from the newest one
that the receiver has acknowledged, which it names: whatever is lost, what arrives can be decoded.

A rounding that is off by the same amount from frame to frame is not seen, one that changes is seen as trembling. The
receiver's filter (:mod:`codec.post_filter`) stills most of that. Where it has none, and for frames coded alone, a part
of each rounding error is carried on to the next frame: what is coded is the face plus that part. So a parameter that
hardly moves keeps its symbol, as with hysteresis, and one that moves trembles less; the error itself grows by
1 / sqrt(1 - CARRIED^2), which the filter could not take back.
"""

from collections.abc import Collection, Iterable, Sequence
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from codec.entropy import SymbolEncoder
from codec.errors import FaceStateError
from codec.face_state import FaceState
from codec.frame_record import GAPS, FrameHistory, FrameRecord
from codec.operating_point import NORMAL, OPERATING_POINTS
from codec.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, FrameHeader, Packet, short_id
from codec.parameters import state_parameters
from codec.predicted_frame import alone_record, encode_frame, encode_held, unchanged
from codec.predicted_packet import HELD, PredictedHeader, PredictedPacket, checksum
from codec.prediction import PredictionTables, context_of
from codec.quantiser import STEP_SCALE
from codec.short_packet import ShortFrame, ShortPacket
from codec.tables import CodecTables

FacePacket = Packet | PredictedPacket | ShortPacket
"""A frame as it is sent; ``bytes(packet)`` goes on the wire."""

CARRIED = 0.45
"""Part of the rounding error that is carried on: frame-to-frame changes of the error lose 1.6 dB, the error gains 1.0.
At 0.6 (2 dB each) pictures flicker by up to 3 % less, and rounding costs up to 1.7 times as much PSNR; at 0.3 a still
face trembles more."""


class FrameEncoder:
    """Turns the states of one capture into packets.

    ``avatar_id`` is the digest of the avatar or its first bytes. ``sequence`` is the number of the first packet.
    Without ``prediction``, and as long as nothing is acknowledged, each packet decodes alone. ``carried`` (0 to 1) is
    the part of a rounding error that is carried on where the receiver has no filter. ``short``: predicted frames go in
    short packets (:mod:`codec.short_packet`). ``paths`` is how many paths rounding follows (:mod:`codec.path_search`).
    The states hold embedded expressions.
    """

    def __init__(
        self,
        tables: CodecTables,
        avatar_id: bytes,
        *,
        sequence: int = 0,
        prediction: PredictionTables | None = None,
        carried: float = CARRIED,
        short: bool = False,
        paths: int = 1,
    ) -> None:
        self._tables = tables
        self._carried = carried
        self._paths = paths
        self._avatar_id = short_id(avatar_id)
        self._sequence = sequence % SEQUENCE_MODULUS
        self._prediction = prediction
        self._context = b"" if prediction is None else context_of(avatar_id, prediction)
        self._sent = FrameHistory()
        self._acknowledged: set[int] = set()
        self._first_usable = self._sequence
        self.predicts = True
        """Whether frames may be predicted, where there are tables for that; the receiver must have them as well."""
        self.short = short
        """Whether predicted frames go in short packets; the receiver must know those."""
        self._error: NDArray[np.float64] | None = None
        self._most = tables.quantiser.steps / STEP_SCALE
        self.point = NORMAL
        """The operating point of what comes next; of frames coded alone there is one only. How many of the camera's
        frames are sent is up to the sender."""

    def acknowledge(self, sequences: Iterable[int]) -> None:
        """Predict from these frames from now on, by their unwrapped numbers: the receiver has them."""
        oldest = max(self._sequence - GAPS - 1, self._first_usable)
        self._acknowledged.update(number for number in sequences if self._sent.find(number) is not None)
        self._acknowledged = {number for number in self._acknowledged if number >= oldest}

    def forget(self) -> None:
        """Predict from nothing that was encoded so far: the receiver may lack any of it, whatever is acknowledged."""
        self._first_usable = self._sequence
        self._acknowledged.clear()

    def encode(self, state: FaceState, along: Collection[int] = ()) -> FacePacket:
        """Return the packet of ``state``; ``along`` are the frames that travel in the same message before it.

        It may be predicted from them, as whoever gets it has them.

        Any finite state can be coded: what lies beyond the quantiser's bounds is clamped. :class:`FaceStateError` for
        numbers that are not finite and for a wrong shape; the sequence number then stays.
        """
        if not isfinite(state.timestamp):
            raise FaceStateError("The timestamp is not finite: the capture clock is broken.")
        timestamp = round(state.timestamp * 1000) % TIMESTAMP_MODULUS
        packet: FacePacket
        if not state.present:
            self._error = None
            packet = Packet(self._header(timestamp, False), b"")
        else:
            parameters = state_parameters(state, self._tables.layout)
            carried = 0.0 if self._error is None else self._carried * self._error
            usable = self._usable(along)
            newest = self._reference(usable)
            if newest is None or self._prediction is None or not self.predicts:
                packet, coded = self._alone(parameters + carried, timestamp)
            else:
                wanted = parameters + carried if self._prediction.post_filter is None else parameters
                packet, coded = self._predicted(self._prediction, wanted, timestamp, newest, usable)
            # What lies beyond the bounds is no rounding, and is forgotten when it is over.
            self._error = np.clip(coded - parameters, -self._most, self._most)
        self._sequence += 1
        return packet

    @property
    def sequence(self) -> int:
        """Unwrapped number of the next frame."""
        return self._sequence

    def waits_for(self, packet: FacePacket) -> bool:
        """Return whether later frames could be predicted from this one, and as yet are from none."""
        return self.predicts and self._prediction is not None and isinstance(packet, Packet) and packet.header.present

    def record(self, sequence: int) -> FrameRecord | None:
        """Return what is kept of a frame that was sent, by its unwrapped number, if it is."""
        return self._sent.find(sequence)

    def _header(self, timestamp: int, present: bool) -> FrameHeader:
        return FrameHeader(self._avatar_id, self._sequence % SEQUENCE_MODULUS, timestamp, present)

    def _usable(self, along: Collection[int]) -> set[int]:
        """Return the frames that the receiver will have when it decodes the next one."""
        return self._acknowledged.union(number for number in along if number >= self._first_usable)

    def _reference(self, usable: set[int]) -> FrameRecord | None:
        """Return the newest usable frame that is not too old."""
        for number in range(self._sequence - 1, self._sequence - GAPS - 1, -1):
            if number in usable and (record := self._sent.find(number)) is not None:
                return record
        return None

    def _alone(self, parameters: NDArray[np.float64], timestamp: int) -> tuple[Packet, NDArray[np.float64]]:
        """Return the packet of a frame that is coded alone, and the parameters that the receiver will have."""
        symbols = self._tables.quantiser.quantise(parameters)
        if self._prediction is not None:
            values = self._prediction.units_of_symbols(symbols, self._tables.quantiser)
            self._sent.add(alone_record(self._sequence, timestamp, values))
        packet = Packet(self._header(timestamp, True), encode_symbols(self._tables, symbols.tolist()))
        return packet, self._tables.quantiser.dequantise(symbols)

    def _predicted(
        self,
        tables: PredictionTables,
        parameters: NDArray[np.float64],
        timestamp: int,
        newest: FrameRecord,
        usable: set[int],
    ) -> tuple[PredictedPacket | ShortPacket, NDArray[np.float64]]:
        """Return the packet of a frame that is predicted, and the parameters that the receiver will have."""
        number = newest.sequence - 1
        before = self._sent.find(number) if number in usable else None
        order, point = int(before is not None), OPERATING_POINTS.index(self.point)
        target = tables.units(parameters)
        if unchanged(point, target, newest):
            before, order = None, HELD
            symbols, record = encode_held(self._sequence, timestamp, newest)
        else:
            symbols, record = encode_frame(
                tables, point, self._sequence, target, timestamp, newest, before, self._paths
            )
        self._sent.add(record)
        coded = tables.parameters(record.values)
        gap = self._sequence - newest.sequence
        if self.short:
            frame = ShortFrame.of(order, symbols, newest, before)
            named = record.point != newest.point
            return ShortPacket(self._context, self._sequence, gap, record.point, named, (frame,)), coded
        header, payload = PredictedHeader.of(self._sequence, gap, order, point, newest.point), symbols.payload
        check = checksum(self._context, self._sequence, header, payload, newest, before)
        return PredictedPacket(header, check, payload), coded


def encode_symbols(tables: CodecTables, symbols: Sequence[int]) -> bytes:
    """Return the payload of a frame's ``symbols`` (D,), each within its bounds."""
    coder = SymbolEncoder()
    offsets: list[int] = []
    for index, symbol in enumerate(symbols):
        coder.put(tables.residuals[index], symbol - tables.predict(index, offsets))
        offsets.append(symbol - tables.centres[index])
    return coder.finish()
