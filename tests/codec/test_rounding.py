"""How the encoder rounds: to what is worth its bits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from codec.adaptive import laplace_bank
from codec.entropy import LENGTH_UNITS
from codec.predicted_frame import BIT_WORTH, _rounded
from codec.prediction import SUBDIVISION

BANK = laplace_bank()[0]


def burden(distance, step, table, residual):
    share, whole = BIT_WORTH
    return ((distance - residual * step) / step) ** 2 + share / whole * table.length(residual) / LENGTH_UNITS


@given(st.integers(-3000, 3000), st.sampled_from([SUBDIVISION // 2, SUBDIVISION, 2 * SUBDIVISION]), st.data())
def test_no_other_residual_is_better(distance, step, data):
    table = BANK[data.draw(st.integers(0, len(BANK) - 1))]
    chosen = _rounded(distance, step, table)
    reach = abs(distance) // step + 2
    least = min(burden(distance, step, table, residual) for residual in range(-reach, reach + 1))
    assert burden(distance, step, table, chosen) <= least + 1e-9


def test_it_saves_bits_for_little_error():
    rng = np.random.default_rng(0)
    table = BANK[8]
    distances = np.rint(rng.laplace(scale=0.7 * SUBDIVISION, size=4000)).astype(int)
    nearest = np.rint(distances / SUBDIVISION).astype(int)
    chosen = np.array([_rounded(int(distance), SUBDIVISION, table) for distance in distances])

    def length(residuals):
        return sum(table.length(int(residual)) for residual in residuals) / LENGTH_UNITS / len(residuals)

    def error(residuals):
        return np.square(distances / SUBDIVISION - residuals).mean()

    assert length(chosen) < 0.85 * length(nearest)
    assert error(chosen) < 2.0 * error(nearest)
