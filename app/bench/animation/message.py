"""What a frame of the animation codec puts into a message, under a header as long as the avatar codec's.

Layout, all integers big-endian::

    0  u8       version (upper 4 bits), flags (lower 4 bits: 1 = a reference is sent, 2 = another one is to be used,
                4 = the reference that is sent is shown as it is)
    1  2 bytes  first bytes of the network file's digest
    3  u16      sequence number
    5  u16      timestamp, milliseconds
    7  u16      CRC-16 (polynomial 0x1021, initial value 0xFFFF) of all other bytes in their order
    9  u8       with flag 2: the reference, by its place in the buffer
       u16      with flag 1: bytes of the key points
       ...      key points, as the range coder made them
       ...      with flag 1: the reference, an HEVC intra frame
"""

import binascii
import struct
from dataclasses import dataclass, field

HEADER_SIZE = 9
VERSION = 1

_HEADER = struct.Struct(">B2sHHH")
_LENGTH = struct.Struct(">H")
_SENDS, _SWITCHES, _SHOWS = 1, 2, 4


class MessageError(ValueError):
    """Bytes that are no message of an animation codec."""


@dataclass(frozen=True, slots=True)
class Message:
    """One frame."""

    network: bytes
    """(2 bytes) of the network file's digest."""
    sequence: int
    """0..65535."""
    timestamp: int
    """0..65535."""
    key_points: bytes = field(repr=False)
    """The coded key points."""
    reference: bytes = field(default=b"", repr=False)
    """The coded reference that comes with the frame, or nothing."""
    use: int | None = None
    """Place in the buffer, 0..255, of the reference that counts from now on; None where it stays or is sent."""
    shown: bool = False
    """Whether the reference that is sent is the frame's picture, without the generator."""

    def __bytes__(self) -> bytes:
        flags = (_SENDS if self.reference else 0) | (_SWITCHES if self.use is not None else 0)
        flags |= _SHOWS if self.shown else 0
        parts = [b"" if self.use is None else bytes([self.use])]
        parts += [_LENGTH.pack(len(self.key_points))] if self.reference else []
        payload = b"".join([*parts, self.key_points, self.reference])
        fields = (VERSION << 4 | flags, self.network, self.sequence % 65536, self.timestamp % 65536)
        return _HEADER.pack(*fields, _checksum(_HEADER.pack(*fields, 0), payload)) + payload

    @classmethod
    def parse(cls, data: bytes) -> "Message":
        """Return the message in ``data``; :class:`MessageError` for anything but an intact one."""
        if len(data) < HEADER_SIZE:
            raise MessageError(f"A message of {len(data)} bytes is cut off: its header has {HEADER_SIZE}.")
        first, network, sequence, timestamp, checksum = _HEADER.unpack_from(data)
        payload = bytes(data[HEADER_SIZE:])
        flags = first & 15
        if checksum != _checksum(data[:HEADER_SIZE], payload):
            raise MessageError("A message is damaged: its checksum is wrong.")
        if first >> 4 != VERSION or flags & ~(_SENDS | _SWITCHES | _SHOWS):
            raise MessageError(f"A message begins with the byte {first}, which this version does not know.")
        use = None
        if flags & _SWITCHES:
            use, payload = _first(payload, 1)[0], payload[1:]
        if not flags & _SENDS:
            return cls(network, sequence, timestamp, payload, b"", use, bool(flags & _SHOWS))
        (length,) = _LENGTH.unpack(_first(payload, 2))
        if len(payload) <= 2 + length:
            raise MessageError("A message has no reference where one is announced.")
        points, reference = payload[2 : 2 + length], payload[2 + length :]
        return cls(network, sequence, timestamp, points, reference, use, bool(flags & _SHOWS))


def _first(data: bytes, count: int) -> bytes:
    if len(data) < count:
        raise MessageError("A message is cut off.")
    return data[:count]


def _checksum(header: bytes, payload: bytes) -> int:
    return binascii.crc_hqx(header[: HEADER_SIZE - 2] + payload, 0xFFFF)
