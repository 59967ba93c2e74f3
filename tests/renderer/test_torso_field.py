"""The torso's own motion."""

import pytest
import torch

from renderer.torso_field import LATTICE, TorsoField, TorsoFieldShape
from renderer.torso_modes import displacements

UV = torch.rand(400, 2, generator=torch.Generator().manual_seed(2))
CODE = torch.zeros(8)
MODES = 5
STILL = torch.zeros(8 + MODES)
REST = torch.zeros(2 + MODES)


@pytest.fixture
def torso() -> TorsoField:
    torch.manual_seed(0)
    return TorsoField(TorsoFieldShape(resolution=32, modes=MODES)).requires_grad_(False)


def test_a_torso_that_moves_without_bending_is_seen_where_it_has_moved_to(torso: TorsoField) -> None:
    motion = torch.tensor([0.05, -0.03, *[0.0] * MODES])
    for moved, rested in zip(torso(UV + motion[:2], motion, STILL, CODE), torso(UV, REST, STILL, CODE), strict=True):
        assert torch.allclose(moved, rested, atol=1e-5)


def test_a_bent_torso_is_read_where_its_modes_say(torso: TorsoField) -> None:
    modes = torch.randn(torso.modes.shape) * 0.1
    torso.initialise(modes, torch.eye(3).expand(9, 3, 3), torch.randn(9, 3), torch.randn(9, 2 + MODES) * 0.03)
    motion = torch.tensor([0.05, -0.03, 0.1, -0.04, 0.02, -0.08, 0.06])
    places = torch.linspace(0.0, 1.0, LATTICE)
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    lattice = torch.stack((columns, rows), -1).view(-1, 2)
    bends = torch.einsum("m,mdrc->rcd", motion[2:], displacements(modes, places, places)).reshape(-1, 2)
    read = torso.canonical(lattice + motion[:2], motion, torch.cat((STILL, CODE)))
    assert torch.allclose((read + 1.0) / 2.0, lattice - bends, atol=1e-5)


def test_a_plane_is_read_where_it_lies(torso: TorsoField) -> None:
    box = torch.tensor([[-0.25, 0.5], [1.25, 1.5]])
    modes = torch.zeros(torso.modes.shape)
    torso.initialise(modes, torch.eye(3).expand(9, 3, 3), torch.randn(9, 3), torch.randn(9, 2 + MODES), box)
    read = torso.canonical(UV, REST, torch.cat((STILL, CODE)))
    assert torch.allclose((read + 1.0) / 2.0 * (box[1] - box[0]) + box[0], UV, atol=1e-5)


def test_modes_come_with_the_other_numbers(torso: TorsoField) -> None:
    other = TorsoField(torso.shape)
    modes, motions = torch.randn(torso.modes.shape), torch.randn(9, 2 + MODES)
    torso.initialise(modes, torch.eye(3).expand(9, 3, 3), torch.randn(9, 3), motions)
    other.load_state_dict(torso.state_dict())
    assert torch.equal(other.lattice_modes, torso.lattice_modes)


def test_the_condition_counts_in_standard_deviations_and_is_bounded(torso: TorsoField) -> None:
    rotations = torch.eye(3).expand(50, 3, 3)
    translations, motions = torch.randn(50, 3) * 2.0 + 5.0, torch.randn(50, 2 + MODES) * 0.03
    modes = torch.randn(torso.modes.shape)
    torso.initialise(modes, rotations, translations, motions)
    conditions = torso.condition(rotations, translations, motions)
    assert conditions.shape == (50, 8 + MODES)
    assert torch.allclose(conditions[:, 3:].mean(0), torch.zeros(5 + MODES), atol=1e-4)
    assert (conditions[:, 3:].std(0) > 0.5).all()
    assert torso.condition(rotations, translations * 1e6, motions * 1e6).abs().max() <= 3.0
    assert torch.equal(torso.modes, modes)


@pytest.mark.parametrize("bend", [[-1.0, 0.0, 0.0, -1.0, 1.0], [0.4, 0.4, 0.4, -0.4, 0.4], [1e3] * MODES])
def test_whatever_motion_arrives_the_colours_are_colours(torso: TorsoField, bend: list[float]) -> None:
    rgb, alpha = torso(UV, torch.tensor([2.0, -2.0, *bend]), STILL, CODE)
    assert rgb.isfinite().all()
    assert ((alpha >= 0) & (alpha <= 1)).all()
