"""One of a few values <-> symbols: what a header says, under fixed shares."""

import numpy as np

from codec.entropy import TABLE_TOTAL, EntropyError, ResidualTable, SymbolDecoder, SymbolEncoder

SHARES = 256
"""Sum of the shares of a choice."""


class Choice:
    """A choice among n values 0..n-1.

    >>> coder = SymbolEncoder()
    >>> Choice(200, 56).put(coder, 1)
    >>> Choice(200, 56).get(SymbolDecoder(coder.finish()))
    1
    """

    def __init__(self, *shares: int) -> None:
        """Expect each value so many times in 256, each at least once."""
        if min(shares) < 1 or sum(shares) != SHARES:
            raise EntropyError(f"The shares of a choice are positive and sum to {SHARES}.")
        self._size = len(shares)
        # A table has an odd number of entries and an escape: what stands for nothing takes as little as there is.
        spare = [1] * (2 - self._size % 2)
        frequencies = np.array([share * (TABLE_TOTAL // SHARES) for share in shares] + spare, np.int64)
        frequencies[0] -= len(spare)
        self._table = ResidualTable(frequencies)

    def put(self, coder: SymbolEncoder, value: int) -> None:
        """Append a value."""
        coder.put(self._table, value - self._table.radius)

    def get(self, coder: SymbolDecoder) -> int:
        """Return the next value; :class:`EntropyError` for data that no encoder makes."""
        value = coder.get(self._table) + self._table.radius
        if not 0 <= value < self._size:
            raise EntropyError("The compressed data names a choice that there is not: it is damaged.")
        return value

    def cost(self, value: int) -> float:
        """Return the ideal code length of a value in bits."""
        return self._table.cost(value - self._table.radius)
