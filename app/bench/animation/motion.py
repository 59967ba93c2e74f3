"""Where things go: key points with local affine motion, and the dense motion made of them.

After Siarohin et al., "First Order Motion Model for Image Animation" (NeurIPS 2019), sections 3.1 and 3.2.
"""

from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from app.bench.animation.layers import Hourglass, coordinate_grid, warp

KEY_POINTS = 10
MOTION_SIZE = 64
"""Pixels along each side at which motion is estimated."""
REDUCTION = 4
"""From the side of the picture to that of the motion."""

_TEMPERATURE = 0.1
_GAUSSIAN_VARIANCE = 0.01
_SMALLEST_DETERMINANT = 0.05


@dataclass(frozen=True)
class KeyPoints:
    """K points of B pictures and the affine motion around each, both relative to an unseen reference pose."""

    places: Tensor
    """(B, K, 2), x and y in [-1, 1] from edge to edge."""
    jacobians: Tensor
    """(B, K, 2, 2), derivative of the place in the picture by the place in the reference pose."""

    def vector(self) -> Tensor:
        """Return all numbers (B, 6 K): for each point x, y and the rows of its Jacobian."""
        return torch.cat([self.places, self.jacobians.flatten(2)], 2).flatten(1)

    @classmethod
    def from_vector(cls, numbers: Tensor) -> Self:
        """Return the key points of which :meth:`vector` gave ``numbers`` (B, 6 K)."""
        points = numbers.reshape(len(numbers), -1, 6)
        return cls(points[..., :2], points[..., 2:].reshape(len(numbers), -1, 2, 2))

    def __getitem__(self, part: slice) -> "KeyPoints":
        return KeyPoints(self.places[part], self.jacobians[part])


class KeyPointDetector(nn.Module):
    """Finds the key points in a picture, by itself: nobody says where they are to be."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        # The whole picture, 4 x 4 pixels in the channels of one: lips move by less than a pixel of 64 x 64.
        self.hourglass = Hourglass(3 * REDUCTION**2, widths)
        self.heat = nn.Conv2d(widths[0], KEY_POINTS, 3, 1, 1)
        self.slopes = nn.Conv2d(widths[0], KEY_POINTS * 4, 3, 1, 1)
        nn.init.zeros_(self.slopes.weight)
        assert self.slopes.bias is not None
        with torch.no_grad():
            self.slopes.bias.copy_(torch.eye(2).flatten().repeat(KEY_POINTS))

    def forward(self, picture: Tensor) -> KeyPoints:
        """Find the key points of pictures (B, 3, S, S) in [0, 1], S = 4 * 64."""
        features = self.hourglass(
            (F.pixel_unshuffle(picture, REDUCTION) * 2 - 1).contiguous(memory_format=torch.channels_last)
        )
        heat, slopes = self.heat(features).float(), self.slopes(features).float()
        with _single_precision(heat):
            heat = (heat.flatten(2) / _TEMPERATURE).softmax(2)
            places = heat @ coordinate_grid(features.shape[-1], heat.device).flatten(0, 1)
            slopes = slopes.reshape(len(slopes), KEY_POINTS, 4, -1)
            jacobians = torch.einsum("bkn,bkcn->bkc", heat, slopes).reshape(len(slopes), KEY_POINTS, 2, 2)
        return KeyPoints(places, jacobians)


@dataclass(frozen=True)
class DenseMotion:
    """How to make one picture out of another."""

    places: Tensor
    """(B, 64, 64, 2), for each place in the wanted picture the place in the source, in [-1, 1]."""
    visible: Tensor
    """(B, 3, 64, 64) in [0, 1], what of the source may be used, at each of the generator's three levels."""
    features: Tensor
    """(B, F, 64, 64), what the network has seen, for the generator."""


class DenseMotionNetwork(nn.Module):
    """Blends the affine motions around the key points and a still background into one motion field."""

    def __init__(self, widths: tuple[int, ...], levels: int) -> None:
        super().__init__()
        self.hourglass = Hourglass((KEY_POINTS + 1) * 4, widths)
        self.mask = nn.Conv2d(widths[0], KEY_POINTS + 1, 3, 1, 1)
        self.visible = nn.Conv2d(widths[0], levels, 3, 1, 1)
        assert self.visible.bias is not None
        nn.init.constant_(self.visible.bias, 2.0)

    def forward(self, source: Tensor, at_source: KeyPoints, at_target: KeyPoints) -> DenseMotion:
        """Tell the motion from sources (B, 3, 64, 64), for their key points and the wanted ones."""
        motions = candidate_motions(at_source, at_target, source.shape[-1])
        count, size = motions.shape[1], source.shape[-1]
        shifted = warp(source.repeat_interleave(count, 0), motions.flatten(0, 1)).reshape(
            len(source), count, -1, size, size
        )
        heat = gaussians(at_target, size) - gaussians(at_source, size)
        heat = torch.cat([torch.zeros_like(heat[:, :1]), heat], 1)
        seen = torch.cat([heat[:, :, None], shifted * 2 - 1], 2).flatten(1, 2)
        features = self.hourglass(seen.contiguous(memory_format=torch.channels_last))
        mask = self.mask(features).float().softmax(1)
        with _single_precision(mask):
            places = torch.einsum("bkhw,bkhwc->bhwc", mask, motions)
        return DenseMotion(places, self.visible(features).float().sigmoid(), features)


def candidate_motions(at_source: KeyPoints, at_target: KeyPoints, size: int) -> Tensor:
    """Return the motions (B, 1 + K, size, size, 2): none, then the affine one around each key point.

    Equation 4 of the paper: the target's place z comes from s_k + J_k (z - d_k), J_k = J_source inverse(J_target).
    """
    grid = coordinate_grid(size, at_source.places.device)
    offsets = grid[None, None] - at_target.places[:, :, None, None]
    with _single_precision(offsets):
        affine = at_source.jacobians @ inverse(at_target.jacobians)
        moved = torch.einsum("bkij,bkhwj->bkhwi", affine, offsets) + at_source.places[:, :, None, None]
    still = grid[None, None].expand(len(moved), 1, -1, -1, -1)
    return torch.cat([still, moved], 1)


def gaussians(points: KeyPoints, size: int) -> Tensor:
    """Return a picture (B, K, size, size) of each key point, 1 at its place."""
    offsets = coordinate_grid(size, points.places.device)[None, None] - points.places[:, :, None, None]
    return torch.exp(offsets.square().sum(-1) / (-2 * _GAUSSIAN_VARIANCE))


def _single_precision(tensor: Tensor) -> torch.autocast:
    """Places need all their digits: bfloat16 has eight bits of them."""
    return torch.autocast(tensor.device.type, enabled=False)


def inverse(matrices: Tensor) -> Tensor:
    """Return the inverses of matrices (..., 2, 2); a determinant too near 0 is taken as 0.05."""
    a, b, c, d = matrices[..., 0, 0], matrices[..., 0, 1], matrices[..., 1, 0], matrices[..., 1, 1]
    determinant = a * d - b * c
    limited = torch.where(determinant.abs() < _SMALLEST_DETERMINANT, _SMALLEST_DETERMINANT, determinant)
    return torch.stack([d, -b, -c, a], -1).reshape(matrices.shape) / limited[..., None, None]
