"""The convolutional parts that the detector, the dense-motion network and the generator are made of."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

SLOPE = 0.1
"""Of the leaky rectifiers."""
_GROUP = 16


class Convolution(nn.Module):
    """3 x 3 convolution, group normalisation and leaky rectifier."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, stride, 1)
        self.normalisation = nn.GroupNorm(max(outputs // _GROUP, 1), outputs)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        return F.leaky_relu(self.normalisation(self.convolution(features)), SLOPE)


class Hourglass(nn.Module):
    """Encoder and decoder with skip connections: sees the whole picture, answers at its own size."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        """Make a network with one level per width; the picture halves from each to the next."""
        super().__init__()
        self.entry = Convolution(inputs, widths[0])
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(Convolution(above, below, 2) for above, below in pairs)
        self.up = nn.ModuleList(_Join(below, above) for above, below in reversed(pairs))

    def forward(self, picture: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, widths[0], H, W); H and W are multiples of 2 ** (levels - 1)."""
        features: Tensor = self.entry(picture)
        skips = []
        for down in self.down:
            skips.append(features)
            features = down(features)
        for up in self.up:
            features = up(features, skips.pop())
        return features


class _Join(nn.Module):
    """Brings coarse features together with the skipped ones of twice the size."""

    def __init__(self, below: int, above: int) -> None:
        super().__init__()
        # The convolution of what is joined, as a sum: of the coarse part it costs a quarter before it is doubled.
        self.coarse = nn.Conv2d(below, above, 3, 1, 1, bias=False)
        self.skipped = nn.Conv2d(above, above, 3, 1, 1)
        self.normalisation = nn.GroupNorm(max(above // _GROUP, 1), above)

    def forward(self, coarse: Tensor, skipped: Tensor) -> Tensor:
        joined = doubled(self.coarse(coarse)) + self.skipped(skipped)
        return F.leaky_relu(self.normalisation(joined), SLOPE)


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions beside the identity, without normalisation, which costs a restoring network its colours.

    It starts as the identity.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, 1, 1)
        self.second = nn.Conv2d(width, width, 3, 1, 1)
        nn.init.zeros_(self.second.weight)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, H, W) -> the same."""
        change: Tensor = self.second(F.leaky_relu(self.first(features), SLOPE))
        return features + change


def doubled(features: Tensor) -> Tensor:
    """Return features (B, C, H, W) at twice the size, each pixel repeated."""
    return F.interpolate(features, scale_factor=2, mode="nearest")


def coordinate_grid(size: int, device: torch.device | str = "cpu") -> Tensor:
    """Return the places (size, size, 2) of a picture's pixel centres, x then y, in [-1, 1] from edge to edge."""
    steps = (torch.arange(size, dtype=torch.float32, device=device) * 2 + 1) / size - 1
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([columns, rows], -1)


def warp(features: Tensor, places: Tensor) -> Tensor:
    """Sample features (B, C, H, W) at the places (B, h, w, 2), bilinearly, in single precision."""
    return F.grid_sample(features.float(), places, mode="bilinear", padding_mode="border", align_corners=False)
