"""What is never read may change; what is read must not."""

import torch

from renderer.seen_texels import head_texels, smoothed_beyond, torso_texels
from tests.renderer.scenes import small_avatar, turned


def test_texels_that_are_not_seen_do_not_show() -> None:
    avatar = small_avatar()
    seen = head_texels(avatar.grid, avatar.head.shape.resolution)
    assert not bool(seen.all())
    poses = [
        (turned(yaw, pitch), torch.tensor([0.0, 1.0, -60.0]), torch.zeros(10))
        for yaw, pitch in ((0.0, 0.0), (0.5, 0.2), (-0.6, -0.3))
    ]
    before = [avatar.render(torch.zeros(30), *pose, 64, 64) for pose in poses]
    planes = avatar.head.static_planes
    planes[~seen[:, None].expand_as(planes)] = 7.0
    for picture, pose in zip(before, poses, strict=True):
        assert torch.equal(picture, avatar.render(torch.zeros(30), *pose, 64, 64))


def test_each_plane_sees_along_its_own_axis() -> None:
    grid = small_avatar().grid
    grid.density.zero_()
    # (z, y, x): a box that is long in x, short in y and single in z.
    grid.density[8, 7:9, 3:13] = 1.0
    front, side, top = head_texels(grid, 16)
    # Rows y and columns x; rows y and columns z; rows z and columns x.
    assert front[8, 2:14].all()
    assert not front[1].any()
    assert side[8, 8]
    assert not side[8, 13]
    assert top[8, 2:14].all()
    assert not top[13].any()


def test_what_is_seen_stays_and_the_rest_is_smooth() -> None:
    planes = torch.randn(2, 32, 32, generator=torch.Generator().manual_seed(0)) + 5.0
    seen = torch.zeros(32, 32, dtype=torch.bool)
    seen[8:24, 10:20] = True
    filled = smoothed_beyond(planes, seen)
    assert torch.equal(filled[:, seen], planes[:, seen])
    beyond = filled[:, :6]
    assert 3.0 < float(beyond.mean()) < 7.0
    assert float((beyond[:, 1:] - beyond[:, :-1]).abs().max()) < 1.0
    assert float((planes[:, 1:6] - planes[:, :5]).abs().max()) > 1.0


def test_a_torso_that_is_nowhere_needs_nothing() -> None:
    frame = torch.zeros(2), torch.ones(2)
    assert not bool(torso_texels(torch.zeros(64, 64), 128, *frame).any())
    extent = torch.zeros(64, 64)
    extent[60:] = 1.0
    seen = torso_texels(extent, 128, *frame)
    assert seen[-1].all()
    assert not seen[:90].any()


def test_a_torso_is_looked_for_where_its_plane_lies() -> None:
    extent = torch.zeros(64, 64)
    extent[32:, :16] = 1.0
    seen = torso_texels(extent, 100, torch.tensor([-0.5, 0.2]), torch.tensor([1.5, 1.2]))
    # Left of the frame and below it the torso goes on; 0.08 frame sides of margin are at most 8 texels.
    assert seen[30:, :37].all()
    assert not seen[:21].any()
    assert not seen[:, 47:].any()
