"""Optimisation of the paper's own fields on enrolment footage (paper eq. 4, 5, after AD-NeRF)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from renderer.camera import camera_directions, frame_coordinates
from renderer.paper.avatar import PaperAvatar, PaperShape
from renderer.paper.march import Passes
from renderer.paper.network import NetworkShape
from renderer.training.dataset import (
    BODY,
    HEAD,
    Footage,
    HeadSurface,
    background_over_time,
    dilate,
    torso_extent,
)
from renderer.training.field_training import FieldTraining
from renderer.training.head_space import head_box
from renderer.training.losses import two_pass_loss
from renderer.view import within

TORSO_DEPTH = 25.0
"""Centimetres before and behind the head's mean depth within which the torso is looked for."""


@dataclass(frozen=True, slots=True)
class PaperTrainingSettings:
    """How the paper's fields are optimised; the rates are NeRF's and AD-NeRF's."""

    frames: int = 4
    """Frames a step."""
    rays: int = 32
    """Rays a frame: AD-NeRF takes 2048 of one frame, which a processor without a GPU marches in ten seconds."""
    rate: float = 5e-4
    """Adam's learning rate, of which a tenth is left at the end."""
    consistency_code: bool = True
    """Whether the code that head and torso share is learned; else it stays zero (paper table 3)."""


class PaperTrainer(FieldTraining[PaperAvatar]):
    """Trains head, torso, code and expression embedding together.

    AD-NeRF trains the head on pictures from which the body is cut out, then the torso on whole ones before the head as
    it has become. Here both happen in each step: the head's gradient comes from the cut-out pictures alone.
    """

    def __init__(
        self,
        footage: Footage,
        embedding: nn.Module,
        surface: HeadSurface,
        settings: PaperTrainingSettings | None = None,
        shape: PaperShape | None = None,
        network: NetworkShape | None = None,
        passes: Passes | None = None,
        device: torch.device | None = None,
        seed: int = 0,
    ):
        """Prepare the fields.

        Args:
            footage: training frames in the order of time.
            embedding: maps (..., 79) tracked to (..., E) embedded expressions; trained along.
            surface: the person's head model.
            settings: how to optimise.
            shape: sizes of the avatar.
            network: sizes of its networks; None for the paper's.
            passes: samples a ray; None for the paper's.
            device: where to train; None for the CPU.
            seed: of all randomness.
        """
        super().__init__(footage, embedding, device, seed)
        self.settings = settings or PaperTrainingSettings()
        with self.device:
            self._prepare(self.footage, surface.to(self.device), shape, network, passes)

    def _prepare(
        self,
        footage: Footage,
        surface: HeadSurface,
        shape: PaperShape | None,
        network: NetworkShape | None,
        passes: Passes | None,
    ) -> None:
        settings, size = self.settings, self.size
        background = background_over_time(footage, 1)[0]
        boxes = head_box(footage, surface), _torso_box(footage)
        self.avatar = PaperAvatar(*boxes, background, footage.camera, shape, network, passes).to(self.device)
        self.avatar.initialise(footage.rotations, footage.translations)
        self.avatar.consistency_code.requires_grad_(settings.consistency_code)
        self.avatar.torso_extent.copy_(torso_extent(footage, self.avatar.torso_extent.shape[0]))
        uv = frame_coordinates(size, size).reshape(-1, 2)
        self._directions = camera_directions(footage.camera, uv)
        self._in_torso = within(self.avatar.torso_extent, uv)
        margin = max(2, size // 64)
        self._near_head = dilate(footage.masks == HEAD, margin).flatten(1)
        self._near_body = dilate(footage.masks == BODY, margin).flatten(1)
        parameters = [*self.avatar.parameters(), *self.embedding.parameters()]
        self._optimiser = torch.optim.Adam(parameters, settings.rate, fused=True)

    def step(self, progress: float) -> float:
        """See `FieldTraining.step`; the learning rate falls exponentially."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.rate * 0.1 ** min(progress, 1.0)
        self._optimiser.zero_grad(set_to_none=True)
        photometric = 0.0
        with self.device:
            for frame in torch.randint(len(self.footage), (self.settings.frames,)).tolist():
                losses = self._losses(frame)
                (sum(losses) / self.settings.frames).backward()  # type: ignore[union-attr]
                photometric += float(losses[-1].detach()) / self.settings.frames
        self._optimiser.step()
        self.steps += 1
        return photometric

    def _losses(self, frame: int) -> tuple[Tensor, Tensor]:
        """Return the error of the head before the background, and of the torso before that."""
        footage, avatar = self.footage, self.avatar
        expression = self.embedding(footage.expressions[frame])
        pose = footage.rotations[frame], footage.translations[frame]
        pixels = self._choose_pixels(frame)
        directions = self._directions[pixels]
        real = footage.images[frame].view(-1, 3)[pixels].float() / 255.0
        background = avatar.background.view(-1, 3)[pixels]
        is_body = footage.masks[frame].flatten()[pixels] == BODY
        bodiless = torch.where(is_body.unsqueeze(-1), background, real)

        nears, fars = avatar.head_bounds(directions, *pose)
        hits = torch.nonzero(nears < fars).squeeze(-1)
        heads = [background, background]
        head_loss = torch.zeros(())
        if len(hits):
            marched = avatar.march_head(directions[hits], expression, *pose, jitter=True)
            seen = [one.over(background[hits]) for one in marched]
            head_loss = two_pass_loss(seen, bodiless[hits])
            heads = [background.index_copy(0, hits, one.detach()) for one in seen]

        hits = torch.nonzero(self._in_torso[pixels]).squeeze(-1)
        torso_loss = torch.zeros(())
        if len(hits):
            marched = avatar.march_torso(directions[hits], expression, *pose, jitter=True)
            seen = [one.over(head[hits]) for one, head in zip(marched, heads, strict=True)]
            torso_loss = two_pass_loss(seen, real[hits])
        return head_loss, torso_loss

    def _choose_pixels(self, frame: int) -> Tensor:
        """Return pixels of which most show the person, as AD-NeRF takes most from the face's rectangle."""
        rays = self.settings.rays
        near = (self._near_head[frame], 50), (self._near_body[frame], 35), (~self._near_head[frame], 15)
        parts = []
        for place, share in near:
            candidates = torch.nonzero(place).squeeze(1)
            if len(candidates):
                parts.append(candidates[torch.randint(len(candidates), (rays * share // 100,))])
        return torch.cat(parts)


def _torso_box(footage: Footage) -> tuple[Tensor, Tensor]:
    """Return the corners (3,), camera space, cm, of the space about the head's mean depth that the camera sees."""
    depth = float(-footage.translations[:, 2].mean())
    near, far = max(depth - TORSO_DEPTH, 1.0), depth + TORSO_DEPTH
    corners = camera_directions(footage.camera, torch.tensor([[0.0, 0.0], [1.0, 1.0]]))[:, :2] * far
    low, high = corners.amin(0), corners.amax(0)
    return torch.cat((low, low.new_tensor([-far]))), torch.cat((high, high.new_tensor([-near])))
