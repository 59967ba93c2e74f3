"""Bjøntegaard's measures against analytic truth and against an independent implementation."""

import math

import bjontegaard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.bjontegaard import CurveError, bd_metric, bd_rate, efficient

# Rates in kbit/s and PSNR in dB that two encoders gave for one sequence at four points each.
ANCHOR = [(9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851)]
TEST = [(9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 35.072)]

values = st.lists(st.floats(20, 50).map(lambda value: round(value, 3)), min_size=4, max_size=9, unique=True).map(sorted)


def curve(rates: list[float], quality: list[float]) -> list[tuple[float, float]]:
    return list(zip(rates, quality, strict=True))


@given(values, st.floats(0.2, 5))
def test_a_curve_that_needs_a_constant_factor_more_rate_has_that_bd_rate(quality: list[float], factor: float) -> None:
    rates = [10 * 1.5**index for index in range(len(quality))]
    anchor = curve(rates, quality)
    test = [(rate * factor, value) for rate, value in anchor]
    assert bd_rate(anchor, test) == pytest.approx(100 * (factor - 1), abs=1e-6)


@given(values, st.floats(-5, 5))
def test_a_curve_that_is_higher_by_a_constant_has_that_bd_psnr(quality: list[float], offset: float) -> None:
    anchor = curve([10 * 1.5**index for index in range(len(quality))], quality)
    test = [(rate, value + offset) for rate, value in anchor]
    assert bd_metric(anchor, test) == pytest.approx(offset, abs=1e-9)


def test_straight_lines_over_the_logarithm_of_the_rate() -> None:
    """Two lines of other slopes: PSNR is 20 + 3 and 20 + 4 times the octaves above 1 kbit/s."""
    anchor = [(2.0**octave, 20 + 3 * octave) for octave in (0, 1, 3, 4)]
    test = [(2.0**octave, 20 + 4 * octave) for octave in (0, 1, 2, 3)]
    # Common rates: 0 to 3 octaves, over which the difference is the octave itself.
    assert bd_metric(anchor, test) == pytest.approx(1.5)
    # Common values: 20 to 32 dB, for which the octaves are d/3 and d/4, d from 0 to 12: 6 (1/4 - 1/3) = -1/2 octave.
    assert bd_rate(anchor, test) == pytest.approx(100 * (2**-0.5 - 1))


def test_the_same_as_an_independent_implementation() -> None:
    rng = np.random.default_rng(5)
    pairs = [(ANCHOR, TEST)]
    for _ in range(20):
        first, second = (
            curve(np.sort(rng.uniform(2, 100, 7)).tolist(), np.sort(rng.uniform(25, 40, 7)).tolist()) for _ in range(2)
        )
        pairs.append((first, second))
    for anchor, test in pairs:
        (rate_a, value_a), (rate_t, value_t) = (zip(*sorted(points), strict=True) for points in (anchor, test))
        settings = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
        assert bd_rate(anchor, test) == pytest.approx(
            bjontegaard.bd_rate(rate_a, value_a, rate_t, value_t, **settings), abs=1e-6
        )
        assert bd_metric(anchor, test) == pytest.approx(
            bjontegaard.bd_psnr(rate_a, value_a, rate_t, value_t, **settings), abs=1e-6
        )


def test_near_the_single_cubic_of_the_first_proposal() -> None:
    """VCEG-M33's own way, a cubic through the four points; the curves are smooth enough for both to agree."""

    def area(points: list[tuple[float, float]], low: float, high: float) -> float:
        rates, psnr = np.array(sorted(points)).T
        integral = np.polynomial.Polynomial.fit(np.log(rates), psnr, 3).integ()
        return float(integral(high) - integral(low))

    low = math.log(max(min(rate for rate, _ in points) for points in (ANCHOR, TEST)))
    high = math.log(min(max(rate for rate, _ in points) for points in (ANCHOR, TEST)))
    cubic = (area(TEST, low, high) - area(ANCHOR, low, high)) / (high - low)
    assert bd_metric(ANCHOR, TEST) == pytest.approx(cubic, abs=0.005)


def test_a_distance_counts_like_a_quality_of_the_other_sign() -> None:
    distances = [[(rate, 1 - value / 50) for rate, value in points] for points in (ANCHOR, TEST)]
    qualities = [[(rate, value / 50 - 1) for rate, value in points] for points in (ANCHOR, TEST)]
    assert bd_rate(*distances, higher_is_better=False) == pytest.approx(bd_rate(*qualities))
    gain = bd_metric(*qualities)
    assert gain is not None
    assert bd_metric(*distances, higher_is_better=False) == pytest.approx(-gain)


def test_curves_without_anything_in_common() -> None:
    better = [(rate, value + 20) for rate, value in ANCHOR]
    dearer = [(rate * 100, value) for rate, value in ANCHOR]
    assert bd_rate(ANCHOR, better) is None
    assert bd_metric(ANCHOR, dearer) is None
    assert bd_metric(ANCHOR, better) == pytest.approx(20)
    assert bd_rate(ANCHOR, dearer) == pytest.approx(9900)


def test_points_that_nobody_would_choose_do_not_count() -> None:
    worse = [*ANCHOR, (5000.0, 36.0), (4593.60, 30.0)]
    assert efficient(worse) == sorted(ANCHOR)
    assert bd_rate(worse, TEST) == bd_rate(ANCHOR, TEST)


@pytest.mark.parametrize("point", [(0.0, 30.0), (-1.0, 30.0), (math.nan, 30.0), (5.0, math.nan), (5.0, math.inf)])
def test_an_impossible_point_is_named(point: tuple[float, float]) -> None:
    with pytest.raises(CurveError, match="measure that operating point again"):
        bd_rate([*ANCHOR, point], TEST)


def test_a_single_point_is_no_curve() -> None:
    with pytest.raises(CurveError, match="1 points"):
        bd_metric(ANCHOR, TEST[:1])
