from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bench.animation.key_point_tables import (
    LARGEST_SYMBOL,
    NUMBERS,
    KeyPointTables,
    dequantise,
    quantise,
)
from codec.table_fitting import fit_table


def wandering_points(frames: int, seed: int) -> np.ndarray:
    """Key points that drift together, as those of a head do, with a little of their own."""
    rng = np.random.default_rng(seed)
    mixing = 0.3 * rng.standard_normal((3, NUMBERS))
    noise = rng.standard_normal((frames, 3 + NUMBERS))
    return np.cumsum(0.08 * noise[:, :3], 0) @ mixing + 0.003 * noise[:, 3:]


@pytest.fixture(scope="module")
def tables() -> KeyPointTables:
    return KeyPointTables.fit(wandering_points(300, 0))


def test_what_moves_together_costs_less_than_each_alone(tables: KeyPointTables) -> None:
    symbols = quantise(wandering_points(340, 0)[300:]).tolist()
    coded = [tables.encode(now, before) for before, now in pairwise(symbols)]
    again = [tables.decode(data, before) for data, before in zip(coded, symbols, strict=False)]
    assert again == symbols[1:]
    # What the same tables take for each number's own differences, fitted to the same frames.
    steps = np.diff(quantise(wandering_points(340, 0)), axis=0)
    alone = 0.0
    for column in steps.T:
        table = fit_table(column[:299])
        alone += float(np.mean([table.cost(int(step)) for step in column[300:]]))
    assert 8 * np.mean([len(data) for data in coded]) < 0.8 * alone


@settings(max_examples=30)
@given(st.lists(st.integers(-LARGEST_SYMBOL, LARGEST_SYMBOL), min_size=NUMBERS, max_size=NUMBERS), st.booleans())
def test_any_symbols_come_back(tables: KeyPointTables, symbols: list[int], first: bool) -> None:
    before = None if first else symbols[::-1]
    assert tables.decode(tables.encode(symbols, before), before) == symbols


def test_tables_come_back_from_their_tensors(tables: KeyPointTables) -> None:
    again = KeyPointTables.from_tensors(tables.tensors())
    symbols = quantise(wandering_points(2, 5)).tolist()
    assert again.encode(symbols[1], symbols[0]) == tables.encode(symbols[1], symbols[0])
    cut = tables.tensors()
    cut["weights"] = cut["weights"][:-1]
    with pytest.raises(ValueError, match="longer"):
        KeyPointTables.from_tensors(cut)


def test_quantising_errs_by_half_a_step() -> None:
    vectors = wandering_points(50, 1)
    error = np.abs(dequantise(quantise(vectors)) - vectors)
    assert (error <= KeyPointTables.step_sizes().numpy() / 2 + 1e-6).all()
