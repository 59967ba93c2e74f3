"""Outlines against what many rays see of each pixel."""

import pytest
import torch
from torch import Tensor

from app.assets import cache_folder
from renderer.avatar import Avatar
from renderer.camera import camera_directions, frame_coordinates
from renderer.kernels import cpu
from renderer.outline import PLACES, STEP, outline, through_pixels
from renderer.portrait import Backend
from tests.renderer.scenes import CAMERA, RADIUS, turned, usual_avatar

ROTATION, TRANSLATION = turned(0.2, 0.1), torch.tensor([0.5, 1.0, -60.0])
SIZE = 96
FINE = 8
"""Rays along either side of a pixel that tell how much of it is covered."""


def white_ball() -> Avatar:
    """An opaque white ball before black, without a torso."""
    avatar = usual_avatar()
    head, grid = avatar.head, avatar.grid
    for planes in (head.static_planes, head.basis_planes, head.wide_planes):
        planes.zero_()
    for layer in (head.density_layer, head.colour_layer, head.sigma_layer, head.rgb_layer):
        layer.weight.zero_()
        layer.bias.zero_()
    # Thick wherever a ray is followed, which is where the density grid says that there is something.
    head.sigma_layer.bias.fill_(20.0)
    head.rgb_layer.bias.fill_(20.0)
    grid.density.copy_(((RADIUS - grid.voxel_centres().norm(dim=-1)) * 2.0).clamp(0.0, 20.0).view_as(grid.density))
    avatar.background.zero_()
    avatar.torso_extent.zero_()
    avatar.forget()
    return avatar


def rendered(avatar: Avatar, size: int, backend: Backend, *, smooth: bool) -> Tensor:
    """How much (size, size) of each pixel the ball covers."""
    given = torch.zeros(30), ROTATION, TRANSLATION, torch.zeros(10), size, size
    return avatar.render(*given, backend=backend, smooth=smooth)[..., 0] / 255.0


@pytest.mark.parametrize("backend", ["torch", "compiled"])
def test_an_outline_covers_a_part_of_its_pixels(backend: Backend) -> None:
    assert cpu.prepare(cache_folder() / "kernels"), "the kernels cannot be compiled here: see the warning"
    avatar = white_ball()
    wanted = rendered(avatar, SIZE * FINE, backend, smooth=False).view(SIZE, FINE, SIZE, FINE).mean((1, 3))
    edge = (wanted > 0.02) & (wanted < 0.98)
    assert int(edge.sum()) > 100
    jagged, smooth = (rendered(avatar, SIZE, backend, smooth=each) - wanted for each in (False, True))
    assert smooth[edge].square().mean().sqrt() < 0.5 * jagged[edge].square().mean().sqrt()
    assert (smooth[~edge] == jagged[~edge]).float().mean() > 0.98


def test_an_outline_lies_on_both_sides_of_a_step() -> None:
    transmittance = torch.ones(7, 9)
    transmittance[:, :4] = 0.0
    found = outline(transmittance)
    assert found[:, 3:5].all()
    assert found.sum() == 14
    assert not outline(torch.full((5, 5), 0.5)).any()
    gentle = torch.linspace(0.0, 0.49 * STEP * 20, 21).expand(5, 21)
    assert not outline(gentle).any()


def test_the_rays_of_a_pixel_lie_evenly_within_it() -> None:
    directions = camera_directions(CAMERA, frame_coordinates(6, 6)).view(-1, 3)
    side = 1.0 / (6 * CAMERA.focal)
    rays = through_pixels(directions, side)
    assert rays.shape == (36, len(PLACES), 3)
    assert torch.allclose(rays.mean(1), directions, atol=1e-6)
    # Of all rays of a row of pixels, no two are as far to the right, and they are evenly apart; so it is with columns.
    grid = rays.view(6, 6, len(PLACES), 3)
    for one in (grid[2, :, :, 0], grid[:, 3, :, 1]):
        steps = one.flatten().sort().values.diff()
        assert torch.allclose(steps, torch.full_like(steps, side / len(PLACES)), rtol=1e-2)


def test_a_picture_without_a_head_has_no_outline() -> None:
    avatar = white_ball()
    avatar.grid.density.zero_()
    avatar.forget()
    given = torch.zeros(30), ROTATION, TRANSLATION, torch.zeros(10), 24, 24
    assert not avatar.render(*given, backend="torch").any()
