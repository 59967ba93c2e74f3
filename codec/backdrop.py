"""What lies behind a person, where it is no longer as the avatar shows it: a small picture of the difference.

A backdrop is S x S differences of red, green and blue from the avatar's own background, over the whole frame, in units
of its range, with S one of `SIDES`, and how far that background has moved before (`codec.backdrop_motion`): what a
moved camera sees is mostly what it saw before. Every backdrop stands for itself: what was sent before does not matter,
and may be lost.

The colours become one luma and two chroma differences (those of ITU-R BT.601), each is cut into blocks of 8 x 8, and
these are transformed by a discrete cosine transform. The coefficients, in units of a step that is twice as large for
chroma, are coded in the order of their frequency, all blocks of a frequency one after the other, under tables that
adapt: most are zero, and the higher the frequency the more.

Layout::

    moved    u8      zero, and then 12 bytes of motion; both are left out where nothing has moved
    step     u8      of luma, in 255ths, 1 to 64; 128 more where S is the larger
    counts   3 x u8  frequencies of luma and of each chroma that are coded, 0 to 64: all others are zero
    symbols  the range coder's bytes
"""

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.adaptive import table_for, updated_mean
from codec.backdrop_motion import MOTION_BYTES, Motion, decode_motion, encode_motion, still
from codec.entropy import EntropyError, SymbolDecoder, SymbolEncoder
from codec.errors import BackdropError

SIDES: Final = (64, 128)
"""Pixels across of a backdrop, those of an avatar's own background being 256: of one that is to be there soon, and of
one for which there is time."""
MAX_BYTES: Final = 8 << 10
"""Of a coded backdrop; one of noise alone is refused by whoever would send it."""
MAX_STEP: Final = 64

_MOVED: Final = 0
_HEAD: Final = 4
_LARGER: Final = 0x80
_BLOCK: Final = 8
_CHROMA_STEPS: Final = 2
_ROUNDED_UP: Final = 0.25
"""Of a step: what is missing at most when a coefficient is rounded up. Small ones are mostly noise upon a bare wall,
whose texture suffers more from being changed a little than from staying, and zeros take next to nothing."""
_LARGEST: Final = 8 * 255
"""Magnitude that a coefficient has at most, 255ths."""
_RATE_SHIFT: Final = 3
_START: Final = 32
"""Mean magnitude, in units of 1 / 64, that the first coefficients are expected to have."""
_TO_LUMA: Final = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])

Difference = NDArray[np.float32]
"""(S, S, 3), -1 to 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """What is to be seen behind a person."""

    difference: Difference
    """From the avatar's own background after it has moved."""
    motion: Motion
    """Of that background."""


def encode_backdrop(difference: NDArray[np.floating], step: int, motion: Motion | None = None) -> bytes:
    """Return a backdrop in bytes.

    Args:
        difference: (S, S, 3) from the background that has moved.
        step: 1 to 64, what its coefficients are rounded to, 255ths.
        motion: None where it has not.

    Raises:
        BackdropError: it takes more than `MAX_BYTES`, has moved too far, or holds numbers that are not finite.
    """
    side = len(difference)
    shaped = side in SIDES and difference.shape == (side, side, 3)
    if not shaped or not np.isfinite(difference).all() or not 1 <= step <= MAX_STEP:
        raise BackdropError("This is no difference between backgrounds.")
    planes = np.clip(difference.astype(np.float64), -1.0, 1.0) @ _TO_LUMA.T
    blocks = planes.reshape(side // _BLOCK, _BLOCK, side // _BLOCK, _BLOCK, 3).transpose(4, 0, 2, 1, 3)
    transform = _transform()
    coefficients = (transform @ blocks @ transform.T).reshape(3, -1, _BLOCK**2) / _steps(step)
    magnitudes = np.floor(np.abs(coefficients) + _ROUNDED_UP)
    symbols = (np.sign(coefficients) * magnitudes).astype(np.int64)[:, :, _order()].transpose(0, 2, 1)
    counts = [int(np.flatnonzero(plane.any(axis=1)).max(initial=-1)) + 1 for plane in symbols]
    moved = b"" if motion is None else encode_motion(motion)
    data = bytes([step | _LARGER * SIDES.index(side), *counts]) + _encode_symbols(symbols, counts)
    if any(moved):
        data = bytes([_MOVED]) + moved + data
    if len(data) > MAX_BYTES:
        raise BackdropError(f"What is behind the person takes {len(data)} bytes of at most {MAX_BYTES}.")
    return data


def decode_backdrop(data: bytes) -> Backdrop:
    """Return the backdrop in ``data``; :class:`BackdropError` for anything but what `encode_backdrop` makes."""
    if len(data) > MAX_BYTES:
        raise BackdropError(f"A picture of what is behind a person takes {len(data)} bytes of at most {MAX_BYTES}.")
    motion = still()
    if data[:1] == bytes([_MOVED]):
        motion, data = decode_motion(data[1 : 1 + MOTION_BYTES]), data[1 + MOTION_BYTES :]
        if not motion.any():
            raise BackdropError("A picture of what is behind a person is damaged: it has moved by nothing.")
    return Backdrop(_decode_difference(data), motion)


def _decode_difference(data: bytes) -> Difference:
    if len(data) < _HEAD or not 1 <= data[0] % _LARGER <= MAX_STEP:
        raise BackdropError("This is no picture of what is behind a person.")
    step, counts, side = data[0] % _LARGER, list(data[1:_HEAD]), SIDES[data[0] // _LARGER]
    across = side // _BLOCK
    if max(counts) > _BLOCK**2:
        raise BackdropError("A picture of what is behind a person is damaged: it has too many frequencies.")
    try:
        symbols = _decode_symbols(data[_HEAD:], counts, across**2, _LARGEST // step + 1)
    except EntropyError as error:
        raise BackdropError(f"A picture of what is behind a person is damaged: {error}") from None
    if _encode_symbols(symbols, counts) != data[_HEAD:]:
        raise BackdropError("A picture of what is behind a person is damaged: it is not the shortest for what it says.")
    coefficients, transform = np.empty((3, across**2, _BLOCK**2)), _transform()
    coefficients[:, :, _order()] = symbols.transpose(0, 2, 1)
    blocks = (coefficients * _steps(step)).reshape(3, across, across, _BLOCK, _BLOCK)
    planes = (transform.T @ blocks @ transform).transpose(1, 3, 2, 4, 0).reshape(side, side, 3)
    return np.clip(planes @ np.linalg.inv(_TO_LUMA).T, -1.0, 1.0).astype(np.float32)


def _encode_symbols(symbols: NDArray[np.int64], counts: list[int]) -> bytes:
    """Return the first frequencies of (3, 64, blocks), so many of each plane, in bytes."""
    encoder = SymbolEncoder()
    for plane, count in zip(symbols, counts, strict=True):
        mean = _START
        for symbol in plane[:count].flatten().tolist():
            encoder.put(table_for(mean), symbol)
            mean = updated_mean(mean, symbol, _RATE_SHIFT)
    return encoder.finish()


def _decode_symbols(payload: bytes, counts: list[int], blocks: int, largest: int) -> NDArray[np.int64]:
    """Return (3, 64, blocks) of which so many frequencies of each plane are coded."""
    decoder = SymbolDecoder(payload)
    symbols = np.zeros((3, _BLOCK**2 * blocks), np.int64)
    for plane, count in zip(symbols, counts, strict=True):
        mean = _START
        for index in range(count * blocks):
            symbol = decoder.get(table_for(mean))
            if abs(symbol) > largest:
                raise EntropyError("a coefficient is out of range.")
            plane[index] = symbol
            mean = updated_mean(mean, symbol, _RATE_SHIFT)
    return symbols.reshape(3, _BLOCK**2, blocks)


def _steps(step: int) -> NDArray[np.float64]:
    """Return (3, 1, 1) what a coefficient of each plane is rounded to."""
    return step / 255.0 * np.array([1.0, _CHROMA_STEPS, _CHROMA_STEPS])[:, None, None]


@cache
def _transform() -> NDArray[np.float64]:
    """Return the orthonormal discrete cosine transform (8, 8) of the second kind, frequencies by places."""
    places, frequencies = np.arange(_BLOCK), np.arange(_BLOCK)[:, None]
    matrix = np.cos(np.pi * (2 * places + 1) * frequencies / (2 * _BLOCK)) * np.sqrt(2.0 / _BLOCK)
    matrix[0] /= np.sqrt(2.0)
    return np.asarray(matrix)


@cache
def _order() -> NDArray[np.intp]:
    """Return the indices (64,) of a block's coefficients by rising frequency."""
    rows, columns = np.divmod(np.arange(_BLOCK**2), _BLOCK)
    return np.lexsort((rows, rows + columns))
