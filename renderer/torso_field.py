"""The torso: a layer in the picture plane, warped by the head pose."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from renderer.precision import dense, dense_dtype

LATTICE = 33
"""Points a side at which the warp is evaluated; between them it is interpolated, for a torso bends smoothly."""


def pose_vector(rotation: Tensor, translation: Tensor) -> Tensor:
    """Return (..., 6): the rotation's axis scaled by the sine of its angle, then the translation in cm."""
    skew = 0.5 * (rotation - rotation.transpose(-1, -2))
    axis = torch.stack((skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]), -1)
    return torch.cat((axis, translation), -1)


@dataclass(frozen=True, slots=True)
class TorsoFieldShape:
    """Sizes of a torso field."""

    channels: int = 16
    resolution: int = 128
    """Texels a side of the canonical torso plane."""
    width: int = 64
    code: int = 8
    """Size of the consistency code."""
    octaves: int = 2
    """Frequencies of the warp's positional encoding: few, for a torso bends smoothly."""


class TorsoField(nn.Module):
    """Colour and opacity of the torso and neck at a point of the frame, for a head pose.

    Seen from a fixed camera a torso moves little in depth, so the second field of the paper is a plane: a small network
    bends frame coordinates into the canonical plane by the head pose, the plane is read there, and a decoder gives
    colour and opacity. It continues below the chin, so that head and torso overlap instead of meeting at a seam.
    """

    pose_mean: Tensor
    pose_scale: Tensor
    lattice: Tensor

    def __init__(self, shape: TorsoFieldShape | None = None):
        super().__init__()
        self.shape = shape = shape or TorsoFieldShape()
        self.register_buffer("pose_mean", torch.zeros(6))
        self.register_buffer("pose_scale", torch.ones(6))
        self.plane = nn.Parameter(torch.randn(1, shape.channels, shape.resolution, shape.resolution) * 0.1)
        encoded = 2 + 4 * shape.octaves
        bend = nn.Linear(shape.width, 2)
        nn.init.zeros_(bend.weight)
        nn.init.zeros_(bend.bias)
        self.warp = nn.Sequential(
            nn.Linear(encoded + 6 + shape.code, shape.width),
            nn.ReLU(),
            nn.Linear(shape.width, shape.width),
            nn.ReLU(),
            bend,
        )
        self.shade = nn.Linear(shape.channels, shape.width)
        self.shade_condition = nn.Linear(6 + shape.code, shape.width, bias=False)
        self.colour = nn.Linear(shape.width, 4)
        nn.init.normal_(self.shade_condition.weight, std=0.02)
        lattice = torch.linspace(-1.0, 1.0, LATTICE)
        row, column = torch.meshgrid(lattice, lattice, indexing="ij")
        points = torch.stack((column, row), -1).view(-1, 2)
        waves = [points]
        for octave in range(shape.octaves):
            waves += [torch.sin(points * (2.0**octave * torch.pi)), torch.cos(points * (2.0**octave * torch.pi))]
        self.register_buffer("lattice", torch.cat(waves, -1), persistent=False)

    def pose_features(self, rotation: Tensor, translation: Tensor) -> Tensor:
        """Return the head pose relative to the enrolment footage, in its standard deviations, bounded to ±3.

        Args:
            rotation: (..., 3, 3) head space to camera space.
            translation: (..., 3) cm.

        Returns:
            (..., 6): the sine-scaled rotation axis, then the translation.
        """
        return ((pose_vector(rotation, translation) - self.pose_mean) / self.pose_scale).clamp(-3.0, 3.0)

    @torch.no_grad()
    def initialise(self, rotations: Tensor, translations: Tensor) -> None:
        """Take the mean and spread of the (N, 3, 3) rotations and (N, 3) translations of the enrolment footage."""
        poses = pose_vector(rotations, translations)
        self.pose_mean.copy_(poses.mean(0))
        self.pose_scale.copy_(poses.std(0).clamp_min(1e-3))

    def forward(self, uv: Tensor, pose: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the torso.

        Args:
            uv: (N, 2) frame coordinates in [0, 1].
            pose: (6,) of ``pose_features``.
            code: (code,) the consistency code shared with the head.

        Returns:
            ``rgb`` (N, 3) in [0, 1] and ``alpha`` (N,) in [0, 1].
        """
        condition = torch.cat((pose, code))
        offsets = self.warp(torch.cat((self.lattice, condition.expand(len(self.lattice), -1)), -1)) * 0.1
        offsets = offsets.T.reshape(1, 2, LATTICE, LATTICE)
        centred = (uv * 2.0 - 1.0)[None, None]
        bent = centred[0, 0] + F.grid_sample(offsets, centred, padding_mode="border", align_corners=True)[0, :, 0].T
        plane = self.plane.contiguous(memory_format=torch.channels_last)
        read = F.grid_sample(plane, bent[None, None], padding_mode="border", align_corners=True)[0, :, 0].T
        dtype = dense_dtype(uv.device.type)
        hidden = F.relu(dense(self.shade, read.to(dtype), self.shade.bias + self.shade_condition(condition)))
        out = dense(self.colour, hidden, self.colour.bias).float()
        return torch.sigmoid(out[:, :3]), torch.sigmoid(out[:, 3] * 2.0)
