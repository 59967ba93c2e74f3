"""Which operating point of a codec has a wanted rate, and which rate its curve says a wanted quality takes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from scipy.interpolate import PchipInterpolator

from app.bench.bjontegaard import Curve, efficient
from app.bench.codec import BenchCodec, Coded, Frames
from app.errors import UserError


class OperatingPointError(UserError):
    """A codec has no operating point of the wanted rate."""


class Footage(Protocol):
    """What is to be coded."""

    @property
    def frames(self) -> Frames:
        """(N, S, S, 3), RGB."""

    @property
    def fps(self) -> float:
        """Frames a second."""


class Reach(Enum):
    """How a curve's rate for a value is to be read."""

    EXACT = "="
    """The curve reaches the value at that rate."""
    AT_MOST = "<="
    """The coarsest measured point is that good already; what is below was not measured, or does not exist."""
    MORE_THAN = ">"
    """The finest measured point is not that good."""


@dataclass(frozen=True, slots=True)
class RateAt:
    """The rate at which a codec reaches a value."""

    kbps: float
    reach: Reach

    def __str__(self) -> str:
        sign = "" if self.reach is Reach.EXACT else self.reach.value + " "
        return f"{sign}{self.kbps:.1f} kbit/s" + ("" if self.reach is Reach.EXACT else " (beyond the measured range)")


def lowest_rate_above(
    codec_at: Callable[[int], BenchCodec], points: Sequence[int], footage: Footage, kbps: float
) -> tuple[int, Coded]:
    """Return the coarsest point whose rate is not below ``kbps``, with its bits.

    By bisection, as the rate falls while the point rises, and each point is coded once. Encoders do not keep to that
    everywhere, so the two points behind the one that bisection refused are tried as well.

    Args:
        codec_at: the codec by its point.
        points: among whose lowest and highest all whole numbers are searched.
        footage: what is coded.
        kbps: kbit/s.

    Raises:
        OperatingPointError: even the finest point has a lower rate.
    """
    coded: dict[int, Coded] = {}

    def rate(point: int) -> float:
        if point not in coded:
            coded[point] = codec_at(point).encode(footage.frames, footage.fps)
        return coded[point].kbps(footage.fps)

    fine, coarse = min(points), max(points)
    if rate(coarse) >= kbps:
        return coarse, coded[coarse]
    if rate(fine) < kbps:
        raise OperatingPointError(
            f"{codec_at(fine).label} reaches {rate(fine):.1f} kbit/s at its finest point {fine}, below the {kbps:.1f} "
            "wanted: give it finer operating points"
        )
    highest = coarse
    while coarse - fine > 1:
        middle = (fine + coarse) // 2
        if rate(middle) >= kbps:
            fine = middle
        else:
            coarse = middle
    best = fine
    for point in range(fine + 2, min(fine + 3, highest) + 1):
        if kbps <= rate(point) < rate(best):
            best = point
    return best, coded[best]


def rate_at(curve: Curve, value: float, higher_is_better: bool = True) -> RateAt:
    """Return at which rate ``curve`` reaches ``value``.

    Between the measured points the logarithm of the rate is a PCHIP over the value, the curve that bd_rate integrates.
    Beyond them nothing is extrapolated: the nearest point's rate is returned as the bound that it is. A lone point is a
    curve of that point. Raises CurveError at impossible points, ValueError where there is none.
    """
    points = efficient(curve, higher_is_better)
    if not points:
        raise ValueError("a curve has at least one point")
    sign = 1 if higher_is_better else -1
    values = [sign * reached for _, reached in points]
    wanted = sign * value
    if wanted < values[0]:
        return RateAt(points[0][0], Reach.AT_MOST)
    if wanted > values[-1]:
        return RateAt(points[-1][0], Reach.MORE_THAN)
    if len(points) == 1:
        return RateAt(points[0][0], Reach.EXACT)
    logarithm = PchipInterpolator(values, [math.log(rate) for rate, _ in points])(wanted)
    return RateAt(math.exp(float(logarithm)), Reach.EXACT)
