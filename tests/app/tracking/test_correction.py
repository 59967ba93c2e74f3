"""The filter of what tracking gets wrong, against what is known of such filters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tracking.correction import Correction

FAR = np.full(1, 1e6)


def test_without_pictures_errors_are_forgotten_and_as_uncertain_as_usual() -> None:
    correction = Correction(np.array([2.0]), np.array([0.9]), FAR)
    correction.update(np.array([1.0]), np.array([[1e-4]]))
    for _ in range(5):
        correction.predict()
    assert correction.values == pytest.approx(0.9**5)
    # Of an Ornstein-Uhlenbeck process.
    assert 1.0 / correction.precision[0, 0] == pytest.approx(4.0 * (1 - 0.9**10) + 1e-4 * 0.9**10)
    for _ in range(500):
        correction.predict()
    assert correction.values == pytest.approx(0.0, abs=1e-12)
    assert 1.0 / correction.precision[0, 0] == pytest.approx(4.0)


@given(st.floats(0.1, 3.0), st.floats(0.5, 0.99), st.floats(0.05, 3.0), st.integers(0, 1000))
def test_it_is_nearer_to_the_truth_than_what_is_measured(usual: float, kept: float, noise: float, seed: int) -> None:
    drawn = np.random.default_rng(seed)
    correction = Correction(np.array([usual]), np.array([kept]), FAR)
    error, measured_off, found_off = 0.0, 0.0, 0.0
    for _ in range(400):
        error = kept * error + np.sqrt(1 - kept**2) * usual * drawn.normal()
        measured = error + noise * drawn.normal()
        correction.predict()
        precision = correction.precision[0, 0]
        covariance = 1.0 / (precision + noise**-2)
        step = covariance * noise**-2 * (measured - correction.values)
        correction.update(step, np.array([[covariance]]))
        measured_off += (measured - error) ** 2
        found_off += float((correction.values[0] - error) ** 2)
    assert found_off < 1.02 * measured_off


def test_nothing_is_believed_beyond_its_limits() -> None:
    limits = np.array([0.1, 1.0])
    correction = Correction(np.ones(2), np.full(2, 0.9), limits)
    correction.update(np.array([50.0, 0.0]), np.eye(2))
    # A step of half the limit at most, and no more in one number than in proportion.
    np.testing.assert_allclose(correction.values, [0.05, 0.0])
    for _ in range(5):
        correction.update(np.array([50.0, -500.0]), np.eye(2))
    np.testing.assert_allclose(correction.values, [0.1, -1.0], atol=0.26)
    assert (np.abs(correction.values) <= limits).all()
