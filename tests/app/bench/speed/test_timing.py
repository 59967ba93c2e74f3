"""Figures of many durations and moments."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bench.speed.timing import frame_rate, longest_gap, quantile, rounded, spread

TIMES = st.lists(st.floats(1e-3, 1e4), min_size=1, max_size=200)


@given(TIMES, st.floats(0.01, 1.0))
def test_a_quantile_is_numpys_inverted_distribution(values, share):
    assert quantile(values, share) == np.quantile(values, share, method="inverted_cdf")


@given(TIMES)
def test_the_spread_is_in_order(values):
    figures = spread(values)
    assert figures["median"] == pytest.approx(statistics.median(values), rel=1e-3)
    assert figures["mean"] == pytest.approx(np.mean(values), rel=1e-3)
    assert min(values) * 0.999 <= figures["median"] <= figures["p95"] * 1.001 <= max(values) * 1.002


def test_what_is_rounded_keeps_its_size():
    assert rounded(123456.0) == 123500.0
    assert rounded(0.00123456) == 0.001235
    assert rounded(0.0) == 0.0


def test_a_steady_stream_has_its_rate():
    moments = [10.0 + index / 25 for index in range(500)]
    assert frame_rate(moments, 12.0, 20.5) == {"median": 25.0, "p5": 25.0, "mean": 25.0}


def test_a_second_without_a_frame_counts():
    moments = [index / 10 for index in range(100) if not 30 <= index < 50]
    figures = frame_rate(moments, 0.0, 10.0)
    assert figures == {"median": 10.0, "p5": 0.0, "mean": 8.0}


def test_frames_outside_do_not_count():
    assert frame_rate([-0.5, 0.5, 1.5, 2.0, 7.0], 0.0, 2.9)["mean"] == 1.0
    with pytest.raises(ValueError, match="second"):
        frame_rate([0.5], 0.0, 0.9)


def test_the_longest_gap():
    assert longest_gap([0.0, 0.04, 0.5, 0.54]) == pytest.approx(0.46)
    assert longest_gap([1.0]) == 0.0
