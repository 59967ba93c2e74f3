"""What one codec saves against another over a range of rates: Bjøntegaard's measures.

G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", ITU-T SG16 VCEG-M33 (2001), and
"Improvements of the BD-PSNR model", VCEG-AI11 (2008). The curves between the measured points are piecewise cubic
Hermite polynomials (PCHIP) over the logarithm of the rate, as in the common test conditions of JVET (JVET-T2010) and in
ITU-T HSTP-VID-WPOM (2020), instead of M33's single cubic, which swings between points that lie far apart. PCHIP:
F. N. Fritsch and J. Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM J. Sci.
Stat. Comput. 5 (1984).

Those documents take four to six points a curve; two are the fewest that are accepted here, joined by a line.
"""

import math
from collections.abc import Iterable

import numpy as np
from scipy.interpolate import PchipInterpolator

from app.errors import UserError

Curve = Iterable[tuple[float, float]]
"""(kbit/s, value) of each operating point, in any order."""
MIN_POINTS = 2


class CurveError(UserError):
    """A rate-distortion curve has too few points that are of use, or impossible ones."""


def bd_rate(anchor: Curve, test: Curve, higher_is_better: bool = True) -> float | None:
    """Return how much more rate ``test`` needs than ``anchor`` for the same values, in per cent; negative: it saves.

    The mean is that of the rates' logarithms over the values that both curves reach; None where there are none. Only
    :func:`efficient` points count. Raises CurveError where fewer than `MIN_POINTS` are left.
    """
    curves = [
        PchipInterpolator([_oriented(value, higher_is_better) for _, value in curve], [math.log(r) for r, _ in curve])
        for curve in (_usable(anchor, higher_is_better), _usable(test, higher_is_better))
    ]
    difference = _mean_difference(*curves)
    return None if difference is None else 100 * math.expm1(difference)


def bd_metric(anchor: Curve, test: Curve, higher_is_better: bool = True) -> float | None:
    """Return how much higher ``test``'s value is than ``anchor``'s at the same rate, in the metric's unit.

    The mean is that over the logarithms of the rates that both curves have; None where there are none. With
    ``higher_is_better=False`` a negative difference is the better one. Only :func:`efficient` points count. Raises
    CurveError where fewer than `MIN_POINTS` are left.
    """
    curves = [
        PchipInterpolator([math.log(rate) for rate, _ in curve], [value for _, value in curve])
        for curve in (_usable(anchor, higher_is_better), _usable(test, higher_is_better))
    ]
    return _mean_difference(*curves)


def efficient(curve: Curve, higher_is_better: bool = True) -> list[tuple[float, float]]:
    """Return the points of ``curve`` that no cheaper or equally cheap one equals or beats, by rising rate and quality.

    Nobody would choose the others, and both interpolations need curves that rise. Raises CurveError at values or rates
    that are not finite, and at rates that are not positive.
    """
    kept: list[tuple[float, float]] = []
    for rate, value in sorted(curve, key=lambda point: (point[0], -_oriented(point[1], higher_is_better))):
        if not (math.isfinite(rate) and rate > 0 and math.isfinite(value)):
            raise CurveError(f"a curve has the point ({rate} kbit/s, {value}): measure that operating point again")
        if not kept or _oriented(value, higher_is_better) > _oriented(kept[-1][1], higher_is_better):
            kept.append((rate, value))
    return kept


def _usable(curve: Curve, higher_is_better: bool) -> list[tuple[float, float]]:
    points = efficient(curve, higher_is_better)
    if len(points) < MIN_POINTS:
        raise CurveError(f"a curve has {len(points)} points that are of use: measure at least {MIN_POINTS}, better 4")
    return points


def _oriented(value: float, higher_is_better: bool) -> float:
    return value if higher_is_better else -value


def _mean_difference(anchor: PchipInterpolator, test: PchipInterpolator) -> float | None:
    """Return the mean of ``test`` less ``anchor`` over their common arguments."""
    low, high = max(anchor.x[0], test.x[0]), min(anchor.x[-1], test.x[-1])
    if low >= high:
        return None
    return float(np.asarray(test.integrate(low, high) - anchor.integrate(low, high)).item() / (high - low))
