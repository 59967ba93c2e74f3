"""Predicted frames <-> payloads: residuals of the time stamp and of the D numbers, entropy-coded."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.adaptive import table_for
from codec.entropy import LENGTH_UNITS, EntropyError, ResidualTable, SymbolDecoder, SymbolEncoder
from codec.errors import PacketError
from codec.frame_record import TIMESTAMP_MODULUS, FrameClock, FrameRecord
from codec.operating_point import OPERATING_POINTS
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
) -> tuple[bytes, FrameRecord]:
    """Return the payload of a frame, and the frame as the receiver will have it.

    Args:
        tables: of the avatar.
        point: operating point.
        sequence: of the frame, unwrapped; at most 16 after that of ``newest``.
        target: (D,) values within bounds that are to be met as nearly as the step allows.
        timestamp: 0..65535 ms.
        newest: the reference.
        before: the frame before it, or None.
    """
    gap = sequence - newest.sequence
    known = (newest.values, None if before is None else before.values)
    predicted = tables.predict(point, gap, *known)
    step = step_units(point)
    values = predicted.copy()
    errors = np.zeros(tables.layout.size, np.int64)
    residuals = []
    residual_tables = tables.residual_tables(point, gap, *known)
    worth = UNFILTERED_BIT_WORTH if tables.post_filter is None else BIT_WORTH
    for index, table in enumerate(residual_tables):
        base = tables.within(index, int(predicted[index]), values[:index] - predicted[:index])
        owed = (int(tables.feedback[index, :index] @ errors[:index]) + _HALF) >> WEIGHT_BITS
        residual = _rounded(int(target[index]) - owed - base, step, table, worth)
        low, high = -((base - int(tables.lowest[index])) // step), (int(tables.highest[index]) - base) // step
        residual = min(max(residual, low), high)
        residuals.append(residual)
        values[index] = base + residual * step
        errors[index] = values[index] - target[index]
    late = newest.clock.residual(gap, timestamp)
    record = FrameRecord(sequence, newest.clock.advanced(gap, late), values, point)
    return _payload(newest.clock, late, residual_tables, residuals), record


def unchanged(point: int, target: NDArray[np.int64], newest: FrameRecord) -> bool:
    """Return whether every number of ``target`` (D,) is within the dead zone of what it was in the reference."""
    share, whole = DEAD_ZONE
    return bool((whole * np.abs(target - newest.values) <= share * step_units(point)).all())


def encode_held(sequence: int, timestamp: int, newest: FrameRecord) -> tuple[bytes, FrameRecord]:
    """Return the payload of a frame in which nothing has changed, and the frame as the receiver will have it."""
    gap = sequence - newest.sequence
    late = newest.clock.residual(gap, timestamp)
    coder = SymbolEncoder()
    coder.put(table_for(newest.clock.spread), late)
    return coder.finish(), FrameRecord(sequence, newest.clock.advanced(gap, late), newest.values, newest.point)


def decode_held(sequence: int, payload: bytes, newest: FrameRecord) -> FrameRecord:
    """Return the frame in such a payload; :class:`PacketError` unless it is exactly what an encoder makes."""
    gap = sequence - newest.sequence
    try:
        late = SymbolDecoder(payload).get(table_for(newest.clock.spread))
    except EntropyError:
        raise PacketError("A packet is damaged: no encoder makes its payload.") from None
    timestamp = (newest.clock.expected(gap) + late) % TIMESTAMP_MODULUS
    again, record = encode_held(sequence, timestamp, newest)
    if again != payload:
        raise PacketError("A packet is damaged: its payload is not the shortest for what it says.")
    return record


def decode_frame(
    tables: PredictionTables,
    point: int,
    sequence: int,
    payload: bytes,
    newest: FrameRecord,
    before: FrameRecord | None,
) -> tuple[FrameRecord, NDArray[np.int64]]:
    """Return the frame in a payload, and its numbers (D,) as they were predicted in time.

    The arguments are those of :func:`encode_frame`.

    Raises:
        PacketError: the payload is not exactly what an encoder makes.
    """
    gap = sequence - newest.sequence
    known = (newest.values, None if before is None else before.values)
    predicted = tables.predict(point, gap, *known)
    step = step_units(point)
    values = predicted.copy()
    residuals = []
    residual_tables = tables.residual_tables(point, gap, *known)
    coder = SymbolDecoder(payload)
    try:
        late = coder.get(table_for(newest.clock.spread))
        for index, table in enumerate(residual_tables):
            base = tables.within(index, int(predicted[index]), values[:index] - predicted[:index])
            residual = coder.get(table)
            value = base + residual * step
            if not tables.lowest[index] <= value <= tables.highest[index]:
                raise PacketError("A packet is damaged: it holds a number out of range.")
            residuals.append(residual)
            values[index] = value
    except EntropyError:
        raise PacketError("A packet is damaged: no encoder makes its payload.") from None
    if late != newest.clock.residual(gap, (newest.clock.expected(gap) + late) % TIMESTAMP_MODULUS):
        raise PacketError("A packet is damaged: its time is out of range.")
    if _payload(newest.clock, late, residual_tables, residuals) != payload:
        raise PacketError("A packet is damaged: its payload is not the shortest for what it says.")
    return FrameRecord(sequence, newest.clock.advanced(gap, late), values, point), predicted


def alone_record(sequence: int, timestamp: int, values: NDArray[np.int64]) -> FrameRecord:
    """Return the record of a frame that was coded alone."""
    return FrameRecord(sequence, FrameClock(timestamp), values)


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


def _payload(clock: FrameClock, late: int, tables: Sequence[ResidualTable], residuals: Sequence[int]) -> bytes:
    coder = SymbolEncoder()
    coder.put(table_for(clock.spread), late)
    for table, residual in zip(tables, residuals, strict=True):
        coder.put(table, residual)
    return coder.finish()
