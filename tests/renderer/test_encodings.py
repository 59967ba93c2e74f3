"""Positional encoding against its formula."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from renderer.encodings import encoded_size, positional_encoding


def test_the_values_are_those_of_the_formula() -> None:
    found = positional_encoding(torch.tensor([[0.25, -0.5]]), 2)[0].tolist()
    root = math.sqrt(0.5)
    expected = [0.25, -0.5, root, -1.0, root, 0.0, 1.0, 0.0, 0.0, -1.0]
    assert found == pytest.approx(expected, abs=1e-6)


@given(st.lists(st.floats(-1.0, 1.0, width=32), min_size=1, max_size=4), st.integers(0, 10))
def test_every_octave_is_computed_as_written(values: list[float], octaves: int) -> None:
    found = positional_encoding(torch.tensor(values, dtype=torch.float64), octaves).tolist()
    expected = list(values)
    for octave in range(octaves):
        angles = [2.0**octave * math.pi * value for value in values]
        expected += [math.sin(angle) for angle in angles] + [math.cos(angle) for angle in angles]
    assert found == pytest.approx(expected, abs=1e-9)
    assert len(found) == encoded_size(len(values), octaves)


def test_the_papers_position_has_63_numbers_and_its_direction_27() -> None:
    assert positional_encoding(torch.zeros(5, 3), 10).shape == (5, 63)
    assert positional_encoding(torch.zeros(5, 3), 4).shape == (5, 27)


def test_the_highest_octave_tells_neighbours_apart_in_float32() -> None:
    x = torch.tensor([[0.9], [0.9 + 2.0**-10]])
    exact = positional_encoding(x.double(), 10).float()
    found = positional_encoding(x, 10)
    assert (found - exact).abs().max() < 1e-3
    assert (found[0, -2:] - found[1, -2:]).norm() > 1.0
