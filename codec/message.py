"""The message: the packets that travel together, as one datagram's worth of headers is ten times a packet.

A message with one packet is that packet, which may have several frames (`codec.short_packet`). Of several packets::

    0  u8   64 + packets - 2
    1  ...  the size of each packet but the last, u8 each
    .. ...  the packets, oldest frame first: those that an earlier message had and are said again, then the new ones

The first byte cannot be taken for that of a packet: of a frame coded alone it begins with version 2, of a predicted one
with a set upper bit. There is no checksum, as each packet has its own.
"""

from dataclasses import dataclass, field
from typing import Final, Self, SupportsBytes

from codec.errors import PacketError
from codec.packet import MAX_PACKET_SIZE
from codec.short_packet import ShortPacket

MAX_MESSAGE_SIZE: Final = 1100
"""Bytes: fits one datagram."""

MAX_PACKETS: Final = 33

_FIRST: Final = 0x40
_LEAST: Final = 2
_LONGEST: Final = 255
"""Bytes of a packet that others can follow."""


@dataclass(frozen=True, slots=True)
class Message:
    """Packets as they travel; ``bytes(message)`` goes on the wire and ``parse`` is its inverse."""

    packets: tuple[bytes, ...] = field(repr=False)
    """At least one; none empty, and none but the last longer than 255 bytes."""

    def __bytes__(self) -> bytes:
        if len(self.packets) == 1:
            return self.packets[0]
        sizes = bytes(len(packet) for packet in self.packets[:-1])
        return bytes([_FIRST + len(self.packets) - _LEAST]) + sizes + b"".join(self.packets)

    def __str__(self) -> str:
        return f"message of {len(self.packets)} packets, {len(bytes(self))} bytes"

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the packets in ``data``, which are not looked at; :class:`PacketError` for anything malformed."""
        if not data:
            raise PacketError("A message is empty.")
        count = data[0] - _FIRST + _LEAST
        if not _LEAST <= count <= MAX_PACKETS:
            return cls((bytes(data),))
        if len(data) > MAX_PACKET_SIZE:
            raise PacketError(f"A message of {len(data)} bytes is none of a face: they have at most {MAX_PACKET_SIZE}.")
        sizes = data[1:count]
        if not all(sizes) or count + sum(sizes) >= len(data):
            raise PacketError("A message is cut off: not all of its packets are there.")
        packets, position = [], count
        for size in sizes:
            packets.append(bytes(data[position : position + size]))
            position += size
        return cls((*packets, bytes(data[position:])))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is ready to go."""

    data: bytes
    frames: tuple[int, ...]
    """Unwrapped numbers of all frames that whoever gets it has, those that it repeats among them."""
    new: int
    """How many of them are in a message for the first time."""
    urgent: bool
    """Whether the sender waits to hear that it has come."""


@dataclass(frozen=True, slots=True)
class _Bundle:
    """What goes, and is repeated, as a whole."""

    sequences: tuple[int, ...]
    packets: tuple[bytes, ...]
    urgent: bool


@dataclass(slots=True)
class _Waiting:
    """What is to be the next bundle."""

    sequences: list[int] = field(default_factory=list)
    packets: list[bytes | ShortPacket] = field(default_factory=list)
    urgent: bool = False

    def add(self, sequence: int, packet: SupportsBytes, *, urgent: bool) -> None:
        """Add a frame, to the packet of those before it where that can be."""
        self.sequences.append(sequence)
        self.urgent |= urgent
        last = self.packets[-1] if self.packets else None
        if isinstance(last, ShortPacket) and isinstance(packet, ShortPacket):
            joined = last.joined(packet)
            if joined is not None and len(joined) <= _LONGEST:
                self.packets[-1] = joined
                return
        self.packets.append(packet if isinstance(packet, ShortPacket) else bytes(packet))

    @property
    def size(self) -> int:
        """Bytes of the last packet."""
        return len(self.packets[-1])

    def bundle(self) -> _Bundle:
        return _Bundle(tuple(self.sequences), tuple(bytes(packet) for packet in self.packets), self.urgent)


class Bundler:
    """Puts packets into messages: several frames a message, and the bundles before once more.

    Frames of one bundle may be predicted from one another, as they arrive together or not at all. Therefore a bundle is
    repeated as a whole.
    """

    KEPT: Final = 4
    """Bundles that can be repeated."""
    MOST_FRAMES: Final = 4
    """Of a bundle: as many of any size fit a message."""

    def __init__(self) -> None:
        self._waiting = _Waiting()
        self._past: list[_Bundle] = []

    @property
    def along(self) -> tuple[int, ...]:
        """Numbers of the frames that the next one travels with."""
        return tuple(self._waiting.sequences)

    def add(self, sequence: int, packet: SupportsBytes, *, urgent: bool, frames: int, repeats: int) -> Outgoing | None:
        """Add the next frame, and return the message when it is full.

        Args:
            sequence: unwrapped number of the frame.
            packet: of the frame.
            urgent: whether the sender waits to hear that it has come; such a frame does not wait for others.
            frames: that a message has, at most `MOST_FRAMES`.
            repeats: how many bundles of those before are said again, at most `KEPT`.
        """
        self._waiting.add(sequence, packet, urgent=urgent)
        full = len(self._waiting.sequences) >= min(frames, self.MOST_FRAMES)
        if urgent or full or self._waiting.size > _LONGEST:
            return self.close(repeats)
        return None

    def close(self, repeats: int) -> Outgoing | None:
        """Return the message of the frames that wait; None when there are none."""
        bundle, self._waiting = self._waiting.bundle(), _Waiting()
        if not bundle.packets:
            return None
        chosen = [bundle]
        for before in reversed(self._past[len(self._past) - min(repeats, len(self._past)) :]):
            packets = sum((one.packets for one in (before, *chosen)), ())
            if len(packets) > MAX_PACKETS or sum(map(len, packets)) + len(packets) > MAX_MESSAGE_SIZE:
                break
            if any(len(packet) > _LONGEST for packet in before.packets):
                break
            chosen.insert(0, before)
        self._past = [*self._past[1 - self.KEPT :], bundle]
        packets = sum((one.packets for one in chosen), ())
        sequences = sum((one.sequences for one in chosen), ())
        return Outgoing(bytes(Message(packets)), sequences, len(bundle.sequences), bundle.urgent)
