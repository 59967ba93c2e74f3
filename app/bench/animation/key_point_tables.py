"""Key points <-> symbols <-> bits, with the avatar codec's own machinery.

The numbers are quantised uniformly, and what is coded is each symbol's difference to the frame before. The differences
are predicted, in integers, from those before them in the same frame as :mod:`codec.tables` predicts symbols, and the
residuals are coded with the same range coder under frequency tables fitted in the same way. The avatar codec's frames
do without the frame before, so that each decodes alone; here it is used, as in DAC, because a lost reference breaks the
chain anyway. It saves 42 % of the bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.bench.animation.motion import KEY_POINTS
from codec.entropy import ResidualTable, SymbolDecoder, SymbolEncoder
from codec.table_fitting import WEIGHT_BITS, fit_predictor, fit_table

NUMBERS = 6 * KEY_POINTS
PLACE_STEP = 1 / 256
"""Half a pixel of 256."""
JACOBIAN_STEP = 1 / 32
LARGEST_SYMBOL = 1 << 12
"""Symbols beyond are clamped: 16 pictures away."""

_HALF = 1 << (WEIGHT_BITS - 1)
_TENSORS = ("centres", "weights", "radii", "frequencies")


@dataclass(frozen=True, eq=False)
class KeyPointTables:
    """Predictors and frequencies of one person's key points: part of the network file."""

    centres: list[int] = field(repr=False)
    """(60,) symbols of the person at rest, which stand for the frame before the first."""
    weights: list[list[int]] = field(repr=False)
    """Row k has the k weights of the differences before it, in units of 2**-12."""
    residuals: list[ResidualTable] = field(repr=False)
    """(60,)."""

    @staticmethod
    def step_sizes() -> Tensor:
        """Return the quantiser's steps (60,), in the order of :meth:`KeyPoints.vector`."""
        return torch.tensor([PLACE_STEP] * 2 + [JACOBIAN_STEP] * 4).repeat(KEY_POINTS)

    @classmethod
    def fit(cls, vectors: NDArray[np.float64]) -> "KeyPointTables":
        """Fit to the key points (N, 60) of consecutive frames."""
        symbols = quantise(vectors)
        centres: list[int] = np.rint(np.median(symbols, axis=0)).astype(np.int64).tolist()
        # Differences have no centre but 0, which is what their mean is rounded to.
        _, weights, residuals = fit_predictor(np.diff(symbols, axis=0))
        return cls(centres, weights, [fit_table(residuals[:, k]) for k in range(NUMBERS)])

    def encode(self, symbols: Sequence[int], before: Sequence[int] | None) -> bytes:
        """Return the bits of a frame's symbols (60,); ``before`` are those of the last frame, None for the first."""
        coder = SymbolEncoder()
        differences: list[int] = []
        for k, (symbol, last) in enumerate(zip(symbols, before or self.centres, strict=True)):
            coder.put(self.residuals[k], symbol - last - self._predict(k, differences))
            differences.append(symbol - last)
        return coder.finish()

    def decode(self, data: bytes, before: Sequence[int] | None) -> list[int]:
        """Return the symbols of which :meth:`encode` made ``data``."""
        coder = SymbolDecoder(data)
        differences: list[int] = []
        for k in range(NUMBERS):
            differences.append(coder.get(self.residuals[k]) + self._predict(k, differences))
        return [last + difference for last, difference in zip(before or self.centres, differences, strict=True)]

    def tensors(self) -> dict[str, Tensor]:
        """Return the tables as integer tensors for a file."""
        frequencies = np.concatenate([table.frequencies for table in self.residuals])
        return {
            "centres": torch.tensor(self.centres, dtype=torch.int32),
            "weights": torch.tensor([weight for row in self.weights for weight in row], dtype=torch.int16),
            "radii": torch.tensor([table.radius for table in self.residuals], dtype=torch.int16),
            "frequencies": torch.from_numpy(frequencies.astype(np.int32)),
        }

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> "KeyPointTables":
        """Return the tables that gave ``tensors``; KeyError, ValueError or EntropyError for anything else."""
        centres, weights, radii, frequencies = (tensors[name].tolist() for name in _TENSORS)
        if len(centres) != NUMBERS or len(radii) != NUMBERS:
            raise ValueError(f"There are tables of {len(radii)} numbers where {NUMBERS} are expected.")
        rows, position = [], 0
        for k in range(NUMBERS):
            rows.append(weights[position : position + k])
            position += k
        tables, place = [], 0
        for radius in radii:
            tables.append(ResidualTable(np.array(frequencies[place : place + 2 * radius + 2], np.int64)))
            place += 2 * radius + 2
        if position != len(weights) or place != len(frequencies):
            raise ValueError("The tables are longer than their numbers need.")
        return cls(centres, rows, tables)

    def _predict(self, k: int, differences: Sequence[int]) -> int:
        weighted: int = sum(map(mul, self.weights[k], differences))
        return (weighted + _HALF) >> WEIGHT_BITS


def quantise(vectors: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the symbols nearest to key points (..., 60)."""
    scaled = np.rint(vectors / KeyPointTables.step_sizes().numpy().astype(np.float64))
    return np.clip(scaled, -LARGEST_SYMBOL, LARGEST_SYMBOL).astype(np.int64)


def dequantise(symbols: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the key points (..., 60) that symbols stand for."""
    values: NDArray[np.float32] = (symbols * KeyPointTables.step_sizes().numpy()).astype(np.float32)
    return values
