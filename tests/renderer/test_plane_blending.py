"""The gradients of blending, which are written out, against finite differences and torch's own."""

import pytest
import torch
from torch import Tensor

from renderer.plane_blending import BlendPlanes, widened

WINDOWS = [(0, slice(1, 4), slice(2, 5)), (1, slice(1, 4), slice(3, 6)), (2, slice(3, 6), slice(2, 5))]


def given(frames: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    options = {"dtype": torch.float64, "requires_grad": True}
    return (
        torch.randn(frames, 4, **options),  # type: ignore[call-overload]
        torch.randn(3, 5, 7, 7, **options),  # type: ignore[call-overload]
        torch.randn(4, 3, 2, 3, 3, **options),  # type: ignore[call-overload]
        torch.randn(frames, 3, 2, 7, 7, **options),  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_gradients_are_the_slopes(frames: int) -> None:
    inputs = given(frames)
    assert torch.autograd.gradcheck(lambda *inputs: BlendPlanes.apply(*inputs, WINDOWS), inputs)
    assert torch.autograd.gradcheck(lambda *inputs: BlendPlanes.apply(*inputs, None, WINDOWS), inputs[:3])


def test_blending_adds_the_combination_of_the_basis() -> None:
    expressions, static, basis, wide = given(2)
    blended = BlendPlanes.apply(expressions, static, basis, wide, WINDOWS)
    for planes, expression, added in zip(blended, expressions, wide, strict=True):
        expected = static.detach().clone()
        expected[:, :2] += added.detach()
        for plane, rows, columns in WINDOWS:
            expected[plane, :2, rows, columns] += (expression[:, None, None, None] * basis[:, plane]).sum(0).detach()
        assert torch.allclose(planes, expected.permute(0, 2, 3, 1))


def test_wide_planes_reach_from_corner_to_corner() -> None:
    coarse = torch.randn(2, 3, 4, 3, 3)
    fine = widened(coarse, 5)
    assert torch.allclose(fine[..., ::2, ::2], coarse)
    assert torch.allclose(fine[..., 1, 0], 0.5 * (coarse[..., 0, 0] + coarse[..., 1, 0]))
