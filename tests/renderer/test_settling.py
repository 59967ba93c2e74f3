"""What is done to a trained torso before it is shipped."""

from dataclasses import replace

import torch

from renderer.training.dataset import HEAD, grow_inwards
from renderer.training.settling import settle_torso
from tests.renderer.scenes import ball_footage
from tests.renderer.test_training import trainer

SIDE = 64


def lies(torso, low, high):
    """Let the torso's plane lie from one corner of the frame to the other."""
    torso.box_min.copy_(torch.tensor(low))
    torso.box_max.copy_(torch.tensor(high))


def shifted(footage, down):
    """Return the footage with a torso that moved by ``down`` (F,) frame sides, and heads nowhere."""
    motions = torch.zeros(len(footage), 6)
    motions[:, 1] = down
    return replace(footage, torso_motions=motions, masks=torch.zeros_like(footage.masks))


def test_a_torso_goes_on_where_the_footage_never_showed_it() -> None:
    training = trainer()
    avatar, torso = training.avatar, training.avatar.torso
    avatar.torso_extent.fill_(1.0)
    lies(torso, [0.0, 0.0], [1.0, 1.0])
    footage = shifted(ball_footage(8, SIDE), torch.linspace(0.0, 0.2, 8))
    # The torso has only ever been lower than at rest: no frame has shown the last fifth of its plane.
    before = torso.plane.detach().clone()
    settle_torso(avatar, footage)
    after = torso.plane.detach()
    side = after.shape[-1]
    rows = torch.arange(side) / side
    kept = (after == before)[0].all(0)
    assert kept[rows < 0.75].float().mean() > 0.99
    assert not kept[rows > 0.99].any()
    # What it goes on with is as smooth as a mean of what was seen, and not what training began with.
    assert after[..., -2:, :].std() < 0.6 * before[..., -2:, :].std()


def test_a_torso_that_lies_beyond_the_frame_is_kept_where_it_came_into_it() -> None:
    training = trainer()
    avatar, torso = training.avatar, training.avatar.torso
    avatar.torso_extent.fill_(1.0)
    lies(torso, [0.0, 0.5], [1.0, 1.5])
    # It has been higher than at rest by up to a fifth of the frame.
    footage = shifted(ball_footage(8, SIDE), torch.linspace(0.0, -0.2, 8))
    before = torso.plane.detach().clone()
    settle_torso(avatar, footage)
    kept = (torso.plane.detach() == before)[0].all(0)
    places = 0.5 + torch.arange(len(kept)) / (len(kept) - 1)
    assert kept[places < 1.16].float().mean() > 0.99
    assert not kept[places > 1.22].any()


def test_what_the_head_has_always_hidden_was_not_seen() -> None:
    training = trainer()
    avatar = training.avatar
    avatar.torso_extent.fill_(1.0)
    lies(avatar.torso, [0.0, 0.0], [1.0, 1.0])
    footage = shifted(ball_footage(8, SIDE), torch.zeros(8))
    masks = footage.masks.clone()
    masks[:, 16:48, 16:48] = HEAD
    before = avatar.torso.plane.detach().clone()
    settle_torso(avatar, replace(footage, masks=masks))
    changed = (avatar.torso.plane.detach() != before)[0].any(0)
    side = changed.shape[0]
    assert changed[side // 2 - 40 : side // 2 + 40, side // 2 - 40 : side // 2 + 40].all()
    assert not changed[: side // 5].any()


def test_without_any_sighting_a_torso_stays_as_it_is() -> None:
    training = trainer()
    avatar = training.avatar
    footage = shifted(ball_footage(4, SIDE), torch.zeros(4))
    before = avatar.torso.plane.detach().clone()
    settle_torso(avatar, replace(footage, masks=torch.full_like(footage.masks, HEAD)))
    assert torch.equal(avatar.torso.plane.detach(), before)


def test_unknown_pixels_take_their_nearest_neighbours() -> None:
    picture = torch.zeros(9, 9, 2)
    picture[:, :3] = torch.tensor([1.0, -2.0])
    known = torch.zeros(9, 9, dtype=torch.bool)
    known[:, :3] = True
    assert torch.allclose(grow_inwards(picture, known), torch.tensor([1.0, -2.0]).expand(9, 9, 2))
