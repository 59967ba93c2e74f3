"""Where the plane of a torso lies."""

from dataclasses import replace

import pytest
import torch

from renderer.training.dataset import BACKGROUND, BODY, BODY_MARGIN, Footage, torso_box
from tests.renderer.scenes import ball_footage

SIDE = 64


def moving(shifts: torch.Tensor) -> Footage:
    """A body that rests from (0.25, 0.75) to (0.75, 1.5) and is shifted (F, 2) by frame sides."""
    footage = ball_footage(len(shifts), SIDE)
    masks = torch.full_like(footage.masks, BACKGROUND)
    for mask, (right, down) in zip(masks, (shifts * SIDE).round().int().tolist(), strict=True):
        mask[max(48 + down, 0) : max(96 + down, 0), max(16 + right, 0) : max(48 + right, 0)] = BODY
    motions = torch.zeros(len(shifts), 6)
    motions[:, :2] = (shifts * SIDE).round() / SIDE
    return replace(footage, masks=masks, torso_motions=motions)


@pytest.mark.parametrize(
    ("right", "down", "low", "high"),
    [
        ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (1.0, 1.0)),
        # What has moved up shows what lies below the frame at rest.
        ((0.0, 0.0), (-0.25, 0.25), (0.0, 0.0), (1.0, 1.25)),
        ((-0.5, 0.5), (0.0, 0.0), (0.0, 0.0), (1.0, 1.0)),
    ],
)
def test_it_is_the_frame_and_what_has_come_into_it(
    right: tuple[float, float], down: tuple[float, float], low: tuple[float, float], high: tuple[float, float]
) -> None:
    shifts = torch.stack((torch.linspace(*right, 40), torch.linspace(*down, 40)), -1)
    box = torso_box(moving(shifts))
    beyond = box - torch.tensor([low, high])
    assert (beyond[0] <= 0.0).all()
    assert (beyond[1] >= -0.02).all()
    # Within a pixel or two.
    assert beyond.abs().max() < BODY_MARGIN + 0.03


def test_a_frame_in_a_hundred_has_no_say() -> None:
    shifts = torch.zeros(100, 2)
    shifts[50] = -0.4
    box = torso_box(moving(shifts))
    assert torch.allclose(box, torso_box(moving(torch.zeros(100, 2))), atol=1e-3)


def test_without_a_body_it_is_the_frame() -> None:
    assert torso_box(moving(torch.full((4, 2), 2.0))).tolist() == [[0.0, 0.0], [1.0, 1.0]]
