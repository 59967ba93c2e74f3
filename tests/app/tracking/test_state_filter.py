import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bench.signals import jitter, lag, rotation_jitter
from app.tracking.filter import NOMINAL_INTERVAL, FilterSettings, Gains, StateFilter
from app.tracking.person import Parameters
from codec.rotation import rotation_vector_to_matrix
from tests.app.tracking.tracking_synthetic import make_parameters

FRAME = 1 / 25


def moving_head(seconds=12.0, noise=(0.3, 0.02, 0.1, 0.03), seed=0):
    """A nodding, turning head with measurement noise (degrees, cm, cm of depth, units); and the truth."""
    rng = np.random.default_rng(seed)
    times = np.arange(0.0, seconds, FRAME)
    angles = np.deg2rad(np.stack([4 * np.sin(2 * times), 8 * np.sin(1.3 * times + 1), 2 * np.sin(2.7 * times)], axis=1))
    centres = np.stack([np.sin(times), 0.6 * np.cos(1.7 * times), -55 + np.sin(0.6 * times)], axis=1)
    expressions = np.zeros((len(times), 79))
    expressions[:, :20] = 0.3 + 0.3 * np.sin(np.outer(times, np.linspace(3, 9, 20)))
    truth, noisy = [], []
    for angle, centre, expression in zip(angles, centres, expressions, strict=True):
        rotation = rotation_vector_to_matrix(angle)
        truth.append(Parameters(rotation, centre, expression))
        noisy.append(
            Parameters(
                rotation_vector_to_matrix(np.deg2rad(noise[0]) * rng.normal(size=3)) @ rotation,
                centre + rng.normal(size=3) * (noise[1], noise[1], noise[2]),
                expression + noise[3] * rng.normal(size=79),
            )
        )
    return times, truth, noisy


def rotations(states):
    return np.stack([state.rotation for state in states])


def test_noise_falls_and_the_lag_stays_below_one_frame():
    times, truth, noisy = moving_head()
    state_filter = StateFilter()
    smoothed = [state_filter.update(state, time) for state, time in zip(noisy, times, strict=True)]
    mask = np.ones(len(times), bool)
    assert rotation_jitter(rotations(smoothed), mask) < 0.65 * rotation_jitter(rotations(noisy), mask)
    assert 0 <= lag(rotations(smoothed).reshape(-1, 9), rotations(truth).reshape(-1, 9), mask) < 0.5
    for part in ("centre", "expression"):
        before, after, exact = (
            np.stack([getattr(state, part) for state in states]) for states in (noisy, smoothed, truth)
        )
        assert jitter(after, mask) < 0.75 * jitter(before, mask)
        assert lag(after, exact, mask) < 0.5
    # Nearer to the truth than the measurements are, lag and all.
    assert np.mean((rotations(smoothed) - rotations(truth)) ** 2) < np.mean((rotations(noisy) - rotations(truth)) ** 2)


def test_a_blink_survives():
    """Four frames from open to shut and back: the peak must reach the renderer."""
    state_filter = StateFilter()
    blink = [0, 0, 0, 0, 0, 0.5, 1.0, 0.9, 0.4, 0.1, 0, 0, 0]
    peak = 0.0
    for index, value in enumerate(blink):
        state = Parameters(np.eye(3), np.array([0, 0, -60.0]), np.full(79, value))
        peak = max(peak, state_filter.update(state, index * FRAME).expression[0])
    assert peak > 0.8


def test_a_still_face_passes_unchanged():
    state = make_parameters(np.random.default_rng(0))
    state_filter = StateFilter()
    for index in range(5):
        out = state_filter.update(state, index * FRAME)
        np.testing.assert_allclose(out.rotation, state.rotation, atol=1e-12)
        np.testing.assert_allclose(out.centre, state.centre, atol=1e-12)
        np.testing.assert_allclose(out.expression, state.expression, atol=1e-12)


def test_steady_motion_is_followed_without_lag():
    state_filter = StateFilter(FilterSettings(*[Gains((0.6, 0.3), (0.8, 0.5), speed=0.2, persistence=1.0)] * 4))
    for index in range(60):
        truth = Parameters(
            rotation_vector_to_matrix(np.array([0.0, 0.01 * index, 0.0])),
            np.array([0.1 * index, 0.0, -50 - 0.1 * index]),
            np.full(79, 0.01 * index),
        )
        out = state_filter.update(truth, index * FRAME)
    np.testing.assert_allclose(out.rotation, truth.rotation, atol=1e-6)
    np.testing.assert_allclose(out.centre, truth.centre, atol=1e-5)
    np.testing.assert_allclose(out.expression, truth.expression, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1e-4, 2.0), min_size=2, max_size=12), st.integers(0, 1000))
def test_any_frame_times_keep_rotations_proper_and_overshoot_bounded(intervals, seed):
    rng = np.random.default_rng(seed)
    state_filter, time, expressions = StateFilter(), 0.0, []
    for interval in intervals:
        time += interval
        state = make_parameters(rng)
        expressions.append(state.expression)
        out = state_filter.update(state, time)
        np.testing.assert_allclose(out.rotation @ out.rotation.T, np.eye(3), atol=1e-9)
        assert np.linalg.det(out.rotation) == pytest.approx(1.0)
        highest, lowest = np.max(expressions), np.min(expressions)
        assert out.expression.max() <= highest + 0.5 * (highest - lowest)
        assert out.expression.min() >= lowest - 0.5 * (highest - lowest)


@given(st.integers(1, 5), st.floats(0.0, 10.0))
def test_gains_compose_over_time(count, speed):
    """What is left of a surprise after one long interval is what is left after as many short ones."""
    gains = Gains((0.5, 0.2), (0.9, 0.7), speed=2.0, persistence=0.8)
    short, long = (gains.at(np.array(speed), frames * NOMINAL_INTERVAL) for frames in (1, count))
    for once, together in zip(short[:2], long[:2], strict=True):
        assert 1 - together == pytest.approx((1 - once) ** count)
    assert long[2] == pytest.approx(short[2] ** count)


def test_gains_grow_with_speed_from_rest_to_their_limit():
    gains = Gains((0.5, 0.2), (0.9, 0.7), speed=2.0)
    alpha, beta, _ = gains.at(np.array([0.0, 1.0, 2.0, 4.0, 1e6]), NOMINAL_INTERVAL)
    assert (np.diff(alpha) > 0).all()
    assert alpha[[0, 2, 4]] == pytest.approx([0.5, 0.7, 0.9])
    assert beta[[0, 2, 4]] == pytest.approx([0.2, 0.45, 0.7])
