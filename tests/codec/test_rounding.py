"""How the encoder rounds: to what is worth its bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.adaptive import laplace_bank
from codec.entropy import LENGTH_UNITS
from codec.predicted_frame import BIT_WORTH, UNFILTERED_BIT_WORTH, _rounded
from codec.prediction import SUBDIVISION

BANK = laplace_bank()[0]


WORTHS = [BIT_WORTH, UNFILTERED_BIT_WORTH]


def burden(distance, step, table, worth, residual):
    share, whole = worth
    return ((distance - residual * step) / step) ** 2 + share / whole * table.length(residual) / LENGTH_UNITS


@given(
    st.integers(-3000, 3000),
    st.sampled_from([SUBDIVISION // 2, SUBDIVISION, 2 * SUBDIVISION]),
    st.sampled_from(WORTHS),
    st.data(),
)
def test_no_other_residual_is_better(distance, step, worth, data):
    table = BANK[data.draw(st.integers(0, len(BANK) - 1))]
    chosen = _rounded(distance, step, table, worth)
    reach = abs(distance) // step + 2
    least = min(burden(distance, step, table, worth, residual) for residual in range(-reach, reach + 1))
    assert burden(distance, step, table, worth, chosen) <= least + 1e-9


@pytest.mark.parametrize(("worth", "saved", "paid"), [(BIT_WORTH, 0.07, 1.1), (UNFILTERED_BIT_WORTH, 0.15, 2.0)])
def test_it_saves_bits_for_little_error(worth, saved, paid):
    rng = np.random.default_rng(0)
    table = BANK[8]
    distances = np.rint(rng.laplace(scale=0.7 * SUBDIVISION, size=4000)).astype(int)
    nearest = np.rint(distances / SUBDIVISION).astype(int)
    chosen = np.array([_rounded(int(distance), SUBDIVISION, table, worth) for distance in distances])

    def length(residuals):
        return sum(table.length(int(residual)) for residual in residuals) / LENGTH_UNITS / len(residuals)

    def error(residuals):
        return np.square(distances / SUBDIVISION - residuals).mean()

    assert length(chosen) < (1 - saved) * length(nearest)
    assert error(chosen) < paid * error(nearest)
