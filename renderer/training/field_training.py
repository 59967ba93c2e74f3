"""What an enrolment trains, whichever field it is."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from renderer.portrait import Portrait
from renderer.training.dataset import HEAD, Footage


@dataclass(frozen=True, slots=True)
class Quality:
    """How close renderings come to the real frames, dB."""

    psnr: float
    """Of the full frame, nothing pasted back."""
    head_psnr: float
    """Of the pixels that the segmentation of the real frame calls head."""


@dataclass(frozen=True, slots=True)
class Evaluation(Quality):
    """Of frames that were not trained on."""

    loss: float
    """What training makes small, of whole pictures: by this the field to keep is chosen."""


def picture_quality(picture: Tensor, real: Tensor, head: Tensor) -> Quality:
    """Compare a rendering (S, S, 3) uint8 with the real frame; ``head`` (S, S) bool says where its head is."""
    error = ((picture.float() - real.float()) / 255.0).square().mean(-1)

    def psnr(squared: Tensor) -> float:
        return -10.0 * math.log10(max(float(squared.mean()), 1e-10))

    return Quality(psnr(error), psnr(error[head]) if bool(head.any()) else psnr(error))


P = TypeVar("P", bound=Portrait)


class FieldTraining(ABC, Generic[P]):
    """One person's portrait and expression embedding while they are optimised together on enrolment footage."""

    avatar: P
    """What is trained."""

    def __init__(self, footage: Footage, embedding: nn.Module, device: torch.device | None, seed: int):
        """Move what is given to the device; the portrait and its optimiser are made by the field's own training.

        Args:
            footage: training frames in the order of time.
            embedding: maps (..., 79) tracked to (..., E) embedded expressions; trained along.
            device: where to train; None for the CPU.
            seed: of all randomness.
        """
        torch.manual_seed(seed)
        self.device = device or torch.device("cpu")
        self.footage = footage.to(self.device)
        self.embedding = embedding.to(self.device)
        self.size = footage.images.shape[1]
        """Side of the training pictures."""
        self.steps = 0
        """Taken so far."""
        self._optimiser: torch.optim.Optimizer

    @abstractmethod
    def step(self, progress: float) -> float:
        """Take one optimisation step.

        Args:
            progress: share of the training that is done, in [0, 1], by which the learning rates fall.

        Returns:
            The photometric loss of the step's rays.
        """

    def settle(self) -> None:
        """Bring the portrait into the shape in which it is shipped; nothing is trained after it."""

    @torch.no_grad()
    def evaluate(self, footage: Footage) -> Evaluation:
        """Render frames as a receiver would, without quantisation, and compare; see ``Evaluation``."""
        self.avatar.forget()
        expressions = footage.to(self.device).embedded(self.embedding)
        full, head, losses = [], [], []
        for frame in range(len(footage)):
            picture = self.avatar.render(
                expressions[frame],
                footage.rotations[frame].to(self.device),
                footage.translations[frame].to(self.device),
                footage.torso_motions[frame].to(self.device),
                self.size,
                self.size,
            ).cpu()
            real, is_head = footage.images[frame], footage.masks[frame] == HEAD
            quality = picture_quality(picture, real, is_head)
            losses.append(float(self._picture_loss(picture, real, is_head)))
            full.append(quality.psnr)
            head.append(quality.head_psnr)
        return Evaluation(*(sum(values) / len(values) for values in (full, head, losses)))

    def _picture_loss(self, picture: Tensor, real: Tensor, head: Tensor) -> Tensor:
        """Return what is wrong with a picture (S, S, 3) of 0 to 255 whose real frame has its head at (S, S) ``head``.

        The head alone: a torso that moves on its own has the smallest squared error when it is blurred.
        """
        where = head if bool(head.any()) else torch.ones_like(head)
        return ((picture.float() - real.float()) / 255.0)[where].square().mean()

    def state(self) -> dict[str, Tensor]:
        """Return everything that training goes on from, as named tensors on the CPU."""
        tensors = {f"avatar.{name}": value for name, value in self.avatar.state_dict().items()}
        tensors |= {f"embedding.{name}": value for name, value in self.embedding.state_dict().items()}
        for index, moments in self._optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
        tensors["steps"] = torch.tensor(self.steps)
        plain = torch.contiguous_format
        return {name: value.detach().cpu().clone(memory_format=plain) for name, value in tensors.items()}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from a ``state``.

        Raises:
            KeyError, RuntimeError, ValueError: the tensors are not those of this training.
        """
        parts: dict[str, dict[str, Tensor]] = {"avatar": {}, "embedding": {}}
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            part, _, rest = name.partition(".")
            if part == "optimiser":
                index, _, moment = rest.partition(".")
                moments.setdefault(int(index), {})[moment] = value
            elif part in parts:
                parts[part][rest] = value
        self.avatar.load_state_dict(parts["avatar"])
        self.embedding.load_state_dict(parts["embedding"])
        state = self._optimiser.state_dict()
        state["state"] = moments
        self._optimiser.load_state_dict(state)
        for parameter, found in self._optimiser.state.items():
            for name, value in found.items():
                if value.shape == parameter.shape:
                    # In the memory order of the parameter, which the fused update takes for granted.
                    found[name] = torch.empty_like(parameter).copy_(value)
        self.steps = int(tensors["steps"])
