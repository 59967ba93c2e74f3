"""The paper's avatar: a picture of known fields, and what of a frame drives which field."""

import math

import pytest
import torch
from torch import Tensor

from renderer.camera import camera_directions, frame_coordinates
from tests.renderer.paper.scenes import known_avatar, tiny_avatar
from tests.renderer.scenes import CAMERA, RADIUS, turned

MOTION = torch.zeros(6)
NEUTRAL = torch.zeros(30)
RED, GREEN, BLUE = ([255, 0, 0], [0, 255, 0], [0, 0, 255])


def shows(picture: Tensor, colour: list[int]) -> Tensor:
    return (picture == torch.tensor(colour, dtype=torch.uint8)).all(-1)


def test_a_picture_of_known_fields() -> None:
    avatar = known_avatar()
    translation = torch.tensor([2.0, 3.0, -60.0])
    side = 64
    picture = avatar.render(NEUTRAL, turned(0.3, 0.2), translation, MOTION, side, side)
    directions = camera_directions(CAMERA, frame_coordinates(side, side))
    along = (directions @ translation) ** 2
    ball = along / directions.square().sum(-1) > translation @ translation - RADIUS**2
    # The wall is met at its upper edge or at its front.
    front = directions[..., 1] * 65.0 < -12.0
    wall = directions[..., 1] * 85.0 < -12.0
    assert ((shows(picture, RED)) != (ball & ~wall)).float().mean() < 0.01
    assert (shows(picture, BLUE) != wall).float().mean() < 0.02
    assert (shows(picture, BLUE) & ~wall).sum() == 0
    assert shows(picture, BLUE)[front].all()
    assert shows(picture, GREEN)[~ball & ~wall].all()


def test_the_torso_lies_before_the_head() -> None:
    picture = known_avatar().render(NEUTRAL, torch.eye(3), torch.tensor([0.0, -13.0, -60.0]), MOTION, 64, 64)
    column = picture[:, 32]
    below = torch.nonzero(shows(column, BLUE)).squeeze(-1)
    assert len(below) > 0
    assert shows(column[below.min() :], BLUE).all()
    assert shows(column[: below.min()], RED).any()


def test_the_head_moves_with_its_pose_and_the_torso_does_not() -> None:
    avatar = known_avatar()
    one = avatar.render(NEUTRAL, torch.eye(3), torch.tensor([0.0, 4.0, -60.0]), MOTION, 64, 64)
    # A pixel is 60 / (2 * 64) cm at the head's distance.
    shift = 8 * 60.0 / 128.0
    other = avatar.render(NEUTRAL, torch.eye(3), torch.tensor([shift, 4.0, -60.0]), MOTION, 64, 64)
    assert torch.equal(shows(one, BLUE), shows(other, BLUE))
    rows, columns = torch.nonzero(shows(one, RED), as_tuple=True)
    moved_rows, moved = torch.nonzero(shows(other, RED), as_tuple=True)
    assert float(moved.float().mean() - columns.float().mean()) == pytest.approx(8.0, abs=0.3)
    assert float(moved_rows.float().mean() - rows.float().mean()) == pytest.approx(0.0, abs=0.2)


def test_the_same_view_of_a_turned_head_is_the_same_picture() -> None:
    # Head and camera turned together about the camera: nothing changes in head space.
    avatar = tiny_avatar()
    rotation, translation = turned(0.2, -0.1), torch.tensor([1.0, 2.0, -60.0])
    directions = camera_directions(CAMERA, frame_coordinates(16, 16)).view(-1, 3)
    bounds = avatar.head_bounds(directions, rotation, translation)
    hits = directions[bounds[0] < bounds[1]]
    turn = turned(-0.5, 0.3)
    for one, other in zip(
        avatar.march_head(hits, torch.ones(30), rotation, translation),
        avatar.march_head(hits @ turn.T, torch.ones(30), turn @ rotation, turn @ translation),
        strict=True,
    ):
        torch.testing.assert_close(one.rgb, other.rgb, atol=0.02, rtol=0.0)
        torch.testing.assert_close(one.transmittance, other.transmittance, atol=0.02, rtol=0.0)


def test_expression_and_code_drive_both_fields_and_the_pose_the_torso_alone() -> None:
    avatar = known_avatar()
    avatar.consistency_code.data.copy_(torch.linspace(1.0, 2.0, 32))
    rotations = torch.stack([turned(0.1 * yaw, 0.0) for yaw in range(5)])
    translations = torch.randn(5, 3) + torch.tensor([0.0, 0.0, -60.0])
    avatar.initialise(rotations, translations)
    expression = torch.arange(30.0)
    avatar.render(expression, rotations[1], translations[1], MOTION, 16, 16)
    head, torso = avatar.head.fine.conditions[-1], avatar.torso.fine.conditions[-1]
    assert torch.equal(head, torch.cat((expression, avatar.consistency_code)))
    assert torch.equal(torso[:62], head)
    poses = torch.cat((rotations.flatten(1), translations), -1)
    expected = (poses[1] - poses.mean(0)) / poses.std(0).clamp_min(1e-3)
    torch.testing.assert_close(torso[62:], expected.clamp(-4.0, 4.0))


def test_views_reach_the_head_in_its_own_space() -> None:
    avatar = known_avatar()
    rotation = turned(math.pi / 2, 0.0)
    avatar.render(NEUTRAL, rotation, torch.tensor([0.0, 0.0, -60.0]), MOTION, 15, 15)
    views = torch.cat(avatar.head.fine.views)
    torch.testing.assert_close(views.norm(dim=-1), torch.ones(len(views)))
    # The camera looks along -z; seen from a head that has turned by a quarter, that is along its x axis.
    middle = views[views[:, 0].abs().argmax()]
    torch.testing.assert_close(middle.abs(), torch.tensor([1.0, 0.0, 0.0]), atol=0.05, rtol=0.0)


@pytest.mark.parametrize(("width", "height"), [(24, 24), (40, 24), (24, 41)])
def test_a_picture_of_any_shape(width: int, height: int) -> None:
    picture = tiny_avatar().render(
        torch.randn(30), torch.eye(3), torch.tensor([0.0, 0.0, -60.0]), MOTION, width, height
    )
    assert picture.shape == (height, width, 3)
    assert picture.dtype == torch.uint8
    assert picture.float().std() > 5.0


def test_rendering_is_the_same_twice_and_knows_no_chunks() -> None:
    given = torch.ones(30), torch.eye(3), torch.tensor([0.0, 1.0, -60.0]), MOTION
    avatar = tiny_avatar()
    assert torch.equal(avatar.render(*given, 20, 20), avatar.render(*given, 20, 20))


def test_a_head_out_of_sight_leaves_the_torso_and_the_background() -> None:
    avatar = known_avatar()
    picture = avatar.render(NEUTRAL, torch.eye(3), torch.tensor([500.0, 0.0, -60.0]), MOTION, 32, 32)
    assert not shows(picture, RED).any()
    assert (shows(picture, GREEN) | shows(picture, BLUE)).all()


def test_expressions_in_new_units_render_the_same() -> None:
    avatar = tiny_avatar()
    pose = turned(0.1, 0.1), torch.tensor([0.0, 1.0, -60.0]), MOTION
    expression, shift, scale = torch.randn(30), torch.randn(30), torch.rand(30) + 0.5
    before = avatar.render(expression, *pose, 24, 24).int()
    avatar.rescale_expression(shift, scale)
    after = avatar.render((expression - shift) / scale, *pose, 24, 24).int()
    assert (before - after).float().square().mean().sqrt() < 2.0
