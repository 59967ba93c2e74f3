"""The coding tables of one avatar: steps, intra-frame predictors and frequencies, all integers.

A frame is coded alone. Its D = 6 + T + E symbols go in the order rotation vector, translation, torso, expression, and
each is predicted from those before it in the same frame::

    prediction_k = clamp(centre_k + (sum_{j < k} weight_kj (symbol_j - centre_j) + 2**11) >> 12)

which takes out what the parameters say about each other (a turning head also shifts and takes the torso along, a smile
also narrows the eyes).
What remains is coded under one frequency table per parameter.

Layout, all integers little-endian::

    head     see `codec.table_head`: b"NCTB", version 3
    models   D x (step u32 in units of 2**-20, centre i32)
    weights  i16 for k in 0..D, for j in 0..k, in units of 2**-12
    tables   D x (radius u16, then 2 radius + 2 frequencies u16)
"""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from operator import mul
from typing import Self

import numpy as np
from numpy.typing import NDArray

from codec.entropy import MAX_RADIUS, ResidualTable
from codec.errors import CodecError, TablesError
from codec.face_state import FaceState, HeadPose
from codec.parameters import ParameterLayout, state_from_parameters
from codec.quantiser import Quantiser
from codec.table_fitting import WEIGHT_BITS, fit_predictor, fit_table, parameter_steps, training_parameters
from codec.table_head import REMEDY, TableHead

HEAD = TableHead("coding tables", b"NCTB", 3)
MAX_SIZE = 1 << 20
"""Bytes; the largest tables that can be written take less."""

ROTATION_STEP = 0.05
"""Degrees."""
PICTURE_STEP = 0.125
"""Pixels of a 256 x 256 picture."""

_HALF = 1 << (WEIGHT_BITS - 1)


@dataclass(frozen=True, eq=False)
class CodecTables:
    """What coder and decoder must share; ``bytes(tables)`` goes into the avatar, and ``parse`` is its inverse."""

    quantiser: Quantiser
    centres: list[int] = field(repr=False)
    """(D,) symbols of the face at rest."""
    weights: list[list[int]] = field(repr=False)
    """Row k has the k weights of the symbols before it, in units of 2**-12."""
    residuals: list[ResidualTable] = field(repr=False)
    """(D,) frequency tables of the prediction residuals."""

    @classmethod
    def fit(
        cls,
        expressions: NDArray[np.floating],
        poses: Sequence[HeadPose],
        torsos: NDArray[np.floating],
        *,
        expression_step: float | NDArray[np.floating] = 0.25,
        rotation_step: float = ROTATION_STEP,
        picture_step: float = PICTURE_STEP,
        focal: float = 1.5,
    ) -> Self:
        """Return tables for a person, from the frames of one enrolment in the order of time.

        ``expressions`` (N, E) are embedded, ``poses`` has length N and ``torsos`` are (N, T) as in
        :class:`~codec.face_state.FaceState`; N >= 16. ``expression_step`` is one number or (E,), see
        :func:`codec.table_fitting.expression_steps`. ``rotation_step`` is in degrees. ``picture_step`` is in pixels of
        a 256 x 256 picture taken with ``focal`` (in heights of the picture), and what x and y of the head get; its
        size gets a step that moves a point a quarter of the picture away from its centre by as much. The torso's steps
        are half of that. :class:`TablesError` for too few frames or numbers not finite.
        """
        parameters = training_parameters(np.asarray(expressions, np.float64), poses, torsos)
        layout = ParameterLayout(np.shape(torsos)[1], np.shape(expressions)[1])
        steps = parameter_steps(layout, expression_step, rotation_step, picture_step, focal)
        quantiser = Quantiser(layout, steps)
        symbols = quantiser.quantise(parameters)
        centres, weights, residuals = fit_predictor(symbols)
        return cls(quantiser, centres, weights, [fit_table(residuals[:, k]) for k in range(len(steps))])

    @property
    def layout(self) -> ParameterLayout:
        """Of the numbers of a frame."""
        return self.quantiser.layout

    @property
    def expression_size(self) -> int:
        """E, the coefficients of the embedded expression."""
        return self.layout.expression_size

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 (32 bytes) of the tables."""
        return hashlib.sha256(bytes(self)).digest()

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """(D,) the smallest and the largest symbol of each parameter."""
        return list(zip(self.quantiser.lowest.tolist(), self.quantiser.highest.tolist(), strict=True))

    def predict(self, index: int, offsets: Sequence[int]) -> int:
        """Return the prediction of symbol ``index`` from the offsets, symbol - centre, of those before it."""
        low, high = self.bounds[index]
        weighted: int = sum(map(mul, self.weights[index], offsets))
        value = self.centres[index] + ((weighted + _HALF) >> WEIGHT_BITS)
        return min(max(value, low), high)

    def rest_state(self, timestamp: float) -> FaceState:
        """Return the mean face of the enrolment, not present: what there is to show before anything has arrived."""
        parameters = self.quantiser.dequantise(np.array(self.centres, np.int64))
        return state_from_parameters(parameters, self.layout, timestamp, present=False)

    def __bytes__(self) -> bytes:
        parts = [HEAD.pack(self.layout)]
        parts += [
            struct.pack("<Ii", step, centre)
            for step, centre in zip(self.quantiser.steps.tolist(), self.centres, strict=True)
        ]
        parts += [struct.pack(f"<{len(row)}h", *row) for row in self.weights]
        for table in self.residuals:
            parts += [struct.pack("<H", table.radius), table.frequencies.astype("<u2").tobytes()]
        return b"".join(parts)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Return the tables in ``data``; :class:`TablesError` for anything but what ``bytes`` makes."""
        layout, start = HEAD.parse(data, MAX_SIZE)
        try:
            tables, end = cls._parse_body(data, layout, start)
        except (struct.error, IndexError):
            raise TablesError(f"The coding tables are cut off: {REMEDY}.") from None
        except TablesError:
            raise
        except CodecError as error:
            raise TablesError(f"The coding tables are damaged ({error}): {REMEDY}.") from None
        if end != len(data):
            raise TablesError(f"The coding tables are followed by {len(data) - end} bytes too many: {REMEDY}.")
        return tables

    @classmethod
    def _parse_body(cls, data: bytes, layout: ParameterLayout, start: int) -> tuple[Self, int]:
        count = layout.size
        models = struct.unpack_from("<" + "Ii" * count, data, start)
        quantiser, centres = Quantiser(layout, np.array(models[::2], np.int64)), list(models[1::2])
        if any(not low <= c <= high for low, c, high in zip(quantiser.lowest, centres, quantiser.highest, strict=True)):
            raise TablesError(f"The coding tables' centres are out of range: {REMEDY}.")
        position = start + 8 * count
        weights: list[list[int]] = []
        for k in range(count):
            weights.append(list(struct.unpack_from(f"<{k}h", data, position)))
            position += 2 * k
        residuals = []
        for _ in range(count):
            (radius,) = struct.unpack_from("<H", data, position)
            if radius > MAX_RADIUS:
                raise TablesError(f"A coding table's radius is {radius} of at most {MAX_RADIUS}: {REMEDY}.")
            entries = struct.unpack_from(f"<{2 * radius + 2}H", data, position + 2)
            residuals.append(ResidualTable(np.array(entries, np.int64)))
            position += 2 + 2 * len(entries)
        return cls(quantiser, centres, weights, residuals), position
