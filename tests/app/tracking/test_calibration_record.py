import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.tracking.calibration_record import Calibration, CalibrationError


def sample(size=40, seed=0):
    rng = np.random.default_rng(seed)
    return Calibration(rng.normal(0, 0.3, size), 1.37, rng.normal(0, 0.1, (478, 3)), b"ABCDEFGH")


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_round_trip(size, seed):
    calibration = sample(size, seed)
    data = bytes(calibration)
    back = Calibration.parse(data)
    assert bytes(back) == data
    assert back.focal == pytest.approx(1.37, rel=1e-6)
    assert back.model_digest == b"ABCDEFGH"
    np.testing.assert_allclose(back.identity, calibration.identity, rtol=1e-6)
    np.testing.assert_allclose(back.landmark_offsets, calibration.landmark_offsets, rtol=1e-3, atol=1e-6)


@given(st.data())
def test_anything_else_raises_only_the_own_error(data):
    good = bytes(sample())
    bad = data.draw(
        st.one_of(
            st.binary(max_size=200),
            st.integers(0, len(good) - 1).map(lambda length: good[:length]),
            st.binary(min_size=1, max_size=20).map(lambda more: good + more),
        )
    )
    with pytest.raises(CalibrationError):
        Calibration.parse(bad)


@given(st.integers(0, 8 * 60 - 1))
def test_a_flipped_bit_never_gives_values_out_of_range(bit):
    data = bytearray(bytes(sample()))
    data[bit // 8] ^= 1 << bit % 8
    try:
        calibration = Calibration.parse(bytes(data))
    except CalibrationError:
        return
    assert np.isfinite(calibration.identity).all()
    assert np.abs(calibration.identity).max() < 100
    assert 0.3 <= calibration.focal <= 30


def test_not_a_number_is_refused():
    broken = sample()
    broken.landmark_offsets[3, 1] = np.nan
    with pytest.raises(CalibrationError):
        Calibration.parse(bytes(broken))
