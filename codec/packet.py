"""The packet: one frame of a face on the wire.

Layout, all integers big-endian::

    0  u8       version (upper 4 bits), flags (lower 4 bits: 1 = a face is present; the others are zero)
    1  2 bytes  first bytes of the avatar's digest
    3  u16      sequence number, of frames sent
    5  u16      timestamp, milliseconds of the capture clock
    7  u16      CRC-16 (polynomial 0x1021, initial value 0xFFFF) of all other bytes in their order
    9  ...      payload: the range coder's bytes, without the zeros that the decoder supplies

Every wrong packet that differs from a right one in up to three bits is detected for certain, any other with a
probability of 1 - 2**-16.
"""

import binascii
import struct
from dataclasses import dataclass, field
from typing import Self

from codec.avatar_file import SHORT_ID_SIZE
from codec.errors import PacketError

VERSION = 2
HEADER_SIZE = 9
MAX_PACKET_SIZE = 1200
"""Bytes; a packet of the largest expression with every number escaped is smaller."""

SEQUENCE_MODULUS = 1 << 16
TIMESTAMP_MODULUS = 1 << 16
"""Milliseconds after which the timestamp starts again from 0."""

_PRESENT = 1
_HEADER = struct.Struct(">B2sHHH")


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What is known of a frame without the tables."""

    avatar_id: bytes
    """(2 bytes) of the digest of the avatar that the payload was coded for."""
    sequence: int
    """0..65535, one more (modulo 65536) with each frame sent."""
    timestamp: int
    """0..65535, milliseconds of the capture clock modulo 65536."""
    present: bool = True
    """Whether a face was seen; without one there is no payload."""

    def __str__(self) -> str:
        return f"frame {self.sequence} at {self.timestamp} ms of {self.avatar_id.hex()}" + " absent" * (
            not self.present
        )


@dataclass(frozen=True, slots=True)
class Packet:
    """A frame as it is sent; ``bytes(packet)`` goes on the wire and ``parse`` is its inverse."""

    header: FrameHeader
    payload: bytes = field(repr=False)
    """The coded symbols."""

    def __len__(self) -> int:
        return HEADER_SIZE + len(self.payload)

    def __str__(self) -> str:
        return f"{self.header}, {len(self)} bytes"

    def __bytes__(self) -> bytes:
        return self._pack(self._checksum()) + self.payload

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the packet in ``data``; :class:`PacketError` for anything but an intact one of this version."""
        check_size(data, HEADER_SIZE)
        first, avatar_id, sequence, timestamp, checksum = _HEADER.unpack_from(data)
        packet = cls(FrameHeader(avatar_id, sequence, timestamp, bool(first & _PRESENT)), bytes(data[HEADER_SIZE:]))
        version, flags = first >> 4, first & 0xF
        # Version first: of another version's packets nothing else is known, not even where the checksum is.
        if version != VERSION:
            raise PacketError(
                f"A packet has version {version} and this program speaks {VERSION}: update the older side."
            )
        if flags & ~_PRESENT or checksum != packet._checksum():
            raise PacketError("A packet is damaged: its checksum is wrong.")
        if not packet.header.present and packet.payload:
            raise PacketError("A packet without a face has a payload: its sender is broken.")
        return packet

    def _pack(self, checksum: int) -> bytes:
        header = self.header
        first = VERSION << 4 | (_PRESENT if header.present else 0)
        return _HEADER.pack(first, header.avatar_id, header.sequence, header.timestamp, checksum)

    def _checksum(self) -> int:
        return binascii.crc_hqx(self._pack(0)[: HEADER_SIZE - 2] + self.payload, 0xFFFF)


def check_size(data: bytes, header_size: int) -> None:
    """Raise :class:`PacketError` where ``data`` is too short for a header of so many bytes, or too long."""
    if len(data) < header_size:
        raise PacketError(f"A packet of {len(data)} bytes is cut off: its header has {header_size}.")
    if len(data) > MAX_PACKET_SIZE:
        raise PacketError(f"A packet of {len(data)} bytes is none of a face: they have at most {MAX_PACKET_SIZE}.")


def short_id(avatar_id: bytes) -> bytes:
    """Return the bytes of an avatar's digest (or of its short identity) that packets carry."""
    if len(avatar_id) < SHORT_ID_SIZE:
        raise PacketError(f"An avatar's identity has at least {SHORT_ID_SIZE} bytes, not {len(avatar_id)}.")
    return avatar_id[:SHORT_ID_SIZE]
