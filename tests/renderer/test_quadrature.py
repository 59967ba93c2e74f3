"""Volume rendering against analytic truth."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from renderer.compositing import composite, render_weights
from renderer.sampling import sample_intervals


@given(st.lists(st.floats(0.0, 50.0), min_size=1, max_size=12), st.floats(0.01, 5.0))
def test_weights_and_transmittance_sum_to_one(sigma: list[float], delta: float) -> None:
    weights, passed = render_weights(torch.tensor([sigma]), torch.full((1, len(sigma)), delta))
    assert weights.min() >= 0.0
    assert float(weights.sum() + passed) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("samples", [1, 3, 64])
def test_a_homogeneous_medium_passes_what_beer_and_lambert_say(samples: int) -> None:
    sigma, length = 0.3, 7.0
    weights, passed = render_weights(torch.full((1, samples), sigma), torch.full((1, samples), length / samples))
    assert float(passed) == pytest.approx(math.exp(-sigma * length), rel=1e-5)
    colour = composite(weights, torch.tensor([0.2, 0.4, 0.8]).expand(1, samples, 3))
    assert colour[0].tolist() == pytest.approx([c * (1 - math.exp(-sigma * length)) for c in (0.2, 0.4, 0.8)], rel=1e-5)


def test_an_opaque_sample_hides_what_is_behind_it() -> None:
    weights, passed = render_weights(torch.tensor([[0.0, 1e4, 5.0]]), torch.ones(1, 3))
    assert weights[0].tolist() == pytest.approx([0.0, 1.0, 0.0])
    assert float(passed) == 0.0


def test_a_linear_density_converges_to_its_integral() -> None:
    # sigma(t) = t on [0, 2]: the optical depth is 2.
    edges = torch.linspace(0.0, 2.0, 401)
    middles, deltas = 0.5 * (edges[1:] + edges[:-1]), edges[1:] - edges[:-1]
    _, passed = render_weights(middles[None], deltas[None])
    assert float(passed) == pytest.approx(math.exp(-2.0), rel=1e-4)


def test_intervals_hold_equal_weight() -> None:
    edges = torch.tensor([[0.0, 1.0, 2.0, 4.0]])
    weights = torch.tensor([[1.0, 0.0, 2.0]])
    found = sample_intervals(edges, weights, 6)
    # A third of the weight lies in [0, 1], the rest evenly in [2, 4].
    assert found[0].tolist() == pytest.approx([0.0, 0.5, 1.0, 2.5, 3.0, 3.5, 4.0], abs=2e-3)


def test_intervals_do_not_reach_into_weightless_bins_at_the_ends() -> None:
    edges = torch.linspace(0.0, 10.0, 11)[None]
    weights = torch.zeros(1, 10)
    weights[0, 4:6] = 1.0
    found = sample_intervals(edges, weights, 3)
    assert float(found.min()) == pytest.approx(4.0)
    assert float(found.max()) == pytest.approx(6.0, abs=1e-3)


@given(st.integers(1, 9), st.integers(0, 2**31 - 1))
def test_jittered_intervals_ascend_within_the_ray(samples: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    edges = torch.cumsum(torch.rand(5, 9, generator=generator) + 0.01, -1)
    weights = torch.rand(5, 8, generator=generator)
    found = sample_intervals(edges, weights, samples, torch.rand(5, samples + 1, generator=generator))
    assert (found[:, 1:] >= found[:, :-1] - 1e-6).all()
    assert (found >= edges[:, :1] - 1e-5).all()
    assert (found <= edges[:, -1:] + 1e-5).all()
