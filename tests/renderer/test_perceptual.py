import numpy as np
import torch

from app.bench.metrics.lpips import Lpips, layer_distances, lpips
from app.lpips_weights import CHANNELS, KERNELS
from renderer.training.perceptual import PerceptualLoss
from tests.app.bench.codecs.talking_blob import talking_blob


def test_the_loss_is_the_metric_and_its_gradient_lowers_it() -> None:
    draws = torch.Generator().manual_seed(0)
    inputs = (3, *CHANNELS[:-1])
    convolutions = [
        (torch.randn(out, into, side, side, generator=draws) / (into * side**2) ** 0.5, torch.zeros(out))
        for out, into, side in zip(CHANNELS, inputs, KERNELS, strict=True)
    ]
    heads = [torch.rand(channels, generator=draws) / channels for channels in CHANNELS]
    frames = talking_blob(2, 64)
    features = Lpips(convolutions, heads).features(frames)
    metric = lpips(layer_distances(*features))
    pictures = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() / 255
    loss = PerceptualLoss(convolutions, heads)
    made = pictures[:1].clone().requires_grad_()
    value = loss(made, pictures[1:])
    np.testing.assert_allclose(value.item(), metric, rtol=1e-4)
    value.backward()
    assert made.grad is not None
    nearer = made.detach() - 0.02 * made.grad / made.grad.abs().max()
    assert loss(nearer, pictures[1:]).item() < value.item()
