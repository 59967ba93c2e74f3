"""Pixels that training looks at."""

import torch

from renderer.training.dataset import BACKGROUND, HEAD
from renderer.training.pixel_choice import PixelChoice
from tests.renderer.scenes import ball_footage, ball_surface

FOOTAGE = ball_footage(6, 64)
RANDOM = torch.Generator().manual_seed(0)


def test_scattered_pixels_are_mostly_of_the_person() -> None:
    choice = PixelChoice(FOOTAGE, ball_surface())
    pixels = choice.scattered(2, 2000, RANDOM)
    assert 1950 <= len(pixels) <= 2000
    masks = FOOTAGE.masks[2].flatten()
    assert (masks[pixels] == HEAD).float().mean() > 1.4 * (masks == HEAD).float().mean()


def test_a_patch_is_a_square_within_the_frame_about_the_person() -> None:
    choice = PixelChoice(FOOTAGE, ball_surface())
    shown = []
    for _ in range(50):
        patch = choice.patch(1, 16, RANDOM).view(16, 16)
        rows, columns = patch // 64, patch % 64
        assert (rows == rows[:, :1]).all()
        assert (columns == columns[:1]).all()
        assert (rows.diff(dim=0) == 1).all()
        assert (columns.diff(dim=1) == 1).all()
        assert int(patch.min()) >= 0
        assert int(patch.max()) < 64 * 64
        shown.append((FOOTAGE.masks[1].flatten()[patch.flatten()] != BACKGROUND).any())
    assert all(shown)


def test_a_patch_may_be_the_whole_frame_and_a_frame_without_a_person_has_patches_too() -> None:
    footage = FOOTAGE.select(slice(0, 2))
    footage.masks[0] = BACKGROUND
    choice = PixelChoice(footage, ball_surface())
    assert torch.equal(choice.patch(1, 64, RANDOM), torch.arange(64 * 64))
    assert len(choice.patch(0, 8, RANDOM)) == 64
