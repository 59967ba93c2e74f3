"""The torso's own motion."""

import pytest
import torch

from renderer.torso_field import TorsoField, TorsoFieldShape

UV = torch.rand(400, 2, generator=torch.Generator().manual_seed(2))
CODE = torch.zeros(8)
STILL = torch.zeros(12)
REST = torch.zeros(6)


@pytest.fixture
def torso() -> TorsoField:
    torch.manual_seed(0)
    field = TorsoField(TorsoFieldShape(resolution=32))
    field.centre.copy_(torch.tensor([0.5, 0.8]))
    return field.requires_grad_(False)


def test_a_moved_torso_is_seen_where_it_has_moved_to(torso: TorsoField) -> None:
    motion = torch.tensor([0.05, -0.03, 0.1, -0.04, 0.02, -0.08])
    linear = torch.eye(2) + motion[2:].view(2, 2)
    # What lies at a point of the canonical plane is seen where the motion takes that point.
    seen = torso.centre + motion[:2] + (UV - torso.centre) @ linear.T
    for moved, rested in zip(torso(seen, motion, STILL, CODE), torso(UV, REST, STILL, CODE), strict=True):
        assert torch.allclose(moved, rested, atol=1e-3)


def test_the_condition_counts_in_standard_deviations_and_is_bounded(torso: TorsoField) -> None:
    rotations = torch.eye(3).expand(50, 3, 3)
    translations, motions = torch.randn(50, 3) * 2.0 + 5.0, torch.randn(50, 6) * 0.03
    torso.initialise(torch.tensor([0.4, 0.7]), rotations, translations, motions)
    conditions = torso.condition(rotations, translations, motions)
    assert conditions.shape == (50, 12)
    assert torch.allclose(conditions[:, 3:].mean(0), torch.zeros(9), atol=1e-4)
    assert (conditions[:, 3:].std(0) > 0.5).all()
    assert torso.condition(rotations, translations * 1e6, motions * 1e6).abs().max() <= 3.0
    assert torch.equal(torso.centre, torch.tensor([0.4, 0.7]))


@pytest.mark.parametrize("linear", [[-1.0, 0.0, 0.0, -1.0], [0.4, 0.4, 0.4, -0.4], [1e3, 0.0, 0.0, 1e3]])
def test_whatever_motion_arrives_the_colours_are_colours(torso: TorsoField, linear: list[float]) -> None:
    rgb, alpha = torso(UV, torch.tensor([2.0, -2.0, *linear]), STILL, CODE)
    assert rgb.isfinite().all()
    assert ((alpha >= 0) & (alpha <= 1)).all()
