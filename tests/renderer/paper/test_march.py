"""The two passes of the paper's field against scenes whose pictures are known."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from renderer.camera import Camera, camera_directions, frame_coordinates
from renderer.paper.march import Field, Marched, Passes, march

ORIGIN = torch.zeros(1, 3)
RADIUS = 5.0
DISTANCE = 40.0


def bounds(rays: int, near: float, far: float) -> tuple[Tensor, Tensor]:
    return torch.full((rays,), near), torch.full((rays,), far)


def slab(sigma: float, near: float, far: float) -> Field:
    """Constant density between two depths, green."""

    def field(points: Tensor) -> tuple[Tensor, Tensor]:
        inside = (points[..., 2] <= -near) & (points[..., 2] >= -far)
        return sigma * inside.float(), torch.tensor([0.0, 1.0, 0.0]).expand_as(points)

    return field


def ball(points: Tensor) -> tuple[Tensor, Tensor]:
    """An opaque ball whose colour says where a point is."""
    centred = points - torch.tensor([0.0, 0.0, -DISTANCE])
    inside = centred.norm(dim=-1) < RADIUS
    return 1e3 * inside.float(), 0.5 + centred / (4.0 * RADIUS)


def recorded(field: Field, seen: list[Tensor]) -> Field:
    def record(points: Tensor) -> tuple[Tensor, Tensor]:
        seen.append(points)
        return field(points)

    return record


@given(st.floats(0.01, 2.0), st.floats(0.5, 20.0), st.integers(8, 128))
def test_the_error_of_the_quadrature_is_half_a_stratum(sigma: float, length: float, samples: int) -> None:
    # The first sample stands in the middle of its stratum, and what lies before it is passed over.
    field = slab(sigma, 0.0, 1e3)
    rays = torch.tensor([[0.0, 0.0, -1.0]])
    coarse, fine = march(field, field, ORIGIN, rays, bounds(1, 10.0, 10.0 + length), Passes(samples, samples))
    truth = math.exp(-sigma * length)
    missed = sigma * length / (2 * samples)
    assert float(coarse.transmittance) == pytest.approx(truth * math.exp(missed), rel=1e-3)
    assert abs(float(fine.transmittance) - truth) <= truth * (math.exp(missed) - 1.0) * 1.001 + 1e-6
    assert coarse.rgb[0].tolist() == pytest.approx([0.0, 1.0 - float(coarse.transmittance), 0.0], abs=1e-5)


def test_the_error_halves_with_twice_the_samples() -> None:
    sigma, length, errors = 0.2, 6.0, []
    field = slab(sigma, 0.0, 1e3)
    for samples in (16, 32, 64, 128):
        coarse, _ = march(
            field, field, ORIGIN, torch.tensor([[0.0, 0.0, -1.0]]), bounds(1, 5.0, 5.0 + length), Passes(samples, 2)
        )
        errors.append(abs(float(coarse.transmittance) - math.exp(-sigma * length)))
    for first, second in pairwise(errors):
        assert first / second == pytest.approx(2.0, rel=0.05)


def test_a_slanted_ray_goes_the_longer_way() -> None:
    field = slab(0.3, 10.0, 14.0)
    rays = torch.tensor([[0.0, 0.0, -1.0], [1.0, 0.0, -1.0]])
    _, fine = march(field, field, ORIGIN, rays, bounds(2, 9.0, 15.0), Passes())
    expected = [math.exp(-0.3 * 4.0), math.exp(-0.3 * 4.0 * math.sqrt(2.0))]
    assert fine.transmittance.tolist() == pytest.approx(expected, rel=0.02)


def test_jittered_samples_are_right_on_average() -> None:
    torch.manual_seed(0)
    field = slab(0.3, 10.0, 14.0)
    rays = torch.tensor([[0.0, 0.0, -1.0]]).expand(4000, 3)
    coarse, fine = march(field, field, ORIGIN, rays, bounds(4000, 8.0, 16.0), Passes(16, 16), jitter=True)
    assert float(coarse.transmittance.mean()) == pytest.approx(math.exp(-1.2), rel=0.02)
    assert float(coarse.transmittance.std()) > 1e-3
    assert float(fine.transmittance.std()) < float(coarse.transmittance.std())


def test_what_is_empty_shows_what_is_behind() -> None:
    behind = torch.rand(7, 3)
    rays = torch.randn(7, 3)
    for found in march(slab(0.0, 0.0, 1.0), slab(0.0, 0.0, 1.0), ORIGIN, rays, bounds(7, 1.0, 2.0), Passes(8, 8)):
        assert torch.equal(found.over(behind), behind)


def test_behind_is_a_last_sample_of_weight_what_is_left() -> None:
    marched = Marched(torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([0.25]))
    assert marched.over(torch.tensor([[1.0, 0.0, 0.4]]))[0].tolist() == pytest.approx([0.35, 0.2, 0.4])


def picture_of_the_ball(passes: Passes, side: int = 48) -> tuple[Marched, Marched, Tensor, Tensor]:
    """Return both passes, whether each ray hits the ball, and where (N, 3)."""
    directions = camera_directions(Camera(2.0), frame_coordinates(side, side)).view(-1, 3)
    near, far = DISTANCE - 8.0, DISTANCE + 8.0
    coarse, fine = march(ball, ball, ORIGIN, directions, bounds(len(directions), near, far), passes)
    centre = torch.tensor([0.0, 0.0, -DISTANCE])
    a, b = directions.square().sum(-1), directions @ centre
    discriminant = b * b - a * (DISTANCE**2 - RADIUS**2)
    places = ((b - discriminant.clamp_min(0.0).sqrt()) / a).unsqueeze(-1) * directions
    return coarse, fine, discriminant > 0.0, places - centre


def test_the_silhouette_of_an_opaque_ball_is_a_disc() -> None:
    _, fine, hits, _ = picture_of_the_ball(Passes())
    wrong = (fine.transmittance < 0.5) != hits
    # Rays that graze it so that less than a coarse stratum of them is inside may miss it.
    assert wrong.float().mean() < 0.01
    radius_in_frame = 2.0 * RADIUS / math.sqrt(DISTANCE**2 - RADIUS**2)
    seen = float((fine.transmittance < 0.5).float().mean())
    assert seen == pytest.approx(math.pi * radius_in_frame**2, rel=0.02)


def test_the_fine_pass_finds_the_surface_more_exactly() -> None:
    coarse, fine, hits, places = picture_of_the_ball(Passes())
    inner = hits & (fine.transmittance < 1e-3) & (coarse.transmittance < 1e-3)
    expected = 0.5 + places[inner] / (4.0 * RADIUS)
    error = [(found.rgb[inner] - expected).norm(dim=-1) * 4.0 * RADIUS for found in (coarse, fine)]
    # Centimetres: a coarse stratum is 16 / 64 long, and the fine samples divide the one in front of the surface.
    assert error[0].max() < 0.27
    assert error[1].mean() < 0.3 * error[0].mean()
    assert error[1].mean() < 0.05


def test_fine_samples_lie_where_the_coarse_pass_found_weight() -> None:
    seen: list[Tensor] = []
    field = slab(2.0, 12.0, 13.0)
    rays = torch.tensor([[0.0, 0.0, -1.0]])
    march(field, recorded(field, seen), ORIGIN, rays, bounds(1, 5.0, 25.0), Passes())
    depths = -seen[0][0, :, 2]
    assert len(depths) == 64 + 128
    assert (depths[1:] >= depths[:-1]).all()
    stratum = 20.0 / 64
    inside = ((depths > 12.0 - stratum) & (depths < 13.0 + stratum)).sum()
    assert inside > 128 * 0.95


def test_fine_samples_follow_the_coarse_weights() -> None:
    # A mist that thickens linearly: the weights' distribution function is known in closed form.
    def mist(points: Tensor) -> tuple[Tensor, Tensor]:
        return 0.05 * (-points[..., 2]).clamp_min(0.0), torch.ones_like(points)

    torch.manual_seed(0)
    seen: list[Tensor] = []
    rays = torch.tensor([[0.0, 0.0, -1.0]]).expand(50, 3)
    march(mist, recorded(mist, seen), ORIGIN, rays, bounds(50, 0.0, 10.0), Passes(64, 128), jitter=True)
    strata = torch.linspace(0.0, 10.0, 21)
    cdf = (1.0 - torch.exp(-0.025 * strata**2)) / (1.0 - math.exp(-0.025 * 100.0))
    counts = torch.histc(-seen[0][..., 2], 20, 0.0, 10.0) / 50
    # Of the 192 a ray, 64 are the coarse ones, evenly.
    added = (counts - 64 / 20) / 128
    assert (added - (cdf[1:] - cdf[:-1])).abs().max() < 0.012


def test_the_gradient_of_a_density_is_that_of_beers_law() -> None:
    sigma = torch.tensor(0.1, requires_grad=True)

    def field(points: Tensor) -> tuple[Tensor, Tensor]:
        return sigma.expand(points.shape[:-1]), torch.zeros_like(points)

    _, fine = march(field, field, ORIGIN, torch.tensor([[0.0, 0.0, -1.0]]), bounds(1, 10.0, 20.0), Passes())
    fine.transmittance.sum().backward()  # type: ignore[no-untyped-call]
    assert sigma.grad is not None
    assert float(sigma.grad) == pytest.approx(-10.0 * math.exp(-1.0), rel=0.02)
