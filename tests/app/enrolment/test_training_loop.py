"""When an enrolment looks at its validation frames and keeps a checkpoint, by an invented clock."""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from app.enrolment import enrol
from app.enrolment.checkpoint import Checkpoint
from app.enrolment.enrol import ALIGN_AT, EnrolmentOptions, _train
from renderer.training.field_training import Evaluation


class InventedTraining:
    """Each step takes a second and each look ``look`` seconds; its loss is that of ``losses``, look by look."""

    def __init__(self, look: float, losses: list[float]):
        self.now, self.steps, self.look = 0.0, 0, look
        self.losses = losses
        self.looks: list[float] = []
        self.restored: dict[str, torch.Tensor] = {}
        self.device = "cpu"
        self.footage: object = None
        self.aligned: list[float] = []
        self.pictures_alone: list[bool] = []

    def align(self, footage: Any, training: object, *, pictures_alone: bool) -> Any:
        assert training is self
        self.aligned.append(self.now)
        self.pictures_alone.append(pictures_alone)
        self.now += 5.0
        return footage

    def step(self, progress: float) -> float:
        assert 0.0 <= progress < 1.0
        self.now += 1.0
        self.steps += 1
        return 0.1

    def evaluate(self, footage: object) -> Evaluation:
        self.looks.append(self.now)
        self.now += self.look
        return Evaluation(20.0, 25.0, self.losses[min(len(self.looks), len(self.losses)) - 1])

    def state(self) -> dict[str, torch.Tensor]:
        return {"steps": torch.tensor(self.steps)}

    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        self.restored = tensors


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times: list[float] = []
    monkeypatch.setattr(Checkpoint, "write", lambda self, path: times.append(self.seconds))
    return times


def trained(
    training: InventedTraining, budget: float, monkeypatch: pytest.MonkeyPatch, frames: int = 20, spent: float = 0.0
) -> tuple[float, bool]:
    monkeypatch.setattr(enrol, "time", SimpleNamespace(monotonic=lambda: training.now))
    options = EnrolmentOptions(Path("a.mp4"), Path("a.avatar"), "", 64, 1.0, 0.0, None, "cpu")
    monkeypatch.setattr(enrol, "with_aligned_faces", training.align)
    tracked = SimpleNamespace(kept=range(10), states=range(frames))
    footage: Any = SimpleNamespace(
        validation=None, training=SimpleNamespace(to=lambda device: f"on {device}"), tracked=tracked
    )
    return _train(training, footage, options, spent, budget)  # type: ignore[arg-type]


def test_a_quick_look_is_taken_every_minute(monkeypatch: pytest.MonkeyPatch, kept: list[float]) -> None:
    training = InventedTraining(1.0, [0.3])
    assert trained(training, 300.0, monkeypatch)[1]
    assert training.looks[0] == 60.0
    # An alignment takes 5 s, after which a look may be due.
    assert all(58.0 <= second - first <= 67.0 for first, second in pairwise(training.looks[:-1]))
    assert len(kept) == 4


def test_a_slow_look_takes_a_tenth_of_the_time_at_most(monkeypatch: pytest.MonkeyPatch, kept: list[float]) -> None:
    training = InventedTraining(40.0, [0.3])
    spent, finished = trained(training, 2000.0, monkeypatch)
    assert finished
    assert len(training.looks) * 40.0 < 0.15 * spent
    gaps = [second - first for first, second in pairwise(training.looks)]
    assert all(gap >= 400.0 for gap in gaps[:-1])
    # What is kept does not wait for a look.
    assert len(kept) > 20


def test_faces_are_aligned_twice_and_trained_on_from_then_on(
    monkeypatch: pytest.MonkeyPatch, kept: list[float]
) -> None:
    training = InventedTraining(1.0, [0.01, 0.02, 0.3, 0.2, 0.4])
    trained(training, 300.0, monkeypatch)
    assert training.aligned == [pytest.approx(share * 300.0, abs=8.0) for share in ALIGN_AT]
    assert training.footage == "on cpu"
    # The first looks were at poses that are gone.
    assert int(training.restored["steps"]) > training.aligned[-1] - 10.0


def test_faces_are_aligned_once_where_that_takes_long(monkeypatch: pytest.MonkeyPatch, kept: list[float]) -> None:
    training = InventedTraining(1.0, [0.3])
    trained(training, 100.0, monkeypatch)
    assert training.aligned == [pytest.approx(ALIGN_AT[0] * 100.0, abs=2.0)]


def test_a_training_that_goes_on_aligns_at_once_and_not_for_what_it_missed(
    monkeypatch: pytest.MonkeyPatch, kept: list[float]
) -> None:
    training = InventedTraining(1.0, [0.3])
    trained(training, 300.0, monkeypatch, spent=240.0)
    assert training.aligned == [0.0]


@pytest.mark.parametrize(("frames", "alone"), [(10, True), (30, True), (31, False), (300, False)])
def test_pictures_alone_are_aligned_where_they_are_near_each_other(
    monkeypatch: pytest.MonkeyPatch, kept: list[float], frames: int, alone: bool
) -> None:
    training = InventedTraining(1.0, [0.3])
    trained(training, 100.0, monkeypatch, frames)
    assert training.pictures_alone == [alone]


def test_the_best_look_decides(monkeypatch: pytest.MonkeyPatch, kept: list[float]) -> None:
    training = InventedTraining(1.0, [0.3, 0.1, 0.2])
    monkeypatch.setattr(enrol, "ALIGN_AT", (0.0,))
    trained(training, 240.0, monkeypatch)
    assert len(training.looks) >= 3
    assert int(training.restored["steps"]) == round(training.looks[1] - 5.0) - 1
