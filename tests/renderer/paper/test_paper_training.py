"""Training the paper's field on footage whose truth is known."""

import pytest
import torch

from codec.embedding import ExpressionEmbedding
from renderer.paper.march import Passes
from renderer.paper.network import NetworkShape
from renderer.training.dataset import BODY, HEAD
from renderer.training.losses import two_pass_loss
from renderer.training.paper_trainer import PaperTrainer, PaperTrainingSettings
from tests.renderer.scenes import RADIUS, ball_footage, ball_surface

FOOTAGE = ball_footage(40, 64)
SMALL = NetworkShape(layers=4, width=64, skip=2, octaves=6, view_octaves=2)


def trainer(consistency_code: bool = True, rays: int = 64) -> PaperTrainer:
    embedding = ExpressionEmbedding()
    embedding.initialise(FOOTAGE.expressions, torch.eye(79))
    settings = PaperTrainingSettings(frames=2, rays=rays, rate=2e-3, consistency_code=consistency_code)
    return PaperTrainer(FOOTAGE, embedding, ball_surface(), settings, network=SMALL, passes=Passes(16, 16))


def test_the_loss_is_that_of_both_passes() -> None:
    target = torch.zeros(4, 3)
    assert float(two_pass_loss([target + 0.1, target - 0.2], target)) == pytest.approx(0.05)


def test_training_learns_held_out_views() -> None:
    training = trainer(rays=128)
    held_out = ball_footage(3, 64, seed=9)
    before = training.evaluate(held_out)
    for step in range(160):
        training.step(step / 160)
    after = training.evaluate(held_out)
    assert after.psnr > 19.0
    assert after.head_psnr > 14.0
    assert after.psnr > before.psnr + 4.0
    assert training.steps == 160
    assert training.avatar.consistency_code.abs().max() > 0.0


def test_a_training_goes_on_from_its_state() -> None:
    first, second = trainer(), trainer()
    for _ in range(3):
        first.step(0.0)
    second.restore(first.state())
    torch.manual_seed(5)
    expected = first.step(0.5)
    torch.manual_seed(5)
    assert second.step(0.5) == expected
    assert second.steps == 4


def test_without_the_code_it_stays_zero() -> None:
    training = trainer(consistency_code=False)
    for _ in range(3):
        training.step(0.0)
    assert not training.avatar.consistency_code.any()


def test_the_head_learns_from_pictures_without_the_body_alone() -> None:
    training = trainer()
    head_loss, torso_loss = training._losses(0)
    heads, torsos = list(training.avatar.head.parameters()), list(training.avatar.torso.parameters())
    of_torso = torch.autograd.grad(torso_loss, heads, allow_unused=True, retain_graph=True)
    assert all(gradient is None for gradient in of_torso)
    of_head = torch.autograd.grad(head_loss, torsos, allow_unused=True, retain_graph=True)
    assert all(gradient is None for gradient in of_head)
    shared = [training.avatar.consistency_code, *training.embedding.parameters()]
    for loss in (head_loss, torso_loss):
        gradients = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
        assert sum(float(gradient.abs().sum()) for gradient in gradients if gradient is not None) > 0.0


def test_rays_show_the_person_for_the_most_part() -> None:
    training = trainer(rays=400)
    torch.manual_seed(0)
    classes = torch.cat([FOOTAGE.masks[frame].flatten()[training._choose_pixels(frame)] for frame in range(20)])
    assert (classes == HEAD).float().mean() > 0.35
    assert (classes == BODY).float().mean() > 0.25


def test_the_head_is_looked_for_where_it_is() -> None:
    head = trainer().avatar.head
    assert (head.box_min < -RADIUS + 0.2).all()
    assert (head.box_max > RADIUS - 0.2).all()
    assert (head.box_max - head.box_min < 2 * RADIUS + 6.0).all()


def test_the_torso_is_looked_for_about_the_heads_depth_in_all_of_the_frame() -> None:
    torso = trainer().avatar.torso
    assert float(torso.box_max[2]) == pytest.approx(-35.0, abs=1.0)
    assert float(torso.box_min[2]) == pytest.approx(-85.0, abs=1.0)
    half = 0.25 * 85.0
    assert torso.box_max[:2].tolist() == pytest.approx([half, half], rel=0.02)
    assert torso.box_min[:2].tolist() == pytest.approx([-half, -half], rel=0.02)
