"""Acknowledgements of a network that is not there: frames are known to be delivered some time later."""

from collections import deque
from collections.abc import Sequence
from typing import Final

EVERY: Final = 2
"""Messages for each acknowledgement, as SCTP sends one for every second packet."""


class DelayedAcknowledgements:
    """Says when a sender hears of which frames.

    >>> acknowledgements = DelayedAcknowledgements(0.12)
    >>> for sequence in range(3):
    ...     acknowledgements.arrived([sequence], 0.04 * sequence)
    >>> acknowledgements.heard(0.15), acknowledgements.heard(0.17)
    ([], [0, 1])
    """

    def __init__(self, delay: float, every: int = EVERY) -> None:
        """``delay``: seconds from sending a message to hearing of it, when it is told of at once."""
        self._delay, self._every = delay, every
        self._untold: list[int] = []
        self._messages = 0
        self._under_way: deque[tuple[float, list[int]]] = deque()

    def arrived(self, sequences: Sequence[int], now: float, alone: bool = False) -> None:
        """Note a message of frames that was sent at ``now`` and arrives; one coded ``alone`` is told of at once."""
        self._untold += sequences
        self._messages += 1
        if alone or self._messages >= self._every:
            self._under_way.append((now + self._delay, self._untold))
            self._untold, self._messages = [], 0

    def heard(self, now: float) -> list[int]:
        """Return the numbers of the frames that the sender has heard of since it was last asked."""
        told: list[int] = []
        while self._under_way and self._under_way[0][0] <= now + 1e-6:
            told += self._under_way.popleft()[1]
        return told
