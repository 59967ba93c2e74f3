"""From an encoder's packets to what a call would send of them, and back.

A file format marks where units begin and how long they are; a call's messages have a beginning and a length anyway.
So that no rival pays for what it would not send, a frame's payload is what its RTP payload format carries: one NAL unit
without start code (RFC 6184, RFC 7798, RFC 9328), one OBU without size field and no temporal delimiter (AOMedia, "RTP
Payload Format For AV1"). Where a frame has several units, as the first with its parameter sets, they stay as
they are: the start codes of three to four bytes stand for the two bytes of length that RTP puts before each.
"""

from typing import Protocol

START_CODE = b"\0\0\0\1"
_SHORT_START_CODE = START_CODE[1:]
AV1_TEMPORAL_DELIMITER = b"\x12\0"
_OBU_HAS_SIZE = 0x02
_OBU_HAS_EXTENSION = 0x04


class Payload(Protocol):
    """How one format's packets are sent."""

    def strip(self, packet: bytes) -> bytes:
        """Return what is sent for an encoder's ``packet``."""

    def restore(self, payload: bytes) -> bytes:
        """Return the packet that a decoder takes."""


class Whole:
    """A packet is sent as it is: VP9's frames carry nothing of a file format."""

    def strip(self, packet: bytes) -> bytes:
        """Return ``packet``."""
        return packet

    def restore(self, payload: bytes) -> bytes:
        """Return ``payload``."""
        return payload


class NalUnits:
    """H.264, HEVC and VVC in Annex B; no NAL unit's header begins as a start code does."""

    def __init__(self, dropped_h264_types: frozenset[int] = frozenset()) -> None:
        """``dropped_h264_types``: types of H.264's NAL units that no decoder needs and that are not sent."""
        self._dropped = dropped_h264_types

    def strip(self, packet: bytes) -> bytes:
        """Return the one NAL unit of ``packet`` without start code, several of them with."""
        units = [unit for unit in nal_units(packet) if not (self._dropped and unit[0] & 0x1F in self._dropped)]
        return units[0] if len(units) == 1 else b"".join(START_CODE + unit for unit in units)

    def restore(self, payload: bytes) -> bytes:
        """Return ``payload`` in Annex B."""
        return payload if payload.startswith(START_CODE) else START_CODE + payload


class Av1Units:
    """AV1 in its low-overhead format, less the temporal delimiter and the size of a lone unit."""

    def strip(self, packet: bytes) -> bytes:
        """Return the one OBU of ``packet`` without its size, several of them with."""
        units = packet.removeprefix(AV1_TEMPORAL_DELIMITER)
        header = _obu_header_size(units)
        size, begin = _leb128(units, header)
        if begin + size < len(units):
            return units
        return bytes([units[0] & ~_OBU_HAS_SIZE]) + units[1:header] + units[begin:]

    def restore(self, payload: bytes) -> bytes:
        """Return ``payload`` as a temporal unit."""
        if payload[0] & _OBU_HAS_SIZE:
            return AV1_TEMPORAL_DELIMITER + payload
        header = _obu_header_size(payload)
        size = _to_leb128(len(payload) - header)
        return (
            AV1_TEMPORAL_DELIMITER + bytes([payload[0] | _OBU_HAS_SIZE]) + payload[1:header] + size + payload[header:]
        )


def nal_units(stream: bytes) -> list[bytes]:
    """Return the NAL units of an Annex B ``stream``, without start codes and the zero bytes that may follow a unit."""
    # A unit neither holds a start code, thanks to its emulation prevention, nor ends with a zero byte.
    return [unit for part in stream.split(_SHORT_START_CODE) if (unit := part.rstrip(b"\0"))]


def _obu_header_size(obu: bytes) -> int:
    return 2 if obu[0] & _OBU_HAS_EXTENSION else 1


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at ``at`` and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def _to_leb128(value: int) -> bytes:
    coded = bytearray()
    while value > 0x7F:
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*coded, value])
