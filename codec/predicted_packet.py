"""The packet of a frame that is predicted from others: four bytes and what was unforeseen.

Layout, integers big-endian::

    0  u8   128 + 6 (gap - 1) + 3 order + point. gap: how many frames the reference lies back (1 to 16); order: 1 where
            the frame before the reference is used as well; point: the operating point (0 to 2).
            224 + gap - 1: nothing has changed since the reference; the payload tells the time stamp alone
    1  u8   sequence number modulo 256
    2  u16  CRC-16 as in codec.packet, of what both sides know and of all other bytes in their order
    4  ...  payload

The first byte cannot be taken for that of a frame coded alone, whose upper bit is 0. The avatar, the tables, the upper
bits of the sequence number and the references themselves are not sent, as both sides have them, but the checksum is
over them too: of another avatar, of other tables, from a reference on which the sides do not agree, or from another
round of the sequence numbers, a packet is refused with a probability of 1 - 2**-16, as is one damaged anyhow; one that
is damaged in up to three bits behind its first two bytes is refused for certain.
"""

import binascii
import struct
from dataclasses import dataclass, field
from typing import Final, Self

from codec.errors import PacketError
from codec.frame_record import FrameRecord
from codec.operating_point import OPERATING_POINTS
from codec.packet import MAX_PACKET_SIZE, SEQUENCE_MODULUS
from codec.prediction import GAPS

HEADER_SIZE: Final = 4
SHORT_SEQUENCE_MODULUS: Final = 256

_FIRST: Final = 0x80
_ORDERS: Final = 2
HELD: Final = 2
"""The order of a frame in which nothing has changed since the reference; its point is 0."""
_PER_GAP: Final = _ORDERS * len(OPERATING_POINTS)
_FIRST_HELD: Final = _FIRST + GAPS * _PER_GAP
_HEADER = struct.Struct(">BBH")


def is_predicted(data: bytes) -> bool:
    """Return whether a packet's first byte is that of a predicted frame."""
    return bool(data) and data[0] >= _FIRST


@dataclass(frozen=True, slots=True)
class PredictedHeader:
    """What is known of a frame without its reference."""

    sequence: int
    """0..255: the unwrapped number modulo 256."""
    gap: int
    """1..16."""
    order: int
    """0: from the reference alone; 1: from the frame before it as well; 2 (`HELD`): it is the reference."""
    point: int
    """Index in `codec.operating_point.OPERATING_POINTS`."""

    def __str__(self) -> str:
        kind = "held" if self.order == HELD else OPERATING_POINTS[self.point].name
        return f"frame {self.sequence} from {self.gap} before, {kind}"


@dataclass(frozen=True, slots=True)
class PredictedPacket:
    """A frame as it is sent; ``bytes(packet)`` goes on the wire and ``parse`` is its inverse."""

    header: PredictedHeader
    checksum: int
    """See :func:`checksum`."""
    payload: bytes = field(repr=False)

    def __len__(self) -> int:
        return HEADER_SIZE + len(self.payload)

    def __str__(self) -> str:
        return f"{self.header}, {len(self)} bytes"

    def __bytes__(self) -> bytes:
        return _HEADER.pack(first_byte(self.header), self.header.sequence, self.checksum) + self.payload

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the packet in ``data``, its checksum not looked at; :class:`PacketError` for anything malformed."""
        if len(data) < HEADER_SIZE:
            raise PacketError(f"A packet of {len(data)} bytes is cut off: its header has {HEADER_SIZE}.")
        if len(data) > MAX_PACKET_SIZE:
            raise PacketError(f"A packet of {len(data)} bytes is none of a face: they have at most {MAX_PACKET_SIZE}.")
        first, sequence, checksum = _HEADER.unpack_from(data)
        if not _FIRST <= first < _FIRST_HELD + GAPS:
            raise PacketError("A packet is damaged: its first byte is that of none.")
        if first >= _FIRST_HELD:
            gap, order, point = first - _FIRST_HELD, HELD, 0
        else:
            gap, rest = divmod(first - _FIRST, _PER_GAP)
            order, point = divmod(rest, len(OPERATING_POINTS))
        return cls(PredictedHeader(sequence, gap + 1, order, point), checksum, bytes(data[HEADER_SIZE:]))


def first_byte(header: PredictedHeader) -> int:
    """Return the byte that says gap, order and point."""
    if header.order == HELD:
        return _FIRST_HELD + header.gap - 1
    return _FIRST + _PER_GAP * (header.gap - 1) + len(OPERATING_POINTS) * header.order + header.point


def checksum(
    context: bytes,
    sequence: int,
    header: PredictedHeader,
    payload: bytes,
    newest: FrameRecord,
    before: FrameRecord | None,
) -> int:
    """Return the CRC-16 of a packet.

    Args:
        context: what else both sides know, such as which avatar it is.
        sequence: unwrapped; its lower 16 bits count.
        header: of the packet.
        payload: of the packet.
        newest: the reference.
        before: the frame before it, where that is used.
    """
    known = struct.pack(">HHH", newest.check, before.check if before is not None else 0, sequence % SEQUENCE_MODULUS)
    return binascii.crc_hqx(context + known + bytes((first_byte(header), header.sequence)) + payload, 0xFFFF)
