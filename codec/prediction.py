"""How a frame is predicted from frames that the receiver is known to have: an avatar's section "prediction".

The D = 6 + T + E numbers of a frame, of a kind and in the order of :mod:`codec.parameters`, are integers in units of
1 / 64 of a step. Of a frame that lies ``gap`` frames after its reference A, and of B, the frame sent before A, number k
is predicted in two stages. In time::

    p_k = centre_k + (trend_a_k (A_k - centre_k) + trend_b_k (A_k - B_k) + 2**11 >> 12)

or, where the receiver has no B, ``p_k = centre_k + (hold_k (A_k - centre_k) + 2**11 >> 12)``, with weights for each
gap; where it has B, moreover, by what all the other numbers tell (:mod:`codec.cross_prediction`). And within the frame,
from how far the numbers before it turned out to lie from their own predictions::

    q_k = p_k + (sum_{j < k} innovation_kj (v_j - p_j) + 2**11 >> 12)

The number becomes ``v_k = q_k + residual_k`` steps. So the grid moves along with the prediction, and what goes on as it
did costs next to nothing. The residual is coded under a table of :func:`codec.adaptive.laplace_bank`, in the row that
enrolment found for this number and gap, shifted by how much pose, torso or expression moved from B to A.

Everything is integers, so that both sides compute the same on every machine. Each of
:data:`codec.operating_point.OPERATING_POINTS` has weights and rows of its own.

Layout, all integers little-endian::

    head        see `codec.table_head`: b"NCPR", version 2
    steps       D x u32, units of 2**-20; that of the point "normal"
    centres     D x i32, units of a 64th of a step
    innovation  i16 for k in 0..D, for j in 0..k, in units of 2**-12
    feedback    as many
    and of each operating point:
    hold        16 x D x i16, gaps 1 to 16
    trend       16 x 2 x D x i16, of each gap those of A, then those of A - B
    rows        2 x 16 x D x u8, of each gap without B, then with it
    edges       3 x 4 x u32, of pose, torso and expression
    shifts      3 x 5 x i8
and, absent in tables of before there was any, of the layout of `codec.linear_terms`:
    cross       see `codec.cross_prediction`
    filter      see `codec.post_filter`; none without the one before
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from codec.adaptive import laplace_bank
from codec.avatar_file import AvatarFile
from codec.cross_prediction import CrossPrediction
from codec.entropy import ResidualTable
from codec.errors import CodecError, TablesError
from codec.frame_record import GAPS
from codec.linear_terms import LinearTerms
from codec.operating_point import OPERATING_POINTS
from codec.packet import short_id
from codec.parameters import ParameterLayout
from codec.post_filter import PostFilter
from codec.quantiser import STEP_SCALE, Quantiser
from codec.table_fitting import WEIGHT_BITS
from codec.table_head import REMEDY, TableHead

SECTION: Final = "prediction"
"""Of an avatar file."""
HEAD = TableHead("prediction tables", b"NCPR", 2)
MAX_SIZE = 1 << 18
"""Bytes; the largest tables that can be written take less."""

SUBDIVISION: Final = 64
"""Units of a number per step."""
CLASSES: Final = 5
"""Degrees of motion from B to A."""
GROUPS: Final = 3
"""Pose, torso, expression: each has a degree of motion of its own."""

Integers = NDArray[np.int64]

_HALF = 1 << (WEIGHT_BITS - 1)


@dataclass(frozen=True, eq=False)
class PointTables:
    """What one operating point has of its own."""

    hold: Integers = field(repr=False)
    """(16, D) weights of A - centre where there is no B."""
    trend: Integers = field(repr=False)
    """(16, 2, D) weights of A - centre and of A - B."""
    rows: Integers = field(repr=False)
    """(2, 16, D) rows of the bank: without B, with B."""
    edges: Integers = field(repr=False)
    """(3, 4) sums of a group's abs(A - B) from which each next degree of motion begins, not descending."""
    shifts: Integers = field(repr=False)
    """(3, 5) rows to go on by, at each degree of motion of a group."""


@dataclass(frozen=True, eq=False)
class PredictionTables:
    """What both sides must share to predict; ``bytes(tables)`` is the section and ``parse`` its inverse."""

    quantiser: Quantiser
    """Of the point "normal"."""
    centres: Integers = field(repr=False)
    """(D,) of the mean face, units."""
    innovation: Integers = field(repr=False)
    """(D, D), strictly lower triangular."""
    feedback: Integers = field(repr=False)
    """(D, D), strictly lower triangular, for the encoder alone: see :mod:`codec.noise_feedback`."""
    points: tuple[PointTables, ...] = field(repr=False)
    """Of each operating point."""
    cross: CrossPrediction | None = field(default=None, repr=False)
    """What numbers tell of each other; None: nothing."""
    post_filter: PostFilter | None = field(default=None, repr=False)
    """What makes of a decoded frame the one that is shown; None: it is shown as it is."""

    def __post_init__(self) -> None:
        """Raise :class:`TablesError` for what cannot be written: a filter without cross terms."""
        if self.cross is None and self.post_filter is not None:
            raise TablesError("Prediction tables with a filter need cross terms, be they zero.")

    @property
    def layout(self) -> ParameterLayout:
        """Of the numbers of a frame."""
        return self.quantiser.layout

    @cached_property
    def lowest(self) -> Integers:
        """(D,) the smallest value of each number, units."""
        return self.quantiser.lowest * SUBDIVISION

    @cached_property
    def highest(self) -> Integers:
        """(D,) the largest value of each number, units."""
        return self.quantiser.highest * SUBDIVISION

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 (32 bytes) of the tables."""
        return hashlib.sha256(bytes(self)).digest()

    def predict(self, point: int, gap: int, newest: Integers, before: Integers | None) -> Integers:
        """Return p (D,), within bounds, from the reference's values (D,) and from those of the frame before it."""
        tables, offsets = self.points[point], newest - self.centres
        if before is None:
            weighted = tables.hold[gap - 1] * offsets
        else:
            weighted = tables.trend[gap - 1, 0] * offsets + tables.trend[gap - 1, 1] * (newest - before)
        predicted: Integers = self.centres + ((weighted + _HALF) >> WEIGHT_BITS)
        if before is not None and self.cross is not None:
            predicted += self.cross(point, gap, offsets, newest - before)
        np.clip(predicted, self.lowest, self.highest, out=predicted)
        return predicted

    def residual_tables(self, point: int, gap: int, newest: Integers, before: Integers | None) -> list[ResidualTable]:
        """Return the D frequency tables of the residuals."""
        tables, bank = self.points[point], laplace_bank()[0]
        rows = tables.rows[int(before is not None), gap - 1]
        if before is not None:
            rows = rows.copy()
            moved = np.abs(newest - before)
            for group, edges, shifts in zip(self.layout.groups, tables.edges, tables.shifts, strict=True):
                rows[group] += shifts[np.searchsorted(edges, moved[group].sum(), side="right")]
        return [bank[row] for row in np.clip(rows, 0, len(bank) - 1)]

    def within(self, index: int, predicted: int, deviations: Integers) -> int:
        """Return q of number ``index``: p, moved by the deviations v - p (index,) of the numbers before it."""
        weighted = int(self.innovation[index, :index] @ deviations)
        value = predicted + ((weighted + _HALF) >> WEIGHT_BITS)
        return min(max(value, int(self.lowest[index])), int(self.highest[index]))

    def shown(self, point: int, gap: int, values: Integers, predicted: Integers, previous: Integers | None) -> Integers:
        """Return what to show (D,), within bounds, of a frame.

        Args:
            point: operating point.
            gap: frames since its reference.
            values: (D,) as they were decoded.
            predicted: (D,) as they were predicted in time.
            previous: (D,) values of the frame before, None where it is not known.
        """
        if self.post_filter is None:
            return values
        since = np.zeros_like(values) if previous is None else previous - values
        filtered: Integers = values + self.post_filter(point, gap, since, values - predicted)
        np.clip(filtered, self.lowest, self.highest, out=filtered)
        return filtered

    def parameters(self, values: Integers) -> NDArray[np.float64]:
        """Return the parameters (D,) that ``values`` (D,) stand for, see :mod:`codec.quantiser`."""
        scaled: NDArray[np.float64] = values * (self.quantiser.steps / (STEP_SCALE * SUBDIVISION))
        return scaled

    def units(self, parameters: NDArray[np.float64]) -> Integers:
        """Return the values (D,), within bounds, nearest to finite ``parameters`` (D,)."""
        scaled = np.rint(parameters * (STEP_SCALE * SUBDIVISION / self.quantiser.steps))
        return np.clip(scaled, self.lowest, self.highest).astype(np.int64)

    def units_of_symbols(self, symbols: Integers, quantiser: Quantiser) -> Integers:
        """Return the values (D,) of a frame that was coded alone, as ``symbols`` (D,) of another quantiser."""
        steps = self.quantiser.steps
        values: Integers = (2 * SUBDIVISION * symbols * quantiser.steps + steps) // (2 * steps)
        np.clip(values, self.lowest, self.highest, out=values)
        return values

    def __bytes__(self) -> bytes:
        parts = [HEAD.pack(self.layout)]
        parts += [self.quantiser.steps.astype("<u4").tobytes(), self.centres.astype("<i4").tobytes()]
        parts += [
            matrix[_triangle(self.layout.size)].astype("<i2").tobytes() for matrix in (self.innovation, self.feedback)
        ]
        for point in self.points:
            parts += [array.astype(kind).tobytes() for array, (kind, _) in zip(_arrays(point), _LAYOUT, strict=True)]
        parts += [bytes(terms) for terms in (self.cross, self.post_filter) if terms is not None]
        return b"".join(parts)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the tables in ``data``; :class:`TablesError` for anything but what ``bytes`` makes."""
        layout, start = HEAD.parse(data, MAX_SIZE)
        size, end = layout.size, start + _length(layout.size)
        blocks = _blocks(data, start, size)
        try:
            quantiser = Quantiser(layout, next(blocks))
            centres, innovation, feedback = next(blocks), *(_square(next(blocks), size) for _ in range(2))
            points = tuple(PointTables(*(next(blocks) for _ in _LAYOUT)) for _ in OPERATING_POINTS)
        except TablesError:
            raise
        except CodecError as error:
            raise TablesError(f"The prediction tables are damaged ({error}): {REMEDY}.") from None
        length = LinearTerms.length(size)
        parts, rest = divmod(len(data) - end, length)
        if rest or parts > 2:
            raise TablesError(f"The prediction tables are followed by {len(data) - end} bytes too many: {REMEDY}.")
        cross = CrossPrediction.parse(data[end : end + length], size) if parts else None
        post_filter = PostFilter.parse(data[end + length :], size) if parts == 2 else None
        tables = cls(quantiser, centres, innovation, feedback, points, cross, post_filter)
        tables._check()
        return tables

    def _check(self) -> None:
        if (self.centres < self.lowest).any() or (self.centres > self.highest).any():
            raise TablesError(f"The prediction tables' centres are out of range: {REMEDY}.")
        for point in self.points:
            if point.rows.max() >= len(laplace_bank()[0]):
                raise TablesError(f"The prediction tables name a row that no bank has: {REMEDY}.")
            if (np.diff(point.edges, axis=1) < 0).any():
                raise TablesError(f"The prediction tables' degrees of motion are out of order: {REMEDY}.")


def prediction_of(file: AvatarFile) -> PredictionTables | None:
    """Return an avatar's tables; None where it has none, of before there was prediction.

    Raises:
        TablesError: its section is damaged.
    """
    section = file.sections.get(SECTION)
    return None if section is None else PredictionTables.parse(section)


def context_of(avatar_id: bytes, tables: PredictionTables) -> bytes:
    """Return what the checksum of a predicted packet covers besides the packet and its references."""
    return short_id(avatar_id) + tables.digest


_LAYOUT: Final = (
    ("<i2", lambda size: (GAPS, size)),
    ("<i2", lambda size: (GAPS, 2, size)),
    ("<u1", lambda size: (2, GAPS, size)),
    ("<u4", lambda size: (GROUPS, CLASSES - 1)),
    ("<i1", lambda size: (GROUPS, CLASSES)),
)
"""Kind and shape of each array of a point, in the order of the fields of :class:`PointTables`."""


def _arrays(point: PointTables) -> tuple[Integers, ...]:
    return point.hold, point.trend, point.rows, point.edges, point.shifts


def _shapes(size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield kind and shape of each array behind the head."""
    pairs = size * (size - 1) // 2
    yield from (("<u4", (size,)), ("<i4", (size,)), ("<i2", (pairs,)), ("<i2", (pairs,)))
    for _ in OPERATING_POINTS:
        yield from ((kind, shape(size)) for kind, shape in _LAYOUT)


def _length(size: int) -> int:
    """Return the bytes behind the head."""
    return sum(int(np.prod(shape)) * np.dtype(kind).itemsize for kind, shape in _shapes(size))


def _blocks(data: bytes, position: int, size: int) -> Iterator[Integers]:
    for kind, shape in _shapes(size):
        end = position + int(np.prod(shape)) * np.dtype(kind).itemsize
        if end > len(data):
            raise TablesError(f"The prediction tables are cut off: {REMEDY}.")
        yield np.frombuffer(data[position:end], kind).astype(np.int64).reshape(shape)
        position = end


def _triangle(size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.tril_indices(size, -1)
    return rows, columns


def _square(entries: Integers, size: int) -> Integers:
    """Return the strictly lower triangular matrix (size, size) of its entries, row by row."""
    matrix = np.zeros((size, size), np.int64)
    matrix[_triangle(size)] = entries
    return matrix
