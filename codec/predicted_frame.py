"""Predicted frames <-> symbols: residuals of the time stamp and of the D numbers, each with its frequency table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from codec.adaptive import table_for
from codec.entropy import LENGTH_UNITS, EntropyError, ResidualTable, SymbolDecoder, SymbolEncoder
from codec.errors import PacketError
from codec.frame_record import TIMESTAMP_MODULUS, FrameClock, FrameRecord
from codec.operating_point import OPERATING_POINTS
from codec.path_search import best_path
from codec.prediction import SUBDIVISION, PredictionTables
from codec.table_fitting import WEIGHT_BITS

DEAD_ZONE: Final = (5, 8)
"""Share of a step by which every number of a frame may differ from the reference where nothing is said to have changed.
"""

BIT_WORTH: Final = (1, 12)
"""Error that a bit is worth, as a share of a step squared. Without it each number would be rounded to the nearest step:
the least error, but not the least for what it costs. At this worth, a bit saved here costs the picture as much as one
saved by longer steps."""

UNFILTERED_BIT_WORTH: Final = (1, 5)
"""The same where the receiver has no filter (`codec.post_filter`): small movements had better not be sent than tremble.
"""

_HALF = 1 << (WEIGHT_BITS - 1)


@dataclass(frozen=True, slots=True)
class FrameSymbols:
    """What is coded of a predicted frame."""

    residuals: tuple[int, ...]
    """Of the time stamp, ms, then of the D numbers, steps; without those where nothing has changed."""
    tables: tuple[ResidualTable, ...] = field(repr=False)
    """Under which each is coded."""

    def write(self, coder: SymbolEncoder) -> None:
        """Append them to what ``coder`` has."""
        for table, residual in zip(self.tables, self.residuals, strict=True):
            coder.put(table, residual)

    @property
    def payload(self) -> bytes:
        """The shortest bytes that decode to them alone."""
        coder = SymbolEncoder()
        self.write(coder)
        return coder.finish()

    @classmethod
    def of_time(cls, clock: FrameClock, late: int) -> Self:
        """Return those of a frame in which nothing has changed."""
        return cls((late,), (table_for(clock.spread),))


def step_units(point: int) -> int:
    """Return the units of a step at an operating point."""
    return OPERATING_POINTS[point].halves * SUBDIVISION // 2


def encode_frame(
    tables: PredictionTables,
    point: int,
    sequence: int,
    target: NDArray[np.int64],
    timestamp: int,
    newest: FrameRecord,
    before: FrameRecord | None,
    paths: int = 1,
) -> tuple[FrameSymbols, FrameRecord]:
    """Return the symbols of a frame, and the frame as the receiver will have it.

    Args:
        tables: of the avatar.
        point: operating point.
        sequence: of the frame, unwrapped; at most 16 after that of ``newest``.
        target: (D,) values within bounds that are to be met as nearly as the step allows.
        timestamp: 0..65535 ms.
        newest: the reference.
        before: the frame before it, or None.
        paths: that rounding follows at a time, see `codec.path_search`.
    """
    gap = sequence - newest.sequence
    known = (newest.values, None if before is None else before.values)
    predicted = tables.predict(point, gap, *known)
    step = step_units(point)
    residual_tables = tables.residual_tables(point, gap, *known)
    worth = UNFILTERED_BIT_WORTH if tables.post_filter is None else BIT_WORTH
    if paths > 1:
        residuals, values = best_path(tables, predicted, target, step, residual_tables, worth, paths)
    else:
        residuals, values = _one_by_one(tables, predicted, target, step, residual_tables, worth)
    late = newest.clock.residual(gap, timestamp)
    symbols = FrameSymbols((late, *residuals), (table_for(newest.clock.spread), *residual_tables))
    return symbols, FrameRecord(sequence, newest.clock.advanced(gap, late), values, point)


def unchanged(point: int, target: NDArray[np.int64], newest: FrameRecord) -> bool:
    """Return whether every number of ``target`` (D,) is within the dead zone of what it was in the reference."""
    share, whole = DEAD_ZONE
    return bool((whole * np.abs(target - newest.values) <= share * step_units(point)).all())


def encode_held(sequence: int, timestamp: int, newest: FrameRecord) -> tuple[FrameSymbols, FrameRecord]:
    """Return the symbols of a frame in which nothing has changed, and the frame as the receiver will have it."""
    gap = sequence - newest.sequence
    late = newest.clock.residual(gap, timestamp)
    return FrameSymbols.of_time(newest.clock, late), _held(sequence, gap, late, newest)


def decode_held(coder: SymbolDecoder, sequence: int, newest: FrameRecord) -> tuple[FrameSymbols, FrameRecord]:
    """Return the symbols of such a frame and the frame; :class:`PacketError` where the time is none that is sent."""
    gap = sequence - newest.sequence
    late = _decode_time(coder, gap, newest.clock)
    return FrameSymbols.of_time(newest.clock, late), _held(sequence, gap, late, newest)


def decode_frame(
    coder: SymbolDecoder,
    tables: PredictionTables,
    point: int,
    sequence: int,
    newest: FrameRecord,
    before: FrameRecord | None,
) -> tuple[FrameSymbols, FrameRecord, NDArray[np.int64]]:
    """Return the symbols that ``coder`` has next, the frame that they tell, and how its numbers (D,) were predicted.

    The other arguments are those of :func:`encode_frame`. Whether an encoder would have written these very bytes is not
    looked at.

    Raises:
        PacketError: they are no frame.
    """
    gap = sequence - newest.sequence
    known = (newest.values, None if before is None else before.values)
    predicted = tables.predict(point, gap, *known)
    step = step_units(point)
    values = predicted.copy()
    residuals = []
    residual_tables = tables.residual_tables(point, gap, *known)
    late = _decode_time(coder, gap, newest.clock)
    for index, table in enumerate(residual_tables):
        base = tables.within(index, int(predicted[index]), values[:index] - predicted[:index])
        residual = _get(coder, table)
        value = base + residual * step
        if not tables.lowest[index] <= value <= tables.highest[index]:
            raise PacketError("A packet is damaged: it holds a number out of range.")
        residuals.append(residual)
        values[index] = value
    symbols = FrameSymbols((late, *residuals), (table_for(newest.clock.spread), *residual_tables))
    return symbols, FrameRecord(sequence, newest.clock.advanced(gap, late), values, point), predicted


def alone_record(sequence: int, timestamp: int, values: NDArray[np.int64]) -> FrameRecord:
    """Return the record of a frame that was coded alone."""
    return FrameRecord(sequence, FrameClock(timestamp), values)


def _one_by_one(
    tables: PredictionTables,
    predicted: NDArray[np.int64],
    target: NDArray[np.int64],
    step: int,
    residual_tables: Sequence[ResidualTable],
    worth: tuple[int, int],
) -> tuple[list[int], NDArray[np.int64]]:
    """Return what :func:`codec.path_search.best_path` does, with each number rounded as is best for itself."""
    values = predicted.copy()
    errors = np.zeros_like(values)
    residuals = []
    for index, table in enumerate(residual_tables):
        base = tables.within(index, int(predicted[index]), values[:index] - predicted[:index])
        owed = (int(tables.feedback[index, :index] @ errors[:index]) + _HALF) >> WEIGHT_BITS
        residual = _rounded(int(target[index]) - owed - base, step, table, worth)
        low, high = -((base - int(tables.lowest[index])) // step), (int(tables.highest[index]) - base) // step
        residual = min(max(residual, low), high)
        residuals.append(residual)
        values[index] = base + residual * step
        errors[index] = values[index] - target[index]
    return residuals, values


def _rounded(distance: int, step: int, table: ResidualTable, worth: tuple[int, int]) -> int:
    """Return ``distance`` in steps, rounded to where error and code length, at its ``worth``, together are least."""
    share, whole = worth
    bit = share * step * step
    scale = whole * LENGTH_UNITS
    nearer = abs(distance) // step
    sign = 1 if distance >= 0 else -1
    candidates = {sign * size for size in (0, max(nearer - 1, 0), nearer, nearer + 1)}

    def burden(residual: int) -> tuple[int, int]:
        return scale * (distance - residual * step) ** 2 + bit * table.length(residual), abs(residual)

    return min(candidates, key=burden)


def _held(sequence: int, gap: int, late: int, newest: FrameRecord) -> FrameRecord:
    return FrameRecord(sequence, newest.clock.advanced(gap, late), newest.values, newest.point)


def _decode_time(coder: SymbolDecoder, gap: int, clock: FrameClock) -> int:
    """Return the residual of the time stamp of the frame ``gap`` frames after the one of ``clock``."""
    late = _get(coder, table_for(clock.spread))
    if late != clock.residual(gap, (clock.expected(gap) + late) % TIMESTAMP_MODULUS):
        raise PacketError("A packet is damaged: its time is out of range.")
    return late


def _get(coder: SymbolDecoder, table: ResidualTable) -> int:
    try:
        return coder.get(table)
    except EntropyError:
        raise PacketError("A packet is damaged: no encoder makes its payload.") from None
