"""Pyramids of integers <-> bytes, one bit plane of all of them after another.

The first part of a progressive stream has the pyramids at a shift k, each later one the next lower bit plane. Every
integer is coded under a table chosen by a context: how large its neighbours are, as far as they are known, the integer
at the same place in the next coarser band, and those in the bands of the other orientations. A band is coded in four
interleaved quarters, so that the later ones see neighbours on all sides, and yet a quarter is one array operation.
Blocks of a band in which there is nothing are named as such and take no further time. (Ideas of embedded zerotree
coding, Shapiro 1993, and of the context modelling of Wu, "Context-based entropy coding of wavelet coefficients", 1997.)

The tables are fitted to the very integers, stand before them in a part, and are integers themselves.

Layout of a part, all integers little-endian::

    tables   60 x (radius u8, then 2 radius + 2 frequencies u16 unless radius is 0: only zeros occur)
    words    u32 of the range coder to the end
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from codec.entropy import EntropyError, ResidualTable, normalise_frequencies
from codec.errors import AvatarFileError, CodecError
from codec.pyramid import MAX_MAGNITUDE, Band, Pyramid, PyramidShape

BLOCK = 8
"""Side of a block that is named when it is empty."""
MAX_RADIUS = 20
"""Largest magnitude that has an entry of its own in a table; a larger one is escaped and follows as a plain number."""

_PLAIN_MODEL = constriction.stream.model.Uniform(2 * MAX_MAGNITUDE)
_CLASSES = 12
"""Of the neighbourhood's magnitude."""
_QUARTERS = ((0, 0), (1, 1), (0, 1), (1, 0))
"""Row and column at which each quarter of a band begins. The second sees diagonal neighbours, the last two all."""
_FLAGS = 8
_BITS = 3
_FLAG_CONTEXT = 4 * _CLASSES
_BIT_CONTEXT = _FLAG_CONTEXT + _FLAGS
_RAW_CONTEXT = _BIT_CONTEXT + _BITS
_CONTEXTS = _RAW_CONTEXT + 1
_CAP = 15
"""Magnitudes count as at most that much in a context."""
_EDGES = (1, 6, 12, 20, 30, 44, 64, 100, 160, 240, 400)
"""Of the classes: weighted sums of magnitudes, 20 to a unit."""
_CLASS_OF = np.searchsorted(_EDGES, np.arange(40 * 20 * _CAP), side="right").astype(np.uint8)

Symbols = NDArray[np.int32]
Contexts = NDArray[np.uint8]
Places = NDArray[np.int32]
"""Flat indices."""
Exchange = Callable[[Contexts, Callable[[], Symbols]], Symbols]
"""Takes the contexts (n,) of integers and what gives the integers themselves; returns them (n,)."""


def encode_part(pyramids: Sequence[Pyramid], shift: int, first: bool) -> bytes:
    """Return the part that brings pyramids, given whole, to ``shift``: from nothing, or from the shift above it."""
    chunks: list[tuple[Contexts, Symbols]] = []

    def note(contexts: Contexts, actual: Callable[[], Symbols]) -> Symbols:
        symbols = actual()
        chunks.append((contexts, symbols))
        return symbols

    for pyramid in pyramids:
        _walk(None if first else pyramid.shifted(shift + 1), pyramid.shape, note, pyramid.shifted(shift))
    tables = _fit(chunks)
    coder = constriction.stream.queue.RangeEncoder()
    for contexts, symbols in chunks:
        for context, where in _grouped(contexts):
            table = tables[context]
            if table is not None:
                _encode(coder, table, symbols[where])
    words: NDArray[np.uint32] = coder.get_compressed()
    return _pack(tables) + words.astype("<u4").tobytes()


def decode_part(data: bytes, shapes: Sequence[PyramidShape], known: Sequence[Pyramid] | None) -> list[Pyramid]:
    """Return the pyramids that ``encode_part`` was given, at the part's shift.

    Memory is taken for the shapes, which the caller has bounded, and for the data.

    Args:
        data: the part.
        shapes: of the pyramids.
        known: them at the next higher shift; None for the first part.

    Raises:
        AvatarFileError: ``data`` is no such part.
    """
    try:
        tables, position = _unpack(data)
        coder = constriction.stream.queue.RangeDecoder(np.frombuffer(data[position:], "<u4").astype(np.uint32))
    except (CodecError, struct.error, ValueError, IndexError):
        raise AvatarFileError("A part of this avatar's planes is damaged: copy the file again.") from None

    def read(contexts: Contexts, actual: Callable[[], Symbols]) -> Symbols:
        symbols = np.zeros(len(contexts), np.int32)
        for context, where in _grouped(contexts):
            table = tables[context]
            if table is None:
                continue
            try:
                symbols[where] = _decode(coder, table, len(where))
            except AssertionError:
                raise AvatarFileError("A part of this avatar's planes is damaged: copy the file again.") from None
        return symbols

    before = [None] * len(shapes) if known is None else known
    return [_walk(earlier, shape, read, None) for earlier, shape in zip(before, shapes, strict=True)]


def _walk(known: Pyramid | None, shape: PyramidShape, exchange: Exchange, actual: Pyramid | None) -> Pyramid:
    """Go through a pyramid from coarse to fine in the order of coding; returns it as it is exchanged."""
    result = Pyramid.zeros(shape)
    parents: list[_BandCoder] = []
    for index, bands in enumerate(result.bands):
        coders: list[_BandCoder] = []
        for orientation in range(1 if index == 0 else 3):

            def of(pyramid: Pyramid | None, index: int = index, orientation: int = orientation) -> Band | None:
                if pyramid is None:
                    return None
                return pyramid.bands[0] if index == 0 else pyramid.bands[index][orientation]

            band = bands if index == 0 else bands[orientation]
            parent = parents[orientation] if index > 1 else None
            coders.append(_BandCoder(band, of(known), of(actual), parent, coders[:], exchange))
            coders[-1].run()
        parents = coders
    return result


class _BandCoder:
    """One band of one orientation, all planes at once."""

    def __init__(
        self,
        band: Band,
        known: Band | None,
        actual: Band | None,
        parent: "_BandCoder | None",
        siblings: "list[_BandCoder]",
        exchange: Exchange,
    ) -> None:
        """Prepare to fill ``band`` (N, h, h), which holds zeros."""
        self._band, self._parent, self._siblings, self._exchange = band, parent, siblings, exchange
        self.side = band.shape[-1]
        self.block = BLOCK if self.side % BLOCK == 0 else self.side
        # With a border of zeros, so that every place has neighbours, and that one index serves all arrays.
        self.width = self.side + 2
        self._known = None if known is None else _bordered(known)
        self._actual = None if actual is None else _bordered(actual)
        self._values: Band = np.zeros((len(band), self.width, self.width), np.int16)
        if self._known is not None:
            self._values += 2 * self._known
        self.magnitudes = _capped(self._values).reshape(-1)

    def run(self) -> None:
        """Exchange the band's integers."""
        blocks = np.nonzero(self._active_blocks())
        if len(blocks[0]) == 0:
            return
        plane, row, column = (part.astype(np.int32)[:, None, None] for part in blocks)
        values = self._values.reshape(-1)
        offsets: Places = np.arange(self.block).astype(np.int32)
        for number, (down, right) in enumerate(_QUARTERS):
            rows: Places = row * self.block + offsets[down::2, None]
            columns: Places = column * self.block + offsets[right::2]
            if rows.shape[1] == 0 or columns.shape[2] == 0:
                continue
            places = _flat(plane, rows, columns, self.width)
            above = None
            if self._parent is not None:
                above = _flat(plane, rows >> 1, columns >> 1, self._parent.width)
            found = self._code(places, self._contexts(places, above, number))
            values[places] = found
            self.magnitudes[places] = _capped(found)
        self._band[...] = self._values[:, 1:-1, 1:-1]

    def _code(self, places: Places, contexts: Contexts) -> Band:
        """Exchange the integers at some places."""

        def actual() -> Band:
            assert self._actual is not None
            return self._actual.reshape(-1)[places]

        if self._known is None:
            return self._exchange(contexts, lambda: actual().astype(np.int32)).astype(np.int16)
        before = self._known.reshape(-1)[places]
        size = np.minimum(np.abs(before), np.int16(_BITS)).astype(np.uint8)
        contexts = np.where(size == 0, contexts, size + np.uint8(_BIT_CONTEXT - 1))
        sign = np.where(before < 0, np.int16(-1), np.int16(1))
        # Where there was something already, its next bit; elsewhere -1, 0 or 1.
        news = self._exchange(contexts, lambda: ((actual() - 2 * before) * sign).astype(np.int32))
        found: Band = 2 * before + sign * news.astype(np.int16)
        return found

    def _contexts(self, places: Places, above: Places | None, number: int) -> Contexts:
        """Return the contexts of a quarter's integers, from what is known around them."""
        if self._known is not None or number >= 2:
            others, axial, diagonal = 3, 5, 2
        else:
            others, axial, diagonal = (8, 0, 0) if number == 0 else (5, 0, 5)
        total = np.zeros(len(places), np.uint16)
        steps = ((axial, (1, self.width)), (diagonal, (self.width + 1, self.width - 1)))
        for weight, (one, other) in steps:
            if weight:
                around = self.magnitudes[places + one] + self.magnitudes[places - one]
                around += self.magnitudes[places + other]
                around += self.magnitudes[places - other]
                total += np.uint16(weight) * around
        if self._parent is not None and above is not None:
            total += np.uint16(others) * self._parent.magnitudes[above]
        for sibling in self._siblings:
            total += np.uint16(others) * (sibling.magnitudes[places] // np.uint8(len(self._siblings)))
        return _CLASS_OF[total] + np.uint8(_CLASSES * number)

    def any(self, size: int) -> NDArray[np.bool_]:
        """Tell (N, h / size, h / size) which blocks hold anything."""
        return _any(self._values[:, 1:-1, 1:-1], size)

    def _active_blocks(self) -> NDArray[np.bool_]:
        """Exchange which blocks (N, h / B, h / B) hold anything."""
        active = self.any(self.block)
        unknown = np.nonzero(~active)
        around = np.zeros(active.shape, np.uint8)
        if self._parent is not None and self.block > 1:
            around += np.uint8(2) * self._parent.any(self.block // 2)
        for sibling in self._siblings:
            around += sibling.any(self.block)
        contexts = np.uint8(_FLAG_CONTEXT + 4 * (self.side > BLOCK)) + np.minimum(around, np.uint8(3))[unknown]

        def actual() -> Symbols:
            assert self._actual is not None
            return _any(self._actual[:, 1:-1, 1:-1], self.block)[unknown].astype(np.int32)

        active[unknown] = self._exchange(contexts, actual) != 0
        return active


def _flat(plane: Places, row: Places, column: Places, width: int) -> Places:
    """Return the indices (n,) of places, which broadcast, in an array of planes of ``width`` with a border."""
    return np.asarray((((plane * width + (row + 1)) * width + 1) + column).reshape(-1), np.int32)


def _bordered(band: Band) -> Band:
    return np.pad(band, ((0, 0), (1, 1), (1, 1)))


def _any(band: Band, size: int) -> NDArray[np.bool_]:
    """Tell (N, h / size, h / size) which blocks of a band (N, h, h) hold anything."""
    planes, side = band.shape[0], band.shape[-1]
    there = np.ascontiguousarray(band != 0)
    if size in (1, 2, 4, 8):
        # As many bytes at once as a block is wide: several times faster than a sum over a short axis.
        rows = there.view(np.dtype(f"u{size}")) != 0
    else:
        rows = there.reshape(planes, side, side // size, size).any(3)
    return np.asarray(rows.reshape(planes, side // size, size, side // size).any(2))


def _capped(values: Band) -> NDArray[np.uint8]:
    return np.minimum(np.abs(values), _CAP).astype(np.uint8)


def _encode(coder: Any, table: ResidualTable, symbols: Symbols) -> None:
    escaped = np.abs(symbols) > table.radius
    coder.encode(np.where(escaped, 2 * table.radius + 1, symbols + table.radius).astype(np.int32), table.model)
    if escaped.any():
        coder.encode(symbols[escaped] + MAX_MAGNITUDE, _PLAIN_MODEL)


def _decode(coder: Any, table: ResidualTable, count: int) -> Symbols:
    symbols: Symbols = coder.decode(table.model, count) - table.radius
    escaped = symbols > table.radius
    if escaped.any():
        symbols[escaped] = coder.decode(_PLAIN_MODEL, int(escaped.sum())) - MAX_MAGNITUDE
    return symbols


def _grouped(contexts: Contexts) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield each context that occurs, with the places where it does."""
    order = np.argsort(contexts, kind="stable")
    counts = np.bincount(contexts, minlength=_CONTEXTS)
    ends = np.cumsum(counts)
    for context in np.flatnonzero(counts):
        yield int(context), order[ends[context] - counts[context] : ends[context]]


def _fit(chunks: list[tuple[Contexts, Symbols]]) -> list[ResidualTable | None]:
    """Return the table of each context; None where only zeros occur."""
    tables: list[ResidualTable | None] = []
    contexts = np.concatenate([chunk[0] for chunk in chunks])
    symbols = np.concatenate([chunk[1] for chunk in chunks])
    for context in range(_CONTEXTS):
        found = symbols[contexts == context]
        radius = min(int(np.abs(found).max()), MAX_RADIUS) if len(found) else 0
        beyond = np.abs(found) > radius
        counts = np.bincount(np.where(beyond, 2 * radius + 1, found + radius), minlength=2 * radius + 2)
        tables.append(ResidualTable(normalise_frequencies(counts.astype(np.float64))) if radius else None)
    return tables


def _pack(tables: list[ResidualTable | None]) -> bytes:
    parts = []
    for table in tables:
        parts.append(bytes([0 if table is None else table.radius]))
        if table is not None:
            parts.append(table.frequencies.astype("<u2").tobytes())
    return b"".join(parts)


def _unpack(data: bytes) -> tuple[list[ResidualTable | None], int]:
    tables: list[ResidualTable | None] = []
    position = 0
    for _ in range(_CONTEXTS):
        radius = data[position]
        position += 1
        if radius > MAX_RADIUS:
            raise EntropyError(f"A table of planes has radius {radius} of at most {MAX_RADIUS}.")
        count = 2 * radius + 2 if radius else 0
        frequencies = struct.unpack_from(f"<{count}H", data, position)
        tables.append(ResidualTable(np.array(frequencies, np.int64)) if count else None)
        position += 2 * count
    return tables, position
