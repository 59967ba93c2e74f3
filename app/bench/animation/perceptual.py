"""LPIPS as a loss: the distance of :mod:`app.bench.metrics.lpips`, through which gradients pass."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from app.bench.metrics.lpips import EPSILON, POOLED_BEFORE, SCALE, SHIFT, STRIDES_AND_PADDINGS
from app.bench.metrics.lpips_weights import alexnet_convolutions, lpips_heads


class PerceptualLoss:
    """The published network, of which nothing is trained."""

    def __init__(
        self, convolutions: Sequence[tuple[Tensor, Tensor]] | None = None, heads: Sequence[Tensor] | None = None
    ) -> None:
        """Load the published weights, or take others. Raises AssetError where they cannot be brought."""
        convolutions = alexnet_convolutions() if convolutions is None else convolutions
        self._layers = [(weight.contiguous(memory_format=torch.channels_last), bias) for weight, bias in convolutions]
        self._heads = [head[None, :, None, None] for head in (lpips_heads() if heads is None else heads)]
        self._shift = torch.tensor(SHIFT)[None, :, None, None]
        self._scale = torch.tensor(SCALE)[None, :, None, None]

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
