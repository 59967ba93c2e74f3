"""The kinds of field that an avatar can hold, by the name that `nerfcall enrol --field` takes."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from app.assets import cache_folder
from app.enrolment.footage import EnrolmentFootage
from app.enrolment.surface import head_surface
from codec.embedding import Embedding
from renderer.head_field import HeadFieldShape
from renderer.kernels import cpu
from renderer.paper.avatar import PaperShape
from renderer.training.field_training import FieldTraining
from renderer.training.paper_trainer import PaperTrainer, PaperTrainingSettings
from renderer.training.perceptual import PerceptualLoss
from renderer.training.trainer import Trainer, TrainingSettings

Training = FieldTraining[Any]
Start = Callable[[EnrolmentFootage, Embedding, bool, torch.device, PerceptualLoss | None], Training]
"""From footage, embedding, whether the consistency code is learned, device and LPIPS to an untrained field."""


def _fast(
    footage: EnrolmentFootage,
    embedding: Embedding,
    consistency_code: bool,
    device: torch.device,
    perceptual: PerceptualLoss | None,
) -> Training:
    if device.type == "cpu":
        cpu.prepare(cache_folder() / "kernels")
    settings = TrainingSettings(consistency_code=consistency_code)
    numbers = embedding.lower.numel()
    shape = HeadFieldShape(expression=numbers, wide_expression=numbers)
    surface = head_surface(footage.calibration)
    return Trainer(footage.training, embedding, surface, settings, shape, device, perceptual=perceptual)


def _paper(
    footage: EnrolmentFootage,
    embedding: Embedding,
    consistency_code: bool,
    device: torch.device,
    perceptual: PerceptualLoss | None,
) -> Training:
    # Its losses are those of the paper (eq. 4, 5) alone.
    settings = PaperTrainingSettings(consistency_code=consistency_code)
    shape = PaperShape(expression=embedding.lower.numel())
    surface = head_surface(footage.calibration)
    return PaperTrainer(footage.training, embedding, surface, settings, shape, device=device)


FIELDS: Mapping[str, Start] = {"fast": _fast, "paper": _paper}
"""The fast one is what a call uses; the paper's own (eq. 1 to 5) is what it is measured against."""
