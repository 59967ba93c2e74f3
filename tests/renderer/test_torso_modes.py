"""Smooth displacement fields over the frame."""

import torch

from renderer.torso_modes import KNOTS, LINEAR, displacements, linear_modes, spline

PLACES = torch.linspace(0.0, 1.0, 101, dtype=torch.float64)


def test_the_weights_of_a_spline_sum_to_one_and_are_local() -> None:
    weights = spline(PLACES)
    assert weights.shape == (101, KNOTS)
    assert torch.allclose(weights.sum(1), torch.ones(101, dtype=torch.float64))
    assert (weights >= 0.0).all()
    assert ((weights > 0.0).sum(1) <= 4).all()


def test_a_spline_is_smooth() -> None:
    control = torch.randn(KNOTS, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    fine = torch.linspace(0.0, 1.0, 7001, dtype=torch.float64)
    slopes = (spline(fine) @ control).diff() * 7000
    assert slopes.diff().abs().max() < 0.05 * slopes.abs().max()


def test_beyond_the_frame_counts_as_on_its_edge() -> None:
    assert torch.equal(spline(torch.tensor([-3.0, 7.0])), spline(torch.tensor([0.0, 1.0])))


def test_linear_modes_are_those_of_a_matrix_about_a_centre() -> None:
    centre = torch.tensor([0.4, 0.7], dtype=torch.float64)
    modes = linear_modes(centre).double()
    assert modes.shape == (LINEAR, 2, KNOTS, KNOTS)
    matrix = torch.tensor([[0.1, -0.2], [0.3, 0.05]], dtype=torch.float64)
    rows, columns = torch.linspace(0, 1, 7, dtype=torch.float64), torch.linspace(0, 1, 9, dtype=torch.float64)
    moved = torch.einsum("m,mdrc->rcd", matrix.flatten(), displacements(modes, columns, rows))
    points = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)
    assert torch.allclose(moved, (points - centre) @ matrix.T, atol=1e-6)
