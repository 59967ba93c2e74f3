"""Operating points: how finely, and how often, a sender sends."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """One choice between bits and likeness; the sender's, packet by packet."""

    name: str
    halves: int
    """The step of each number, in halves of the normal one."""
    stride: int
    """Of the camera's frames, at 25 a second, every so many is sent; the receiver interpolates between them."""


FINEST: Final = OperatingPoint("finest", 1, 1)
NORMAL: Final = OperatingPoint("normal", 2, 1)
THRIFTY: Final = OperatingPoint("thrifty", 6, 2)

OPERATING_POINTS: Final = (FINEST, NORMAL, THRIFTY)
"""In the order of their numbers on the wire."""


def point_named(name: str) -> OperatingPoint:
    """Return the operating point of a name; :class:`KeyError` when there is none.

    >>> point_named("thrifty").stride
    2
    """
    return {point.name: point for point in OPERATING_POINTS}[name]
