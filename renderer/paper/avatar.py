"""The paper's avatar: a head NeRF and a torso NeRF that share a learned code (paper eq. 1 to 3, after AD-NeRF)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from renderer.camera import Camera, camera_directions
from renderer.paper.march import Field, Marched, Passes, march
from renderer.paper.network import NetworkShape, RadianceNetwork
from renderer.portrait import Portrait
from renderer.rays import head_space_rays, intersect_box

POSE = 12
"""Numbers of a head pose as the paper has it: a rotation matrix and a translation."""
RAYS_AT_ONCE = 64
"""Rendered together: what a layer makes of their samples stays in a core's cache."""
FARTHEST = 4.0
"""Standard deviations of the enrolment footage beyond which a pose says no more."""


@dataclass(frozen=True, slots=True)
class PaperShape:
    """Sizes of a paper avatar beside those of its networks."""

    expression: int = 30
    code: int = 32
    """Size of the consistency code."""


class TwoPassField(nn.Module):
    """A coarse and a fine network for one box of space."""

    box_min: Tensor
    box_max: Tensor

    def __init__(self, box_min: Tensor, box_max: Tensor, condition: int, shape: NetworkShape | None = None):
        """Make a field for the box with these corners (3,), cm, driven by ``condition`` numbers."""
        super().__init__()
        self.register_buffer("box_min", box_min.clone())
        self.register_buffer("box_max", box_max.clone())
        self.coarse = RadianceNetwork(condition, shape)
        self.fine = RadianceNetwork(condition, shape)

    def forward(
        self,
        rays_o: Tensor,
        rays_d: Tensor,
        bounds: tuple[Tensor, Tensor],
        condition: Tensor,
        passes: Passes,
        jitter: bool = False,
    ) -> tuple[Marched, Marched]:
        """March rays in the space of the box, cm, through both networks; see `renderer.paper.march.march`."""
        views = rays_d / rays_d.norm(dim=-1, keepdim=True)

        def field(network: RadianceNetwork) -> Field:
            return lambda points: network(self._unit(points), views, condition)

        return march(field(self.coarse), field(self.fine), rays_o, rays_d, bounds, passes, jitter)

    def rescale_condition(self, shift: Tensor, scale: Tensor) -> None:
        """See `renderer.paper.network.RadianceNetwork.rescale_condition`."""
        self.coarse.rescale_condition(shift, scale)
        self.fine.rescale_condition(shift, scale)

    def _unit(self, points: Tensor) -> Tensor:
        return (points - self.box_min) * (2.0 / (self.box_max - self.box_min)) - 1.0


class PaperAvatar(Portrait):
    """A head NeRF in the head's canonical space and a torso NeRF in the camera's, before a still background.

    The torso lies before the head and the head before the background, as in AD-NeRF; both fields are driven by the
    embedded expression, in place of AD-NeRF's audio, and by the consistency code, the torso by the head's pose too.
    How the torso moves by itself is nothing that the paper knows, so what is sent of it goes unused.
    """

    KIND: ClassVar[str] = "the paper's field"
    PROBE_SIDE: ClassVar[int] = 16

    pose_mean: Tensor
    pose_scale: Tensor

    def __init__(
        self,
        head_box: tuple[Tensor, Tensor],
        torso_box: tuple[Tensor, Tensor],
        background: Tensor,
        camera: Camera,
        shape: PaperShape | None = None,
        network: NetworkShape | None = None,
        passes: Passes | None = None,
    ):
        """Make an untrained avatar.

        Args:
            head_box: lower and upper corner (3,), head space, cm: a ray's near and far bound in the head.
            torso_box: lower and upper corner (3,), camera space, cm; of its depths a ray is marched.
            background: (S, S, 3) float in [0, 1], the frame without the person.
            camera: the camera of the frame.
            shape: sizes; None for the usual ones.
            network: sizes of the networks; None for the paper's.
            passes: samples a ray; None for the paper's.
        """
        super().__init__(background, camera)
        self.shape = shape = shape or PaperShape()
        self.network = network = network or NetworkShape()
        self.passes = passes or Passes()
        self.head = TwoPassField(*head_box, shape.expression + shape.code, network)
        self.torso = TwoPassField(*torso_box, shape.expression + shape.code + POSE, network)
        self.consistency_code = nn.Parameter(torch.zeros(shape.code))
        self.register_buffer("pose_mean", torch.zeros(POSE))
        self.register_buffer("pose_scale", torch.ones(POSE))

    @torch.no_grad()
    def initialise(self, rotations: Tensor, translations: Tensor) -> None:
        """Take the mean and spread of the (N, 3, 3) rotations and (N, 3) translations of the enrolment footage."""
        poses = torch.cat((rotations.flatten(1), translations), -1)
        self.pose_mean.copy_(poses.mean(0))
        self.pose_scale.copy_(poses.std(0).clamp_min(1e-3))

    @torch.no_grad()
    def render(
        self, expression: Tensor, rotation: Tensor, translation: Tensor, torso: Tensor, width: int, height: int
    ) -> Tensor:
        """Render one frame; see `Portrait.render`. The torso's motion is not looked at."""
        view = self.view(width, height)
        directions = view.directions.view(-1, 3)
        picture = view.background.clone().view(-1, 3)
        bounds = self.head_bounds(directions, rotation, translation)
        for hits in torch.split(torch.nonzero(bounds[0] < bounds[1]).squeeze(-1), RAYS_AT_ONCE):
            _, fine = self.march_head(directions[hits], expression, rotation, translation)
            picture[hits] = fine.over(picture[hits])
        for hits in torch.split(view.torso, RAYS_AT_ONCE):
            # Beyond the frame its border goes on, as the background's does.
            clamped = camera_directions(self.camera, view.uv.view(-1, 2)[hits])
            _, fine = self.march_torso(clamped, expression, rotation, translation)
            picture[hits] = fine.over(picture[hits])
        picture = picture.mul_(255.0).add_(0.5).clamp_(0.0, 255.0).to(torch.uint8)
        return picture.view(height, width, 3)

    def head_bounds(self, directions: Tensor, rotation: Tensor, translation: Tensor) -> tuple[Tensor, Tensor]:
        """Return where camera rays (N, 3) enter and leave the head's box; see `renderer.rays.intersect_box`."""
        rays_o, rays_d = head_space_rays(directions, rotation, translation)
        return intersect_box(rays_o, rays_d, self.head.box_min, self.head.box_max)

    def march_head(
        self, directions: Tensor, expression: Tensor, rotation: Tensor, translation: Tensor, jitter: bool = False
    ) -> tuple[Marched, Marched]:
        """March camera rays through the head.

        Args:
            directions: (N, 3) camera space, of rays that hit the head's box.
            expression: (E,) embedded.
            rotation: (3, 3) head space to camera space.
            translation: (3,) cm.
            jitter: as training needs.
        """
        rays_o, rays_d = head_space_rays(directions, rotation, translation)
        bounds = intersect_box(rays_o, rays_d, self.head.box_min, self.head.box_max)
        condition = torch.cat((expression, self.consistency_code))
        marched: tuple[Marched, Marched] = self.head(rays_o, rays_d, bounds, condition, self.passes, jitter)
        return marched

    def march_torso(
        self, directions: Tensor, expression: Tensor, rotation: Tensor, translation: Tensor, jitter: bool = False
    ) -> tuple[Marched, Marched]:
        """March camera rays through the torso, whose field does not move; arguments as of ``march_head``."""
        pose = (torch.cat((rotation.flatten(), translation)) - self.pose_mean) / self.pose_scale
        condition = torch.cat((expression, self.consistency_code, pose.clamp(-FARTHEST, FARTHEST)))
        # Directions have depth 1, so a ray's parameter is its depth.
        depth = directions.new_ones(len(directions))
        bounds = -self.torso.box_max[2] * depth, -self.torso.box_min[2] * depth
        rays_o = directions.new_zeros(1, 3)
        marched: tuple[Marched, Marched] = self.torso(rays_o, directions, bounds, condition, self.passes, jitter)
        return marched

    @torch.no_grad()
    def rescale_expression(self, shift: Tensor, scale: Tensor) -> None:
        """See `Portrait.rescale_expression`."""
        self.head.rescale_condition(shift, scale)
        self.torso.rescale_condition(shift, scale)
