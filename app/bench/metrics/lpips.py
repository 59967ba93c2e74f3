"""LPIPS, the learned perceptual distance of Zhang et al. 2018 (arXiv 1801.03924): AlexNet, version 0.1.

The same numbers as ``lpips.LPIPS(net="alex")`` of the authors' package, with their heads and torchvision's AlexNet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from app.lpips_weights import alexnet_convolutions, lpips_heads
from renderer.training.perceptual import EPSILON, POOLED_BEFORE, SCALE, SHIFT, STRIDES_AND_PADDINGS

BATCH_PIXELS = 8 * 256 * 256
"""Pixels that go through the network together: eight pictures of 256 x 256 are the fastest a picture on one core."""

Features = tuple[torch.Tensor, ...]
"""Of one picture, for each of the five layers: (C, h, w), normalised at each place and times the root of its channel's
weight, so that the layer's distance is the plain sum of squared differences; channels without weight are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class PartWeights:
    """How much each place of each layer counts for a part of a picture."""

    layers: tuple[torch.Tensor, ...]
    """(h, w) each; all sum to 1."""


class Lpips:
    """The network, loaded once. Not safe for several threads at a time."""

    def __init__(
        self,
        convolutions: Sequence[tuple[torch.Tensor, torch.Tensor]] | None = None,
        heads: Sequence[torch.Tensor] | None = None,
    ) -> None:
        """Load the published weights, or take others.

        Raises:
            AssetError: they cannot be brought.
            WeightsError: the files hold something else.
        """
        heads = lpips_heads() if heads is None else heads
        self._used = [head.nonzero()[:, 0] for head in heads]
        self._roots = [head[used].sqrt()[:, None, None] for head, used in zip(heads, self._used, strict=True)]
        self._layers = []
        for index, (weight, bias) in enumerate(alexnet_convolutions() if convolutions is None else convolutions):
            if index == 0:
                # Bytes go in: their scaling is worked into the first layer but for the shift, whose zero padding is not
                # the same before and after.
                weight = weight / (127.5 * torch.tensor(SCALE))[:, None, None]
            self._layers.append((weight.contiguous(memory_format=torch.channels_last), bias))
        self._black = (127.5 * (1.0 + torch.tensor(SHIFT)))[:, None, None]

    @torch.inference_mode()
    def features(self, frames: NDArray[np.uint8]) -> list[Features]:
        """Return the features of RGB pictures (N, H, W, 3) of at least 32 pixels a side."""
        batch = max(BATCH_PIXELS // (frames.shape[1] * frames.shape[2]), 1)
        found: list[Features] = []
        for start in range(0, len(frames), batch):
            layers = self._batch(frames[start : start + batch])
            found += [tuple(layer[index] for layer in layers) for index in range(len(layers[0]))]
        return found

    def _batch(self, frames: NDArray[np.uint8]) -> list[torch.Tensor]:
        # A view whose memory lies channels last already.
        activation = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).float() - self._black
        layers = []
        for index, (weight, bias) in enumerate(self._layers):
            if index in POOLED_BEFORE:
                activation = functional.max_pool2d(activation, 3, 2)
            stride, padding = STRIDES_AND_PADDINGS[index]
            activation = functional.conv2d(activation, weight, bias, stride, padding).relu_()
            length = torch.linalg.vector_norm(activation, dim=1, keepdim=True) + EPSILON
            layers.append(activation[:, self._used[index]] * (self._roots[index] / length))
        return layers


@torch.inference_mode()
def layer_distances(reference: Features, decoded: Features) -> list[torch.Tensor]:
    """Return the distance at each place of each layer, (h, w) each."""
    return [(ours - theirs).square_().sum(dim=0) for ours, theirs in zip(decoded, reference, strict=True)]


def lpips(distances: Sequence[torch.Tensor], part: PartWeights | None = None) -> float:
    """Return the LPIPS of `layer_distances`: of the whole picture, or of a part of it.

    Of a part it is the mean over its pixels of the spatial map as the authors' package makes it (``spatial=True``: each
    layer enlarged to the picture bilinearly, and summed). What surrounds the part still acts on it through the network.
    """
    if part is None:
        return float(sum(distance.mean(dtype=torch.float64) for distance in distances))
    return float(sum((distance * weights).sum() for distance, weights in zip(distances, part.layers, strict=True)))


def part_weights(mask: NDArray[np.bool_], reference: Features) -> PartWeights | None:
    """Return the weights of the pixels in ``mask`` (H, W) at the places of the layers; None where there is no pixel.

    The mean of an enlarged map over a mask is linear in the map: the gradient by the map is the same for every picture.
    """
    if not mask.any():
        return None
    wanted = torch.from_numpy(mask).float()
    weights = []
    for layer in reference:
        places = torch.zeros(1, 1, *layer.shape[1:], requires_grad=True)
        with torch.enable_grad():
            enlarged = functional.interpolate(places, size=mask.shape, mode="bilinear", align_corners=False)[0, 0]
            (gradient,) = torch.autograd.grad((enlarged * wanted).sum() / wanted.sum(), places)
        weights.append(gradient[0, 0])
    return PartWeights(tuple(weights))
