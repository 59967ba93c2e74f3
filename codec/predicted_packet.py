"""The packet of a frame that is predicted from others, with a long header: three bytes and what was unforeseen.

It goes to peers that do not know short ones (:mod:`codec.short_packet`).

The first 24 bits, most significant first::

    1 bit    1
    5 bits   kind: how many frames the reference lies back, and how it is used
                 0..11   gap 1 to 12, from the reference and the frame before it
                12..23   gap 1 to 12, from the reference alone
                24..30   gap 1 to 7: nothing has changed since the reference; the payload tells the time stamp alone
                31       any other: a fourth byte says it, 6 (gap - 1) + 3 order + point, or 96 + gap - 1
    6 bits   sequence number modulo 64
    12 bits  checksum: the lower bits of a CRC-16 as in codec.packet, of what both sides know and of all other bits
    ...      payload

In kinds 0 to 23 the operating point is that of the reference; a frame of another point needs the fourth byte.

The first byte cannot be taken for that of a frame coded alone, whose upper bit is 0. The avatar, the tables, the upper
bits of the sequence number and the references themselves are not sent, as both sides have them, but the checksum is
over them too: of another avatar, of other tables, from a reference on which the sides do not agree, or from another
round of the sequence numbers, a packet is refused with a probability of 1 - 2**-12, as is one damaged anyhow. The
connection beneath it, DTLS, lets nothing through that is damaged, old or doubled; the checksum is there to find out
that the two sides differ, which the next packet would show as well.
"""

import binascii
import struct
from dataclasses import dataclass, field
from typing import Final, Self

from codec.errors import PacketError
from codec.frame_record import GAPS, FrameRecord
from codec.operating_point import OPERATING_POINTS
from codec.packet import SEQUENCE_MODULUS, check_size

HEADER_SIZE: Final = 3
SHORT_SEQUENCE_MODULUS: Final = 64
CHECKSUM_BITS: Final = 12

_FIRST: Final = 0x80
_ORDERS: Final = 2
HELD: Final = 2
"""The order of a frame in which nothing has changed since the reference; its point is 0."""
_USUAL_GAPS: Final = 12
_HELD_GAPS: Final = 7
_ANY: Final = 31
_PER_GAP: Final = _ORDERS * len(OPERATING_POINTS)
_FIRST_HELD: Final = GAPS * _PER_GAP


def is_predicted(data: bytes) -> bool:
    """Return whether a packet's first byte is that of a predicted frame."""
    return bool(data) and data[0] >= _FIRST


def short_sequence(data: bytes) -> int:
    """Return the sequence number modulo 64 of a predicted packet of at least two bytes."""
    return (data[0] << 8 | data[1]) >> 4 & SHORT_SEQUENCE_MODULUS - 1


@dataclass(frozen=True, slots=True)
class PredictedHeader:
    """What is known of a frame without its reference."""

    sequence: int
    """0..63: the unwrapped number modulo 64."""
    gap: int
    """1..16."""
    order: int
    """0: from the reference alone; 1: from the frame before it as well; 2 (`HELD`): it is the reference."""
    point: int | None
    """Index in `codec.operating_point.OPERATING_POINTS`; None: that of the reference, as far as it goes."""

    def __str__(self) -> str:
        kind = (
            "held" if self.order == HELD else "as before" if self.point is None else OPERATING_POINTS[self.point].name
        )
        return f"frame {self.sequence} from {self.gap} before, {kind}"

    @classmethod
    def of(cls, sequence: int, gap: int, order: int, point: int, reference_point: int) -> Self:
        """Return the shortest header that says this; ``sequence`` is unwrapped."""
        usual = order == HELD or (point == reference_point and gap <= _USUAL_GAPS)
        return cls(sequence % SHORT_SEQUENCE_MODULUS, gap, order, None if usual else point)

    @property
    def kind(self) -> int:
        """0..31, see the module."""
        if self.order == HELD:
            return 2 * _USUAL_GAPS + self.gap - 1 if self.gap <= _HELD_GAPS else _ANY
        if self.point is not None:
            return _ANY
        return self.gap - 1 + (_USUAL_GAPS if self.order == 0 else 0)

    @property
    def detail(self) -> bytes:
        """The fourth byte, where there is one."""
        if self.kind != _ANY:
            return b""
        if self.order == HELD:
            return bytes([_FIRST_HELD + self.gap - 1])
        assert self.point is not None
        return bytes([_PER_GAP * (self.gap - 1) + len(OPERATING_POINTS) * self.order + self.point])

    @classmethod
    def parse(cls, kind: int, sequence: int, rest: bytes) -> Self:
        """Return the header of a kind; ``rest`` is what follows the first three bytes."""
        if kind != _ANY:
            if kind >= 2 * _USUAL_GAPS:
                return cls(sequence, kind - 2 * _USUAL_GAPS + 1, HELD, None)
            return cls(sequence, kind % _USUAL_GAPS + 1, int(kind < _USUAL_GAPS), None)
        if not rest:
            raise PacketError("A packet is cut off: the fourth byte of its header is missing.")
        detail = rest[0]
        if _FIRST_HELD + _HELD_GAPS <= detail < _FIRST_HELD + GAPS:
            return cls(sequence, detail - _FIRST_HELD + 1, HELD, None)
        if detail >= _FIRST_HELD:
            raise PacketError("A packet is damaged: the fourth byte of its header is that of none.")
        gap, order_and_point = divmod(detail, _PER_GAP)
        order, point = divmod(order_and_point, len(OPERATING_POINTS))
        return cls(sequence, gap + 1, order, point)


@dataclass(frozen=True, slots=True)
class PredictedPacket:
    """A frame as it is sent; ``bytes(packet)`` goes on the wire and ``parse`` is its inverse."""

    header: PredictedHeader
    checksum: int
    """See :func:`checksum`."""
    payload: bytes = field(repr=False)

    def __len__(self) -> int:
        return HEADER_SIZE + len(self.header.detail) + len(self.payload)

    def __str__(self) -> str:
        return f"{self.header}, {len(self)} bytes"

    def __bytes__(self) -> bytes:
        return _first_bytes(self.header, self.checksum) + self.header.detail + self.payload

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the packet in ``data``, its checksum not looked at; :class:`PacketError` for anything malformed."""
        check_size(data, HEADER_SIZE)
        if not is_predicted(data):
            raise PacketError("A packet is damaged: its first byte is that of none.")
        bits = int.from_bytes(data[:HEADER_SIZE], "big")
        header = PredictedHeader.parse(bits >> 18 & 31, short_sequence(data), data[HEADER_SIZE : HEADER_SIZE + 1])
        start = HEADER_SIZE + len(header.detail)
        return cls(header, bits & (1 << CHECKSUM_BITS) - 1, bytes(data[start:]))


def _first_bytes(header: PredictedHeader, check: int) -> bytes:
    return (1 << 23 | header.kind << 18 | header.sequence << CHECKSUM_BITS | check).to_bytes(HEADER_SIZE, "big")


def checksum(
    context: bytes,
    sequence: int,
    header: PredictedHeader,
    payload: bytes,
    newest: FrameRecord,
    before: FrameRecord | None,
) -> int:
    """Return the checksum of a packet, 12 bits.

    Args:
        context: what else both sides know, such as which avatar it is.
        sequence: unwrapped; its lower 16 bits count.
        header: of the packet.
        payload: of the packet.
        newest: the reference.
        before: the frame before it, where that is used.
    """
    known = struct.pack(">HHH", newest.check, before.check if before is not None else 0, sequence % SEQUENCE_MODULUS)
    said = _first_bytes(header, 0) + header.detail + payload
    return binascii.crc_hqx(context + known + said, 0xFFFF) & (1 << CHECKSUM_BITS) - 1
