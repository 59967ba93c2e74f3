"""Paper avatars in miniature, and one whose fields are known."""

import torch
from torch import Tensor, nn

from renderer.camera import Camera
from renderer.paper.avatar import PaperAvatar, PaperShape
from renderer.paper.march import Passes
from renderer.paper.network import NetworkShape
from tests.renderer.scenes import CAMERA, RADIUS

TINY = NetworkShape(layers=3, width=32, skip=2, octaves=5, view_octaves=2)
FEW = Passes(12, 12)
HEAD_BOX = torch.full((3,), -10.0), torch.full((3,), 10.0)
TORSO_BOX = torch.tensor([-22.0, -22.0, -85.0]), torch.tensor([22.0, 22.0, -35.0])


def tiny_avatar(seed: int = 0, shape: PaperShape | None = None) -> PaperAvatar:
    """Untrained, so a mist with some pattern."""
    torch.manual_seed(seed)
    avatar = PaperAvatar(HEAD_BOX, TORSO_BOX, torch.rand(32, 32, 3), CAMERA, shape, TINY, FEW)
    avatar.consistency_code.data.normal_()
    for field in (avatar.head, avatar.torso):
        for network in (field.coarse, field.fine):
            nn.init.normal_(network.rgb.weight, std=2.0)
    return avatar.requires_grad_(False)


class KnownField(nn.Module):
    """Takes the place of a network: opaque where ``inside`` says, of one colour."""

    def __init__(self, inside, colour: tuple[float, float, float]):  # type: ignore[no-untyped-def]
        super().__init__()
        self.inside = inside
        self.colour = torch.tensor(colour)
        self.conditions: list[Tensor] = []
        self.views: list[Tensor] = []

    def forward(self, points: Tensor, views: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        self.conditions.append(condition)
        self.views.append(views)
        return 1e3 * self.inside(points).float(), self.colour.expand_as(points)


def known_avatar(camera: Camera = CAMERA) -> PaperAvatar:
    """A red ball of radius 8 cm as head, a blue wall as torso below y = -12 cm and behind 65 cm, before green."""
    background = torch.zeros(16, 16, 3)
    background[..., 1] = 1.0
    avatar = PaperAvatar(HEAD_BOX, TORSO_BOX, background, camera, network=TINY)

    def ball(points: Tensor) -> Tensor:
        return (points * 10.0).norm(dim=-1) < RADIUS

    def wall(points: Tensor) -> Tensor:
        return (points[..., 1] * 22.0 < -12.0) & (points[..., 2] * 25.0 - 60.0 < -65.0)

    avatar.head.coarse = avatar.head.fine = KnownField(ball, (1.0, 0.0, 0.0))  # type: ignore[assignment]
    avatar.torso.coarse = avatar.torso.fine = KnownField(wall, (0.0, 0.0, 1.0))  # type: ignore[assignment]
    return avatar.requires_grad_(False)
