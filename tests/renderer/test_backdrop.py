"""From one background to another without a jump."""

from itertools import pairwise

import torch

from renderer.backdrop import BackdropFade, moved
from tests.renderer.scenes import small_avatar, turned


def test_each_frame_changes_a_little_and_the_last_has_the_difference() -> None:
    avatar = small_avatar()
    avatar.background.fill_(0.4)
    pose = turned(0.1, 0.0), torch.tensor([500.0, 1.0, -60.0]), torch.zeros(10)
    avatar.torso_extent.zero_()

    def picture():
        return avatar.render(torch.zeros(30), *pose, 48, 40).float() / 255.0

    difference = torch.zeros(8, 8, 3)
    difference[:, :4] = torch.tensor([0.2, -0.1, 0.9])
    fade = BackdropFade(avatar, avatar.background.clone(), difference, torch.zeros(2, 3), frames=10)
    pictures, done = [picture()], []
    while not any(done):
        done.append(fade.step())
        pictures.append(picture())
    assert len(done) == 10
    assert torch.allclose(pictures[0], torch.tensor(0.4), atol=3e-3)
    assert torch.allclose(pictures[-1][:, :12], torch.tensor([0.6, 0.3, 1.0]), atol=3e-3)
    assert torch.allclose(pictures[-1][:, -12:], torch.tensor(0.4), atol=3e-3)
    assert max(float((b - a).abs().max()) for a, b in pairwise(pictures)) < 0.07


def test_a_new_difference_counts_from_the_enrolled_background() -> None:
    avatar = small_avatar()
    enrolled = avatar.background.clone()
    for value in (0.5, -0.3, 0.0):
        fade = BackdropFade(avatar, enrolled, torch.full((4, 4, 3), value), torch.zeros(2, 3), frames=3)
        while not fade.step():
            pass
        assert torch.allclose(avatar.background, (enrolled + value).clamp(0.0, 1.0), atol=1e-6)


def test_a_background_moves_by_shares_of_its_side() -> None:
    """Every place shows what was that much farther on; the border goes on beyond itself."""
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    background = torch.stack((rows, columns, rows * 0.0), -1) / 32.0
    assert moved(background, torch.zeros(2, 3)) is background
    shifted = moved(background, torch.tensor([[0.0, 0.0, 4 / 32], [0.0, 0.0, -2 / 32]]))
    assert torch.allclose(shifted[2:, :28], background[:30, 4:], atol=1e-5)
    assert torch.allclose(shifted[0, :28], background[0, 4:], atol=1e-5)
    assert torch.allclose(shifted[2:, 31], background[:30, 31], atol=1e-5)
    # From the middle outwards everything is a quarter farther away.
    grown = moved(background, torch.tensor([[0.25, 0.0, 0.0], [0.0, 0.25, 0.0]]))
    middle = 15.5 / 32.0
    inner = slice(4, 28)
    assert torch.allclose(grown[inner, inner, :2] - middle, 1.25 * (background[inner, inner, :2] - middle), atol=1e-5)
