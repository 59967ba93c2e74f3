"""What tracking gets wrong about the head's pose, as far as pose and expression tell."""

import torch
from torch import Tensor, nn

from renderer.torso_field import pose_vector

REACH = (0.03, 0.03, 0.03, 0.3, 0.3, 1.0)
"""Radians and centimetres that an output of 1 stands for."""
FARTHEST = 4.0
"""Standard deviations beyond which an input says no more."""


class PoseCorrection(nn.Module):
    """A linear map from pose and embedded expression to a small motion of the head.

    A morphable model that is fitted to landmarks mistakes a raised brow for a nod and a smile for a step back. Those
    errors repeat, so they are learned with the field, from what the picture shows; and because they depend on nothing
    but what is sent, a receiver applies them at no cost in bits.
    """

    pose_mean: Tensor
    pose_scale: Tensor

    def __init__(self, expression: int):
        super().__init__()
        self.register_buffer("pose_mean", torch.zeros(6))
        self.register_buffer("pose_scale", torch.ones(6))
        self.from_pose = nn.Linear(6, 6)
        self.from_expression = nn.Linear(expression, 6, bias=False)
        for layer in (self.from_pose, self.from_expression):
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.from_pose.bias)

    @torch.no_grad()
    def initialise(self, rotations: Tensor, translations: Tensor) -> None:
        """Take the mean and spread of the (N, 3, 3) rotations and (N, 3) translations of the enrolment footage."""
        poses = pose_vector(rotations, translations)
        self.pose_mean.copy_(poses.mean(0))
        self.pose_scale.copy_(poses.std(0).clamp_min(1e-3))

    def standardised(self, rotation: Tensor, translation: Tensor) -> Tensor:
        """Return poses (..., 6) in standard deviations from the enrolment's mean.

        Args:
            rotation: (..., 3, 3) head space to camera space.
            translation: (..., 3) cm.
        """
        return (pose_vector(rotation, translation) - self.pose_mean) / self.pose_scale

    @torch.no_grad()
    def rescale_expression(self, shift: Tensor, scale: Tensor) -> None:
        """Take expressions in new units from now on: ``old = shift + scale * new``, (E,) each."""
        self.from_pose.bias.add_(self.from_expression.weight @ shift)
        self.from_expression.weight.mul_(scale)

    def forward(self, expression: Tensor, rotation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
        """Return the corrected pose.

        Args:
            expression: (E,) embedded.
            rotation: (3, 3) head space to camera space.
            translation: (3,) cm.

        Returns:
            ``rotation`` (3, 3) and ``translation`` (3,).
        """
        pose = self.standardised(rotation, translation).clamp(-FARTHEST, FARTHEST)
        motion = self.from_pose(pose) + self.from_expression(expression.clamp(-FARTHEST, FARTHEST))
        motion = motion * motion.new_tensor(REACH)
        x, y, z = motion[:3].unbind(0)
        zero = torch.zeros_like(x)
        turn = torch.stack((zero, -z, y, z, zero, -x, -y, x, zero)).view(3, 3)
        return torch.matrix_exp(turn) @ rotation, translation + motion[3:]
