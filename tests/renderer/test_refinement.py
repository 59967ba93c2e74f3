"""From coarse to fine without a jump."""

from itertools import pairwise

import torch

from renderer.refinement import Refinement
from tests.renderer.scenes import small_avatar, turned


def test_each_frame_changes_a_little_and_the_last_is_the_finer_avatar() -> None:
    coarse, fine = small_avatar(), small_avatar()
    for name in ("head.static_planes", "head.wide_planes", "head.basis_planes", "torso.plane"):
        fine.get_parameter(name).add_(0.5 * torch.randn_like(fine.get_parameter(name)))
    pose = turned(0.1, 0.0), torch.tensor([0.0, 1.0, -60.0]), torch.zeros(10)
    expression = torch.ones(30)

    def picture(avatar):
        return avatar.render(expression, *pose, 48, 48).float()

    start, end = picture(coarse), picture(fine)
    jump = float((end - start).square().mean().sqrt())
    refinement = Refinement(coarse, fine, frames=15)
    pictures, done = [start], []
    while not any(done):
        done.append(refinement.step())
        pictures.append(picture(coarse))
    assert len(done) == 15
    assert torch.equal(pictures[-1], end)
    steps = [float((b - a).square().mean().sqrt()) for a, b in pairwise(pictures)]
    assert jump > 2.0
    assert max(steps) < 0.3 * jump
