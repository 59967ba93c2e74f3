"""LPIPS, the learned perceptual distance of Zhang et al. 2018 (arXiv 1801.03924), as a loss."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""How the network wants its channels: ((x in [-1, 1]) - SHIFT) / SCALE."""
EPSILON = 1e-10
STRIDES_AND_PADDINGS = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))
"""Of AlexNet's five convolutions."""
POOLED_BEFORE = (1, 2)
"""Layers whose input is max-pooled."""


class PerceptualLoss:
    """The published network, of which nothing is trained."""

    def __init__(self, convolutions: Sequence[tuple[Tensor, Tensor]], heads: Sequence[Tensor]) -> None:
        """Take AlexNet's convolutions, weight (out, in, k, k) and bias (out,), and the weights (C,) of its channels."""
        self._layers = [(weight.contiguous(memory_format=torch.channels_last), bias) for weight, bias in convolutions]
        self._heads = [head.view(1, -1, 1, 1) for head in heads]
        device = self._heads[0].device
        self._shift = torch.tensor(SHIFT, device=device).view(1, -1, 1, 1)
        self._scale = torch.tensor(SCALE, device=device).view(1, -1, 1, 1)

    def to(self, device: torch.device) -> "PerceptualLoss":
        """Return the same loss on a device."""
        convolutions = [(weight.to(device), bias.to(device)) for weight, bias in self._layers]
        return PerceptualLoss(convolutions, [head.to(device) for head in self._heads])

    def __call__(self, pictures: Tensor, wanted: Tensor) -> Tensor:
        """Return the mean LPIPS of pictures (B, 3, H, W) in [0, 1]; gradients go to ``pictures`` alone."""
        with torch.no_grad():
            aims = self._features(wanted)
        made = self._features(pictures)
        layers = zip(self._heads, made, aims, strict=True)
        distances = [((ours - theirs).square() * head).sum(1).mean() for head, ours, theirs in layers]
        return torch.stack(distances).sum()

    def _features(self, pictures: Tensor) -> list[Tensor]:
        activation = (pictures * 2 - 1 - self._shift) / self._scale
        layers = []
        for index, (weight, bias) in enumerate(self._layers):
            if index in POOLED_BEFORE:
                activation = F.max_pool2d(activation, 3, 2)
            stride, padding = STRIDES_AND_PADDINGS[index]
            activation = F.relu(F.conv2d(activation, weight, bias, stride, padding))
            found = activation.float()
            layers.append(found / (torch.linalg.vector_norm(found, dim=1, keepdim=True) + EPSILON))
        return layers
