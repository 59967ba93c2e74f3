"""Integers <-> bytes: a range coder (constriction) under integer frequency tables.

constriction takes a table as floating-point probabilities and turns them into 24-bit fixed point itself. Handed
``256 f - 1`` for integers f that sum to 2**16, its scale factor is exactly 1 and every product and sum is an integer
below 2**53: the table in use is exactly ``256 f``, on every machine. No rounding takes part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from codec.errors import CodecError

TABLE_BITS = 16
TABLE_TOTAL = 1 << TABLE_BITS
"""Sum of the frequencies of a table."""

MAX_RADIUS = 1023
"""Largest residual that a table may name; what lies beyond is escaped."""

ESCAPE_BITS = 48
"""An escaped residual lies less than 2**48 beyond the radius of its table."""

LENGTH_UNITS = 16
"""Units of a code length per bit."""

_CODER_SHIFT = 24 - TABLE_BITS
_CHUNK_BITS = 16
_ESCAPE_HEAD_BITS = 1 + ESCAPE_BITS.bit_length()
"""Sign and length of an escaped residual."""
_LENGTH_MODEL = constriction.stream.model.Uniform(ESCAPE_BITS)
_SIGN_MODEL = constriction.stream.model.Uniform(2)


class EntropyError(CodecError):
    """Compressed bytes that no encoder makes."""


@dataclass(frozen=True, eq=False)
class ResidualTable:
    """Frequencies of the residuals -radius..radius and of the escape, which stands for every other integer."""

    frequencies: NDArray[np.int64] = field(repr=False)
    """(2 radius + 2,), each at least 1, summing to 2**16; the last is the escape's."""
    model: Any = field(init=False, repr=False)
    lengths: tuple[int, ...] = field(init=False, repr=False)
    """Code lengths of the residuals -radius..radius and of an escape without what follows it, in `LENGTH_UNITS`."""
    _lengths: NDArray[np.int64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        frequencies = self.frequencies
        size = len(frequencies)
        if size % 2 or not 2 <= size <= 2 * MAX_RADIUS + 2:
            raise EntropyError(f"A frequency table has an even number of entries below {2 * MAX_RADIUS + 3}.")
        if frequencies.min() < 1 or frequencies.sum() != TABLE_TOTAL:
            raise EntropyError(f"A frequency table's entries are positive and sum to {TABLE_TOTAL}.")
        weights = ((frequencies << _CODER_SHIFT) - 1).astype(np.float64)
        object.__setattr__(self, "model", constriction.stream.model.Categorical(weights, perfect=False))
        lengths = tuple(LENGTH_UNITS * TABLE_BITS - _integer_log2(frequency) for frequency in frequencies.tolist())
        object.__setattr__(self, "lengths", lengths)
        object.__setattr__(self, "_lengths", np.array(lengths, np.int64))

    @property
    def radius(self) -> int:
        """Largest absolute residual that has an entry of its own."""
        return len(self.frequencies) // 2 - 1

    def length(self, residual: int) -> int:
        """Return about how long ``residual`` is in code, in `LENGTH_UNITS`, the same on every machine."""
        radius = self.radius
        excess = abs(residual) - radius
        if excess <= 0:
            return self.lengths[residual + radius]
        return self.lengths[-1] + LENGTH_UNITS * (_ESCAPE_HEAD_BITS + excess.bit_length() - 1)

    def lengths_of(self, residuals: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return what `length` says of each of ``residuals``."""
        if residuals.min() < -self.radius or residuals.max() > self.radius:
            return np.array([self.length(residual) for residual in residuals.ravel().tolist()]).reshape(residuals.shape)
        lengths: NDArray[np.int64] = self._lengths[residuals + self.radius]
        return lengths

    def cost(self, residual: int) -> float:
        """Return the ideal code length of ``residual`` in bits."""
        radius = self.radius
        if abs(residual) <= radius:
            return float(TABLE_BITS - np.log2(self.frequencies[residual + radius]))
        bits = (abs(residual) - radius).bit_length() - 1
        return float(TABLE_BITS - np.log2(self.frequencies[-1]) + 1 + np.log2(ESCAPE_BITS) + bits)


def _integer_log2(value: int) -> int:
    """Return the logarithm of a positive integer to base 2 in `LENGTH_UNITS`, rounded down."""
    power: int = value**LENGTH_UNITS
    return power.bit_length() - 1


def normalise_frequencies(weights: NDArray[np.float64] | Sequence[float]) -> NDArray[np.int64]:
    """Return integers of at least 1 that sum to 2**16, in proportion to the non-negative ``weights`` (n <= 2**15)."""
    share = np.asarray(weights, np.float64)
    exact = share / share.sum() * (TABLE_TOTAL - len(share))
    frequencies: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    missing = TABLE_TOTAL - len(share) - int(frequencies.sum())
    # Largest remainders first; a stable sort, so that ties fall the same way every time.
    frequencies[np.argsort(frequencies - exact, kind="stable")[:missing]] += 1
    return frequencies + 1


class SymbolEncoder:
    """Collects residuals and gives the shortest bytes that decode to them."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def put(self, table: ResidualTable, residual: int) -> None:
        """Append one residual of any size below 2**48."""
        radius = table.radius
        if -radius <= residual <= radius:
            self._coder.encode(residual + radius, table.model)
            return
        self._coder.encode(2 * radius + 1, table.model)
        self._coder.encode(int(residual < 0), _SIGN_MODEL)
        # Elias gamma: the number of bits below the leading one, then those bits.
        excess = abs(residual) - radius
        bits = excess.bit_length() - 1
        if bits >= ESCAPE_BITS:
            raise EntropyError(f"The residual {residual} is beyond what an escape can carry.")
        self._coder.encode(bits, _LENGTH_MODEL)
        while bits > 0:
            width = min(bits, _CHUNK_BITS)
            bits -= width
            chunk = (excess >> bits) & ((1 << width) - 1)
            self._coder.encode(chunk, constriction.stream.model.Uniform(1 << width))

    def finish(self) -> bytes:
        """Return the shortest byte string that, continued with zeros, lies in the coder's final interval.

        constriction seals its output to whole 32-bit words; on packets of a few bytes the difference matters.
        """
        words = self._coder.get_compressed()
        whole, (lower, width) = self._coder.pos()
        size = 4 * (int(whole) + 2)
        point: int = int.from_bytes(words.astype(">u4").tobytes(), "big") << 8 * (size - 4 * len(words))
        lowest = point - ((point - int(lower)) & 0xFFFF_FFFF_FFFF_FFFF)
        highest: int = lowest + int(width) - 1
        common = size - ((lowest ^ highest).bit_length() + 7) // 8
        shortest = lowest.to_bytes(size, "big").rstrip(b"\0")
        # One byte past the common prefix is always enough; less is when the rest of the lower end is zeros.
        return shortest if len(shortest) <= common else highest.to_bytes(size, "big")[: common + 1]


class SymbolDecoder:
    """Reads residuals back; beyond its end the data continues with zeros."""

    def __init__(self, data: bytes) -> None:
        padded = data + bytes(-len(data) % 4)
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(padded, ">u4").astype(np.uint32))

    def get(self, table: ResidualTable) -> int:
        """Return the next residual; :class:`EntropyError` for data that no encoder makes."""
        radius = table.radius
        symbol = self._decode(table.model)
        if symbol <= 2 * radius:
            return symbol - radius
        negative = self._decode(_SIGN_MODEL)
        bits = self._decode(_LENGTH_MODEL)
        excess = 1
        while bits > 0:
            width = min(bits, _CHUNK_BITS)
            bits -= width
            excess = excess << width | self._decode(constriction.stream.model.Uniform(1 << width))
        return -(excess + radius) if negative else excess + radius

    def _decode(self, model: Any) -> int:
        try:
            return int(self._coder.decode(model))
        except AssertionError:
            raise EntropyError("The compressed data is not one that an encoder makes: it is damaged.") from None
