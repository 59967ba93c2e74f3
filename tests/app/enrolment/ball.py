"""Enrolment footage of a ball, and small fields that train on it quickly."""

import numpy as np
import torch

from app.enrolment.footage import EnrolmentFootage, TrackedSpan
from app.enrolment.framing import Framing
from app.tracking.calibration_record import Calibration
from app.tracking.torso_template import SIDE, ColourMix, FrameCamera, TorsoTemplate
from codec.embedding import ExpressionEmbedding
from codec.face_state import FaceState, HeadPose
from renderer.paper.march import Passes
from renderer.training.dataset import Footage
from renderer.training.paper_trainer import PaperTrainer, PaperTrainingSettings
from renderer.training.trainer import Trainer, TrainingSettings
from tests.renderer.paper.scenes import TINY
from tests.renderer.scenes import SMALL, ball_footage, ball_surface

NOWHERE = np.zeros((SIDE, SIDE), bool)


def states(footage: Footage) -> list[FaceState]:
    return [
        FaceState(
            footage.expressions[frame].numpy(),
            HeadPose(footage.rotations[frame].numpy(), footage.translations[frame].numpy()),
            frame / 25,
            torso=footage.torso_motions[frame].numpy(),
        )
        for frame in range(len(footage))
    ]


def ball_enrolment(training: int = 60, held_out: int = 4) -> EnrolmentFootage:
    seen, unseen = ball_footage(training, 64), ball_footage(held_out, 64, seed=9)
    return EnrolmentFootage(
        seen,
        ball_footage(2, 64, seed=5),
        unseen,
        Calibration.mean_face(40, b"12345678"),
        TorsoTemplate.moving_linearly(
            FrameCamera(2.0, 0.5, 0.5), ColourMix(0.3, 0.4, 0.3), np.zeros((SIDE, SIDE), np.float32), NOWHERE
        ),
        Framing(64, 64, 0, 0, 64),
        states(seen),
        states(unseen),
        25.0,
        TrackedSpan("ball.mp4", 0.0, 1.0, [*states(seen), *states(unseen)], training, np.arange(training + held_out)),
    )


def embedding_of_ball(footage: EnrolmentFootage) -> ExpressionEmbedding:
    embedding = ExpressionEmbedding()
    embedding.initialise(footage.training.expressions, torch.eye(79))
    return embedding


def fast_training(footage: EnrolmentFootage, embedding: torch.nn.Module, *_: object) -> Trainer:
    settings = TrainingSettings(rays=512, background_knots=2)
    return Trainer(footage.training, embedding, ball_surface(), settings, SMALL)


def paper_training(footage: EnrolmentFootage, embedding: torch.nn.Module, *_: object) -> PaperTrainer:
    settings = PaperTrainingSettings(frames=2, rays=32, rate=2e-3)
    return PaperTrainer(footage.training, embedding, ball_surface(), settings, network=TINY, passes=Passes(8, 8))
