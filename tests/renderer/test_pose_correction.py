"""The correction of the head's pose."""

import torch

from renderer.pose_correction import FARTHEST, REACH, PoseCorrection
from tests.renderer.scenes import turned

ROTATION, TRANSLATION = turned(0.2, -0.1), torch.tensor([1.0, 2.0, -55.0])


def learned(seed: int = 0) -> PoseCorrection:
    torch.manual_seed(seed)
    correction = PoseCorrection(30)
    for layer in (correction.from_pose, correction.from_expression):
        torch.nn.init.normal_(layer.weight, std=0.2)
    return correction.requires_grad_(False)


def test_it_begins_by_changing_nothing() -> None:
    rotation, translation = PoseCorrection(30)(torch.randn(30), ROTATION, TRANSLATION)
    assert torch.allclose(rotation, ROTATION, atol=1e-6)
    assert torch.allclose(translation, TRANSLATION)


def test_what_comes_out_is_a_pose() -> None:
    rotation, translation = learned()(torch.randn(30), ROTATION, TRANSLATION)
    assert torch.allclose(rotation @ rotation.T, torch.eye(3), atol=1e-5)
    assert float(torch.linalg.det(rotation)) > 0.999
    assert not torch.allclose(rotation, ROTATION, atol=1e-4)
    assert translation.shape == (3,)


def test_one_unit_turns_by_its_reach_about_its_axis() -> None:
    correction = PoseCorrection(30)
    with torch.no_grad():
        correction.from_pose.bias[1] = 1.0
        correction.from_pose.bias[5] = 1.0
    rotation, translation = correction(torch.zeros(30), torch.eye(3), TRANSLATION)
    assert torch.allclose(rotation, turned(REACH[1], 0.0), atol=1e-6)
    assert torch.allclose(translation - TRANSLATION, torch.tensor([0.0, 0.0, REACH[5]]), atol=1e-5)


def test_expressions_in_new_units_mean_the_same() -> None:
    correction, expression = learned(), torch.randn(30)
    shift, scale = torch.randn(30) * 0.1, torch.rand(30) + 0.5
    before = correction(expression, ROTATION, TRANSLATION)
    correction.rescale_expression(shift, scale)
    after = correction((expression - shift) / scale, ROTATION, TRANSLATION)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(before, after, strict=True))


def test_an_absurd_expression_moves_the_head_no_further_than_a_strong_one() -> None:
    correction = learned()
    strong = correction(torch.full((30,), FARTHEST), ROTATION, TRANSLATION)
    absurd = correction(torch.full((30,), 1e9), ROTATION, TRANSLATION)
    assert all(torch.equal(a, b) for a, b in zip(strong, absurd, strict=True))
