"""The short packet: one predicted frame, or several in a row, behind two bytes and less than a bit.

The first 16 bits, most significant first, and the payload::

    1 bit    1
    5 bits   sequence number of the first frame modulo 32
    2 bits   how many frames its reference lies back: 0 to 2 for 2 to 4; 3: the payload tells
    8 bits   checksum: the lower bits of a CRC-16 as in codec.packet, of what both sides know and of all other bits
    ...      the range coder's bytes, without the zeros that the decoder supplies:
                 gap     1, 5 to 16: where it is not said above
                 manner  how the reference is used, see `MANNERS`; where the operating point is another than the
                         reference's, then the point
                 more    0 to 3: frames after the first; they are of the same point
                 the symbols of the first frame, see `codec.predicted_frame`
                 of each further frame how it is predicted from the one before it, and its symbols

Both sides agree beforehand that predicted frames go in such packets: the first byte is as that of the packets of
`codec.predicted_packet`. As with those, the checksum is over what is not sent as well. That a packet on whose
references the two sides differ is taken for right has a probability of 2**-8 at most: mostly it is less, as the bytes
must be the shortest for what they say. The next packet would show it as well.
"""

import binascii
import struct
from dataclasses import dataclass, field, replace
from typing import Final, Self

from codec.choice import SHARES, Choice
from codec.entropy import EntropyError, SymbolDecoder, SymbolEncoder
from codec.errors import PacketError
from codec.frame_record import GAPS, FrameRecord
from codec.operating_point import OPERATING_POINTS, THRIFTY
from codec.packet import SEQUENCE_MODULUS, check_size
from codec.predicted_frame import FrameSymbols
from codec.predicted_packet import HELD, is_predicted

HEADER_SIZE: Final = 2
CHECKSUM_BITS: Final = 8
FIRST_MODULUS: Final = 32
"""Of the number of the first frame."""
MOST_FRAMES: Final = 4
"""Of a packet."""

MANNERS: Final = ((1, False), (0, False), (HELD, False), (1, True), (0, True))
"""Order (0: from the reference alone; 1: from the frame before it as well; 2: nothing has changed since it) and whether
the point is another than that of the reference."""
ORDERS: Final = (0, 1, HELD)
"""Of a further frame."""

_USUAL_GAPS: Final = (2, 3, 4)
"""Most ways take 50 to 150 ms there and back, and SCTP acknowledges two messages at once."""
_OTHER_GAPS: Final = (1, *range(5, GAPS + 1))
_OTHER_GAP = Choice(80, 50, 34, 24, 18, 13, 10, 8, 6, 5, 4, 3, 1)
_MANNER = Choice(226, 8, 16, 4, 2)
_POINT = Choice(*[SHARES // len(OPERATING_POINTS) + (index == 0) for index in range(len(OPERATING_POINTS))])
_MORE = tuple(Choice(12, 228, 8, 8) if point is THRIFTY else Choice(240, 10, 3, 3) for point in OPERATING_POINTS)
"""At each operating point: messages of the thriftiest have two frames."""
_ORDER = (Choice(120, 120, 16), Choice(4, 236, 16))
"""Of the second frame of a packet, and of those after it: what lies before its reference may not have come yet."""


def first_sequence(data: bytes) -> int:
    """Return the sequence number modulo 32 of the first frame of a short packet, which is not empty."""
    return data[0] >> 2 & FIRST_MODULUS - 1


@dataclass(frozen=True, slots=True)
class ShortHead:
    """What the payload has before the first frame's symbols."""

    gap: int
    """1..16: how many frames the first frame's reference lies back."""
    order: int
    """How it is used: 0, 1 or 2, see `MANNERS`."""
    point: int | None = None
    """Index of the operating point where it is another than that of the reference, else None."""

    def write(self, coder: SymbolEncoder) -> None:
        """Append it to what ``coder`` has, but for a gap that is said before."""
        if self.gap not in _USUAL_GAPS:
            _OTHER_GAP.put(coder, _OTHER_GAPS.index(self.gap))
        _MANNER.put(coder, self._manner)
        if self.point is not None:
            _POINT.put(coder, self.point)

    @classmethod
    def read(cls, coder: SymbolDecoder, gap: int | None) -> Self:
        """Return what ``coder`` has next, the gap as it was said before if it was.

        :class:`PacketError` for data that no encoder makes.
        """
        if gap is None:
            gap = _OTHER_GAPS[_get(coder, _OTHER_GAP)]
        order, named = MANNERS[_get(coder, _MANNER)]
        return cls(gap, order, _get(coder, _POINT) if named else None)

    @property
    def cost(self) -> float:
        """Ideal code length in bits."""
        gap = 0.0 if self.gap in _USUAL_GAPS else _OTHER_GAP.cost(_OTHER_GAPS.index(self.gap))
        point = 0.0 if self.point is None else _POINT.cost(self.point)
        return gap + _MANNER.cost(self._manner) + point

    @property
    def _manner(self) -> int:
        return MANNERS.index((self.order, self.point is not None))


@dataclass(frozen=True, slots=True)
class ShortFrame:
    """A frame of a short packet."""

    order: int
    """0, 1 or 2, see `MANNERS`."""
    symbols: FrameSymbols
    checks: bytes = field(repr=False)
    """Of the frames that it is predicted from."""

    @classmethod
    def of(cls, order: int, symbols: FrameSymbols, newest: FrameRecord, before: FrameRecord | None) -> Self:
        """Return the frame that is predicted from its reference ``newest``, and from the frame before that."""
        return cls(order, symbols, struct.pack(">HH", newest.check, 0 if before is None else before.check))


@dataclass(frozen=True, slots=True)
class ShortPacket:
    """Frames as they are sent; ``bytes(packet)`` goes on the wire."""

    context: bytes = field(repr=False)
    """What both sides know, such as which avatar it is."""
    sequence: int
    """Unwrapped number of the first frame; its lower 16 bits count."""
    gap: int
    """1..16: how many frames the first frame's reference lies back."""
    point: int
    """Index of the operating point of all frames."""
    named: bool
    """Whether the reference has another point."""
    frames: tuple[ShortFrame, ...] = field(repr=False)
    """1 to 4, the oldest first."""

    def __len__(self) -> int:
        return len(bytes(self))

    def __str__(self) -> str:
        name = OPERATING_POINTS[self.point].name
        return f"{len(self.frames)} from frame {self.sequence} on, from {self.gap} before, {name}"

    def __bytes__(self) -> bytes:
        payload = self.payload
        return bytes([self._first_byte, self.checksum(payload)]) + payload

    @property
    def head(self) -> ShortHead:
        """What the payload begins with."""
        return ShortHead(self.gap, self.frames[0].order, self.point if self.named else None)

    @property
    def payload(self) -> bytes:
        """The range coder's bytes."""
        coder = SymbolEncoder()
        self.head.write(coder)
        _MORE[self.point].put(coder, len(self.frames) - 1)
        for index, frame in enumerate(self.frames):
            if index:
                _order_of(index).put(coder, ORDERS.index(frame.order))
            frame.symbols.write(coder)
        return coder.finish()

    def checksum(self, payload: bytes) -> int:
        """Return the checksum of the packet with this payload, 8 bits."""
        known = self.context + struct.pack(">H", self.sequence % SEQUENCE_MODULUS)
        known += b"".join(frame.checks for frame in self.frames)
        return binascii.crc_hqx(known + bytes([self._first_byte]) + payload, 0xFFFF) & 0xFF

    @property
    def _first_byte(self) -> int:
        said = _USUAL_GAPS.index(self.gap) if self.gap in _USUAL_GAPS else len(_USUAL_GAPS)
        return 0x80 | self.sequence % FIRST_MODULUS << 2 | said

    @property
    def head_cost(self) -> float:
        """Ideal code length, in bits, of what the payload has besides the frames' symbols."""
        orders = [_order_of(index).cost(ORDERS.index(frame.order)) for index, frame in enumerate(self.frames) if index]
        return self.head.cost + _MORE[self.point].cost(len(self.frames) - 1) + sum(orders)

    def joined(self, following: "ShortPacket") -> "ShortPacket | None":
        """Return the packet of these frames and those of ``following``; None where they cannot be of one packet."""
        fits = (
            following.sequence == self.sequence + len(self.frames)
            and following.gap == 1
            and following.point == self.point
            and len(self.frames) + len(following.frames) <= MOST_FRAMES
        )
        return replace(self, frames=self.frames + following.frames) if fits else None


@dataclass(frozen=True, slots=True)
class ShortFront:
    """What is known of a short packet without tables."""

    sequence: int
    """0..31: of the first frame, modulo 32."""
    gap: int | None
    """2..4: how many frames its reference lies back; None: the payload tells."""
    checksum: int
    """0..255."""
    payload: bytes = field(repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the front of the packet in ``data``; :class:`PacketError` for what cannot be one."""
        check_size(data, HEADER_SIZE)
        if not is_predicted(data):
            raise PacketError("A packet is damaged: its first byte is that of none.")
        said = data[0] & 3
        gap = _USUAL_GAPS[said] if said < len(_USUAL_GAPS) else None
        return cls(first_sequence(data), gap, data[1], bytes(data[HEADER_SIZE:]))


def read_more(coder: SymbolDecoder, point: int) -> int:
    """Return how many frames follow the first (0..3); :class:`PacketError` for data that no encoder makes."""
    return _get(coder, _MORE[point])


def read_order(coder: SymbolDecoder, index: int) -> int:
    """Return the order of frame ``index`` (1..3) of a packet; :class:`PacketError` as above."""
    return ORDERS[_get(coder, _order_of(index))]


def _order_of(index: int) -> Choice:
    return _ORDER[min(index, len(_ORDER)) - 1]


def _get(coder: SymbolDecoder, choice: Choice) -> int:
    try:
        return choice.get(coder)
    except EntropyError:
        raise PacketError("A packet is damaged: no encoder makes its payload.") from None
