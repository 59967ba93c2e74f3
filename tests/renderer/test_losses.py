"""What a training compares by, against what others make of it."""

import numpy as np
import pytest
import torch
from pytorch_msssim import ssim

from renderer.training.losses import structural_loss


@pytest.mark.parametrize("side", [11, 40, 64])
def test_the_structural_loss_is_what_another_implementation_leaves_to_one(side: int) -> None:
    draws = torch.Generator().manual_seed(side)
    wanted = torch.rand(2, 3, side, side, generator=draws)
    for noise in (0.0, 0.05, 0.5):
        pictures = (wanted + noise * torch.randn(wanted.shape, generator=draws)).clamp(0.0, 1.0)
        expected = 1.0 - ssim(pictures, wanted, data_range=1.0, win_size=11, win_sigma=1.5)
        np.testing.assert_allclose(structural_loss(pictures, wanted).item(), expected.item(), atol=2e-5)


def test_its_gradient_sharpens_what_is_blurred() -> None:
    wanted = (torch.arange(32) // 4 % 2).float().expand(1, 3, 32, 32)
    blurred = torch.full_like(wanted, 0.5, requires_grad=True)
    structural_loss(blurred + 0.05 * (wanted - 0.5), wanted).backward()  # type: ignore[no-untyped-call]
    assert blurred.grad is not None
    inner = (..., slice(8, 24), slice(8, 24))
    # Downhill is brighter where it should be bright.
    assert ((-blurred.grad)[inner] * (wanted[inner] - 0.5)).mean() > 0.0
