import math

import pytest
import torch

from app.bench.animation.deformation import Deformation
from app.bench.animation.layers import coordinate_grid, warp
from app.bench.animation.motion import KEY_POINTS, KeyPoints, candidate_motions, inverse


def test_warping_by_the_grid_changes_nothing() -> None:
    picture = torch.rand(2, 3, 16, 16)
    same = warp(picture, coordinate_grid(16).expand(2, -1, -1, -1))
    torch.testing.assert_close(same, picture, atol=1e-5, rtol=0)


def test_warping_moves_by_whole_pixels() -> None:
    picture = torch.rand(1, 1, 8, 8)
    # Two pixels to the right of where each pixel is.
    moved = warp(picture, coordinate_grid(8)[None] + torch.tensor([4 / 8, 0.0]))
    torch.testing.assert_close(moved[..., :6], picture[..., 2:], atol=1e-5, rtol=0)


def test_a_similarity_of_the_whole_plane_is_found_again_at_every_key_point() -> None:
    """If the source is the target turned, scaled and shifted, each point's affine motion is that same map."""
    angle, scale, shift = 0.3, 1.2, torch.tensor([0.1, -0.05])
    turn = scale * torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    target = KeyPoints(torch.rand(1, KEY_POINTS, 2) - 0.5, torch.eye(2) + 0.2 * torch.randn(1, KEY_POINTS, 2, 2))
    source = KeyPoints(target.places @ turn.T + shift, turn @ target.jacobians)
    motions = candidate_motions(source, target, 16)
    grid = coordinate_grid(16)
    torch.testing.assert_close(motions[0, 0], grid)
    for k in range(KEY_POINTS):
        torch.testing.assert_close(motions[0, 1 + k], grid @ turn.T + shift, atol=1e-4, rtol=0)


def test_the_inverse_is_torch_s_own() -> None:
    matrices = torch.eye(2) + 0.2 * torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(inverse(matrices), torch.linalg.inv(matrices), atol=1e-5, rtol=1e-4)


def test_numbers_and_key_points_are_the_same() -> None:
    points = KeyPoints(torch.rand(3, KEY_POINTS, 2), torch.rand(3, KEY_POINTS, 2, 2))
    vector = points.vector()
    assert vector.shape == (3, 6 * KEY_POINTS)
    again = KeyPoints.from_vector(vector)
    assert torch.equal(again.places, points.places)
    assert torch.equal(again.jacobians, points.jacobians)
    assert vector[1, 6:8].tolist() == points.places[1, 1].tolist()


def test_a_deformation_s_jacobians_are_its_finite_differences() -> None:
    deformation = Deformation.draw(2, torch.Generator().manual_seed(3))
    places = (torch.rand(2, 5, 2) * 1.6 - 0.8).double()
    exact = Deformation(deformation.affine.double(), deformation.weights.double())
    step = 1e-4
    columns = []
    for axis in range(2):
        offset = torch.zeros(2, dtype=torch.float64)
        offset[axis] = step
        columns.append((exact.places(places + offset) - exact.places(places - offset)) / (2 * step))
    torch.testing.assert_close(exact.jacobians(places), torch.stack(columns, -1), atol=1e-4, rtol=0)


def test_a_picture_deforms_as_its_places_do() -> None:
    """A picture that shows its own coordinates shows, deformed, where each pixel came from."""
    deformation = Deformation.draw(1, torch.Generator().manual_seed(4))
    grid = coordinate_grid(64)
    shown = deformation.pictures(grid.permute(2, 0, 1)[None])
    expected = deformation.places(grid.flatten(0, 1)[None]).reshape(64, 64, 2).permute(2, 0, 1)
    inside = (expected.abs() < 0.95).all(0)
    assert inside.float().mean() > 0.7
    torch.testing.assert_close(shown[0][:, inside], expected[:, inside], atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [16, 64])
def test_the_grid_is_that_of_pixel_centres(size: int) -> None:
    grid = coordinate_grid(size)
    assert grid[0, 0].tolist() == pytest.approx([-1 + 1 / size] * 2)
    assert grid[0, -1].tolist() == pytest.approx([1 - 1 / size, -1 + 1 / size])
