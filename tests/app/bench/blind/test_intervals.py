"""Intervals and tests against printed tables, closed forms and scipy's own, differently made functions."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from app.bench.blind.intervals import mean_interval, sign_test, wilson

counts = st.integers(0, 60)


# The first call of some of scipy's functions takes a second.
@settings(deadline=None)
@given(counts, counts)
def test_wilson_is_scipys(successes, failures):
    trials = successes + failures
    ours = wilson(successes, trials)
    if trials == 0:
        assert ours is None
        return
    theirs = stats.binomtest(successes, trials).proportion_ci(0.95, "wilson")
    assert ours == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert 0 <= ours[0] <= successes / trials <= ours[1] <= 1


def test_wilson_of_none_and_all_in_closed_form():
    # With no success the upper end is z²/(n+z²).
    z2 = 1.959963984540054**2
    assert wilson(0, 10) == pytest.approx((0, z2 / (10 + z2)))
    assert wilson(10, 10) == pytest.approx((10 / (10 + z2), 1))


@settings(deadline=None)
@given(counts, counts)
def test_the_sign_test_is_scipys_exact_binomial_test(one, other):
    ours = sign_test(one, other)
    if one + other == 0:
        assert ours is None
        return
    assert ours == pytest.approx(stats.binomtest(one, one + other).pvalue, rel=1e-9)
    assert ours == sign_test(other, one)


def test_the_sign_test_in_the_head():
    assert sign_test(5, 0) == 2 / 32
    assert sign_test(8, 1) == 2 * (1 + 9) / 512
    assert sign_test(3, 3) == 1
    # 2**2000 is beyond a float, the ratio of the whole numbers is not.
    assert sign_test(2000, 0) == 0.0
    assert sign_test(1000, 1000) == 1


@pytest.mark.parametrize(
    ("count", "quantile"), [(2, 12.706), (3, 4.303), (5, 2.776), (10, 2.262), (16, 2.131), (30, 2.045), (121, 1.980)]
)
def test_the_mean_interval_uses_the_printed_t_table(count, quantile):
    # Alternating values: mean 3 or near it, and the deviation in closed form.
    values = [2 + 2 * (index % 2) for index in range(count)]
    mean = sum(values) / count
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    low, high = mean_interval(values)
    assert (high - low) / 2 == pytest.approx(quantile * deviation / math.sqrt(count), rel=3e-4)
    assert (high + low) / 2 == pytest.approx(mean)


@settings(deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=40).filter(lambda grades: len(set(grades)) > 1))
def test_the_mean_interval_is_scipys_within_the_scale(grades):
    expected = stats.t.interval(0.95, len(grades) - 1, loc=sum(grades) / len(grades), scale=stats.sem(grades))
    assert mean_interval(grades) == pytest.approx(expected)
    low, high = mean_interval(grades, limits=(1, 5))
    assert (low, high) == pytest.approx((max(1, expected[0]), min(5, expected[1])))


def test_one_grade_has_no_interval_and_equal_ones_no_width():
    assert mean_interval([]) is None
    assert mean_interval([4]) is None
    assert mean_interval([4, 4, 4]) == (4, 4)


@pytest.mark.parametrize("call", [lambda: wilson(3, 2), lambda: wilson(-1, 2), lambda: sign_test(-1, 2)])
def test_impossible_counts_are_refused(call):
    with pytest.raises(ValueError, match=r"of|against"):
        call()
