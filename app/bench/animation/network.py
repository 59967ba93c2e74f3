"""The animation network: detector, dense motion and generator, and the shape that decides their sizes."""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from app.bench.animation.generator import LEVELS, Generator
from app.bench.animation.motion import MOTION_SIZE, REDUCTION, DenseMotionNetwork, KeyPointDetector, KeyPoints

PICTURE_SIZE = MOTION_SIZE * REDUCTION
"""Pixels along each side of the pictures that the network takes and gives."""


@dataclass(frozen=True)
class NetworkShape:
    """Channels of every level."""

    detector: tuple[int, ...] = (32, 64, 96, 128)
    motion: tuple[int, ...] = (32, 64, 96, 128)
    generator: tuple[int, int, int] = (32, 64, 96)
    blocks: int = 3
    """Residual blocks at the generator's coarsest level."""

    @classmethod
    def of(cls, numbers: dict[str, Any]) -> "NetworkShape":
        """Return the shape that :func:`dataclasses.asdict` gave, read back from JSON; ValueError if it is none."""
        fine, middle, coarse = (int(width) for width in numbers["generator"])
        return cls(tuple(numbers["detector"]), tuple(numbers["motion"]), (fine, middle, coarse), int(numbers["blocks"]))


class AnimationNetwork(nn.Module):
    """Everything that both sides hold."""

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        self.detector = KeyPointDetector(shape.detector)
        self.motion = DenseMotionNetwork(shape.motion, LEVELS)
        self.generator = Generator(shape.generator, shape.motion[0], shape.blocks)

    def use_channels_last(self) -> None:
        """Store the kernels as convolutions on a processor want them: three times as fast."""
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def forward(self, source: Tensor, at_source: KeyPoints, at_target: KeyPoints) -> Tensor:
        """Animate references (B, 3, 256, 256) in [0, 1] from their key points to the wanted ones: the same shape."""
        motion = self.motion(F.avg_pool2d(source, REDUCTION), at_source, at_target)
        picture: Tensor = self.generator(source, motion)
        return picture
