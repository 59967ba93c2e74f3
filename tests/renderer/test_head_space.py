"""Where there may be a head."""

from dataclasses import replace

import torch

from renderer.camera import camera_directions, frame_coordinates
from renderer.training.dataset import BACKGROUND, HEAD, Footage
from renderer.training.head_space import carve_hull
from tests.renderer.scenes import CAMERA, RADIUS, ball_footage

FOOTAGE = ball_footage(60, 64)


def test_the_hull_holds_the_ball_and_little_more() -> None:
    axis = torch.linspace(-12, 12, 25)
    points = torch.cartesian_prod(axis, axis, torch.tensor([0.0]))
    inside = carve_hull(FOOTAGE, points)
    radius = points.norm(dim=-1)
    assert inside[radius < 7.5].all()
    assert not inside[radius > 11.0].any()


def raised(heights: torch.Tensor) -> Footage:
    """Frames of a ball that does not turn, so many cm (F,) above the middle of the picture."""
    directions = camera_directions(CAMERA, frame_coordinates(64, 64))
    directions = directions / directions.norm(dim=-1, keepdim=True)
    centres = torch.stack((torch.zeros(len(heights)), heights, torch.full((len(heights),), -60.0)), -1)
    apart = centres[:, None, None] - (directions * centres[:, None, None]).sum(-1, keepdim=True) * directions
    masks = torch.where(apart.norm(dim=-1) < RADIUS, HEAD, BACKGROUND).to(torch.uint8)
    one = FOOTAGE.select(torch.zeros(len(heights), dtype=torch.long))
    return replace(one, masks=masks, rotations=torch.eye(3).expand(len(heights), 3, 3), translations=centres)


def test_what_leaves_the_picture_now_and_then_belongs_to_the_hull() -> None:
    # The picture shows up to 15 cm above its middle: the upper points are seen in a third of the frames, or never.
    footage = raised(torch.tensor([0.0, 11.0, 11.0]).repeat(10))
    points = torch.tensor([[0.0, 0.0, 0.0], [0.0, 6.5, 0.0], [0.0, 10.5, 0.0]])
    assert carve_hull(footage, points).tolist() == [True, True, False]
    assert carve_hull(raised(torch.full((30,), 11.0)), points).tolist() == [True, False, False]
