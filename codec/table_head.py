"""The head of an avatar's tables: which they are, their version, and the layout of a frame's numbers.

Layout, all integers little-endian::

    magic    4 bytes
    version  u16
    size     u8       E, coefficients of the expression
    torso    u8       T, numbers of the torso's motion; absent where it is 6

Tables for a torso of six numbers are written as they were when all torsos had six, under the version before: they are
known by their digests.
"""

import struct
from dataclasses import dataclass
from typing import Final

from codec.errors import CodecError, TablesError
from codec.parameters import ParameterLayout

REMEDY: Final = "enrol the avatar again"
_HEAD = struct.Struct("<4sHB")
_SIX = 6


@dataclass(frozen=True, slots=True)
class TableHead:
    """Of one kind of tables."""

    kind: str
    """As a person calls them."""
    magic: bytes
    """4 bytes."""
    version: int
    """Of tables that say how many numbers a torso has."""

    def pack(self, layout: ParameterLayout) -> bytes:
        """Return the head of tables for numbers so laid out."""
        if layout.torso_size == _SIX:
            return _HEAD.pack(self.magic, self.version - 1, layout.expression_size)
        return _HEAD.pack(self.magic, self.version, layout.expression_size) + bytes([layout.torso_size])

    def parse(self, data: bytes, most: int) -> tuple[ParameterLayout, int]:
        """Return the layout that the head of ``data`` names, and where the head ends.

        Args:
            data: the tables.
            most: bytes that such tables have at most.

        Raises:
            TablesError: it is no such head.
        """
        if len(data) > most or data[: len(self.magic)] != self.magic:
            raise TablesError(f"These are no {self.kind}: {REMEDY}.")
        if len(data) < _HEAD.size:
            raise TablesError(f"The {self.kind} are cut off: {REMEDY}.")
        _, version, expression_size = _HEAD.unpack_from(data)
        if version not in (self.version - 1, self.version):
            raise TablesError(
                f"The {self.kind} have version {version} and this program reads {self.version}: {REMEDY}."
            )
        torso_size, end = _SIX, _HEAD.size
        if version == self.version:
            if len(data) == end:
                raise TablesError(f"The {self.kind} are cut off: {REMEDY}.")
            torso_size, end = data[end], end + 1
            if torso_size == _SIX:
                raise TablesError(f"The {self.kind} are not as any program writes them: {REMEDY}.")
        try:
            return ParameterLayout(torso_size, expression_size), end
        except CodecError as error:
            raise TablesError(f"The {self.kind} are damaged ({error}): {REMEDY}.") from None
