import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bench.signals import jitter, lag, rotation_jitter, runs
from codec.rotation import rotation_vector_to_matrix


def test_runs_are_the_stretches_of_true():
    assert runs(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == [slice(0, 2), slice(4, 5), slice(6, 7)]
    assert runs(np.zeros(3, bool)) == []


def test_jitter_of_constant_acceleration_is_that_acceleration():
    times = np.arange(20.0)
    values = np.stack([0.5 * 3.0 * times**2, 0.5 * 4.0 * times**2 + times], axis=1)
    assert jitter(values, np.ones(20, bool)) == pytest.approx(5.0)


def test_differences_are_not_taken_across_a_gap():
    values = np.concatenate([np.arange(10.0), 500 + np.arange(10.0)])[:, None]
    mask = np.ones(20, bool)
    mask[9] = False
    assert jitter(values[np.r_[0:9, 9:20]], mask) == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(jitter(values, np.zeros(20, bool)))


def test_rotation_jitter_is_blind_to_steady_turning_and_right_about_shaking():
    mask = np.ones(30, bool)
    steady = rotation_vector_to_matrix(np.outer(np.arange(30), np.deg2rad([1.0, 2.0, -1.0])))
    assert rotation_jitter(steady, mask) == pytest.approx(0.0, abs=1e-6)
    shaking = rotation_vector_to_matrix(np.outer(np.arange(30) % 2, np.deg2rad([0.0, 0.5, 0.0])))
    assert rotation_jitter(shaking, mask) == pytest.approx(1.0)


@settings(deadline=None, max_examples=40)
@given(st.floats(-3.0, 3.0), st.integers(0, 100))
def test_lag_of_a_delayed_signal(delay, seed):
    rng = np.random.default_rng(seed)
    frequencies, phases = rng.uniform(0.05, 0.5, 4), rng.uniform(0, 6, 4)

    def signal(times):
        return np.stack([np.sin(f * times + p) for f, p in zip(frequencies, phases, strict=True)], axis=1)

    times = np.arange(300.0)
    measured = lag(signal(times - delay), signal(times), np.ones(300, bool))
    assert measured == pytest.approx(delay, abs=0.05)


def test_lag_of_stillness_is_unknown():
    assert np.isnan(lag(np.zeros((100, 2)), np.zeros((100, 2)), np.ones(100, bool)))
