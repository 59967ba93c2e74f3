"""How far away the head's surface is, against a ball."""

import pytest
import torch

from app.assets import cache_folder
from renderer.avatar import Avatar
from renderer.camera import camera_directions, frame_coordinates
from renderer.kernels import cpu
from renderer.rays import head_space_rays
from tests.renderer.scenes import CAMERA, RADIUS, turned, usual_avatar

ROTATION, TRANSLATION = turned(0.2, 0.1), torch.tensor([0.5, 1.0, -60.0])


def ball() -> Avatar:
    avatar = usual_avatar()
    centres = avatar.grid.voxel_centres()
    avatar.grid.density.view(-1).copy_(((RADIUS - centres.norm(dim=-1)) * 20.0).clamp(0.0, 20.0))
    avatar.forget()
    return avatar


def exact(width: int, height: int) -> torch.Tensor:
    directions = camera_directions(CAMERA, frame_coordinates(width, height)).view(-1, 3)
    rays_o, rays_d = head_space_rays(directions, ROTATION, TRANSLATION)
    a, b = rays_d.square().sum(-1), (rays_o * rays_d).sum(-1)
    root = b * b - a * (rays_o.square().sum(-1) - RADIUS**2)
    distance = (-b - root.clamp_min(0.0).sqrt()) / a
    return torch.where(root > 0.0, distance, torch.inf).view(height, width)


@pytest.mark.parametrize("size", [(96, 96), (120, 90)])
def test_a_ball_is_as_far_away_as_it_is(size: tuple[int, int]) -> None:
    found = ball().head_distance(torch.zeros(30), ROTATION, TRANSLATION, *size, backend="torch")
    true = exact(*size)
    head = torch.isfinite(true)
    assert found.shape == true.shape
    # What the outline goes through is decided by a block of pixels.
    assert (torch.isfinite(found) != head).float().mean() < 0.05
    both = head & torch.isfinite(found)
    # The density grid's voxels are 0.9 cm wide.
    assert (found - true)[both].abs().median() < 0.5
    assert (found - true)[both].abs().quantile(0.9) < 1.2


def test_a_head_out_of_the_picture_is_nowhere() -> None:
    away = torch.tensor([300.0, 0.0, -60.0])
    found = ball().head_distance(torch.zeros(30), ROTATION, away, 96, 96, backend="torch")
    assert torch.isinf(found).all()


def test_the_compiled_search_finds_the_same() -> None:
    assert cpu.prepare(cache_folder() / "kernels"), "the kernels cannot be compiled here: see the warning"
    given = (torch.randn(30), ROTATION, TRANSLATION, 95, 95)
    plain = ball().head_distance(*given, backend="torch")
    compiled = ball().head_distance(*given, backend="compiled")
    same = torch.isfinite(plain) == torch.isfinite(compiled)
    assert same.float().mean() > 0.995
    both = torch.isfinite(plain) & torch.isfinite(compiled)
    assert (plain - compiled)[both].abs().max() < 0.1
