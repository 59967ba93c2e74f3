"""Backward-adaptive residual tables: a bank of integer Laplace tables, chosen by a running mean in integers.

Both sides compute the same tables by the same integer recurrences, so nothing about them is sent or stored.
The bank also serves frames that are predicted from others (codec.prediction), whose rows are chosen at enrolment.
"""

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from codec.entropy import MAX_RADIUS, TABLE_TOTAL, ResidualTable

MEAN_SCALE = 64
"""Units of a running mean per unit of a residual."""

_RATE_SHIFT = 4
_LARGEST_SCALE = 512 * MEAN_SCALE


class AdaptiveResidual:
    """The table for the next residual of one parameter, by the size of those before it."""

    def __init__(self) -> None:
        self._mean = 4 * MEAN_SCALE

    @property
    def table(self) -> ResidualTable:
        """Table for the next residual."""
        return table_for(self._mean)

    def update(self, residual: int) -> None:
        """Learn from the residual just coded: mean += (|residual| - mean) / 16."""
        self._mean = updated_mean(self._mean, residual, _RATE_SHIFT)


def table_for(mean: int) -> ResidualTable:
    """Return the table for residuals whose mean absolute value is ``mean`` / 64."""
    tables, means = laplace_bank()
    return tables[int(np.searchsorted(means, mean, side="right")) - 1]


def updated_mean(mean: int, residual: int, shift: int) -> int:
    """Return the running mean, in units of 1 / 64, after one more residual, which counts with weight 2**-shift."""
    size = min(abs(residual), MAX_RADIUS) * MEAN_SCALE
    return max(mean + ((size - mean) >> shift), 0)


@cache
def laplace_bank() -> tuple[list[ResidualTable], NDArray[np.int64]]:
    """Return tables of growing width and the mean absolute residual (scaled) from which each is the one to use."""
    scales = [1]
    while scales[-1] < _LARGEST_SCALE:
        scales.append(scales[-1] + max(1, scales[-1] * 3 // 8))
    tables = [ResidualTable(_laplace_frequencies(scale)) for scale in scales]
    means = []
    for table in tables:
        distance = np.abs(np.arange(-table.radius, table.radius + 1))
        means.append(int((distance * table.frequencies[:-1]).sum()) * MEAN_SCALE // TABLE_TOTAL)
    # A mean between two tables takes the nearer one; the narrowest takes everything below.
    edges = [0, *((first + second) // 2 for first, second in pairwise(means))]
    return tables, np.array(edges, np.int64)


def _laplace_frequencies(scale: int) -> NDArray[np.int64]:
    """Return a table of which 7/8 falls off as (scale / (scale + 64))^|r| and 1/8 four times as slowly."""
    radius = min(MAX_RADIUS, 6 * (scale // MEAN_SCALE + 1) + 2)
    one_sided = [
        7 * near // 8 + far // 8
        for near, far in zip(_geometric(scale, radius), _geometric(4 * scale, radius), strict=True)
    ]
    weights = [*reversed(one_sided[1:]), *one_sided, one_sided[-1]]
    spare, total = TABLE_TOTAL - len(weights), sum(weights)
    frequencies = np.array([1 + weight * spare // total for weight in weights], np.int64)
    frequencies[radius] += TABLE_TOTAL - int(frequencies.sum())
    return frequencies


def _geometric(scale: int, radius: int) -> list[int]:
    """Return probabilities 0..radius, in units of 2**-40, of the two-sided geometric distribution of that scale."""
    # theta = scale / (scale + 64); p(0) = (1 - theta) / (1 + theta) = 64 / (2 scale + 64).
    values = [(MEAN_SCALE << 40) // (2 * scale + MEAN_SCALE)]
    for _ in range(radius):
        values.append(values[-1] * scale // (scale + MEAN_SCALE))
    return values
