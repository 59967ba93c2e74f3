"""Where names stand in a plot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from app.bench.report.labels import spread

positions = st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=8)


@given(positions)
def test_names_keep_their_distance_their_order_and_the_panel(wanted):
    placed = spread(wanted, 0.07, 0.0, 1.0)
    order = np.argsort(wanted, kind="stable")
    assert np.all(np.diff(np.array(placed)[order]) >= 0.07 - 1e-9)
    assert min(placed) >= -1e-9
    assert max(placed) <= 1 + 1e-9


def test_what_is_apart_stays_where_it_is():
    assert spread([0.9, 0.1, 0.5], 0.07, 0.0, 1.0) == pytest.approx([0.9, 0.1, 0.5])
    assert spread([0.5, 0.5], 0.1, 0.0, 1.0) == pytest.approx([0.45, 0.55])


@given(st.lists(st.floats(0.3, 0.7), min_size=2, max_size=5))
def test_nothing_moves_further_than_needed(wanted):
    """Against a general solver of the same least squares problem."""
    wanted = sorted(wanted)
    solved = minimize(
        lambda x: np.sum((x - wanted) ** 2),
        np.arange(len(wanted)) * 0.1 + 0.3,
        jac=lambda x: 2 * (x - wanted),
        constraints=[{"type": "ineq", "fun": lambda x: np.diff(x) - 0.07}],
        options={"ftol": 1e-14},
    )
    placed = np.array(spread(wanted, 0.07, 0.0, 1.0))
    assert np.sum((placed - wanted) ** 2) <= solved.fun + 1e-8
