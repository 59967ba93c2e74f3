"""The faces of a clip are aligned part by part, each part in the order of time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from app.assets import cache_folder
from app.capture.source import Frame
from app.enrolment import face_alignment
from app.enrolment.face_alignment import LEAD, with_aligned_faces
from app.enrolment.footage import EnrolmentFootage, TrackedSpan
from codec.face_state import FaceState
from renderer.kernels import cpu
from tests.app.enrolment.ball import ball_enrolment, embedding_of_ball, states
from tests.renderer.scenes import usual_avatar

FRAMES = 46 * 18


class Recorder:
    """Stands for the aligner: adds up how many pictures it has looked at, and says so in the expression."""

    def __init__(self, *_: object) -> None:
        self.seen: list[tuple[int, bool]] = []
        aligners.append(self)

    def align(self, image: np.ndarray, state: FaceState) -> FaceState:
        assert image[0, 0, 0] == round(state.timestamp * 25) % 256, "this picture is of another time"
        return self._noted(state, True)

    def go_on(self, state: FaceState) -> FaceState:
        return self._noted(state, False)

    def _noted(self, state: FaceState, looked: bool) -> FaceState:
        self.seen.append((round(state.timestamp * 25), looked))
        return replace(state, expression=state.expression + np.float32(self.seen[-1][0] + 0.5 * looked))


aligners: list[Recorder] = []


@contextmanager
def clip(path: str) -> Iterator[Any]:
    assert path == "ball.mp4"
    # What lies before and behind the tracked span is not to be taken for it.
    numbers = range(-5, FRAMES + 9)
    pictures = (Frame(np.full((4, 4, 3), number % 256, np.uint8), number / 25, number + 5) for number in numbers)
    yield SimpleNamespace(frames=lambda: pictures)


@pytest.fixture
def footage(monkeypatch: pytest.MonkeyPatch) -> EnrolmentFootage:
    assert cpu.prepare(cache_folder() / "kernels")
    aligners.clear()
    monkeypatch.setattr(face_alignment, "FaceAligner", Recorder)
    monkeypatch.setattr(face_alignment, "open_source", clip)
    small = ball_enrolment(training=40)
    parts = small.training, small.validation, small.held_out
    pictures = [state for part in parts for state in states(part)]
    every = FRAMES // len(pictures)
    frames = [replace(pictures[index // every % len(pictures)], timestamp=index / 25) for index in range(FRAMES)]
    kept = np.arange(len(pictures)) * every
    return replace(small, tracked=TrackedSpan("ball.mp4", 0.0, FRAMES / 25, frames, int(kept[42]), kept))


@pytest.mark.parametrize(("threads", "parts"), [(1, 1), (3, 3), (5, 3)])
@pytest.mark.parametrize("pictures_alone", [False, True])
def test_each_frame_is_corrected_in_its_part(
    footage: EnrolmentFootage, threads: int, parts: int, pictures_alone: bool
) -> None:
    training: Any = SimpleNamespace(
        avatar=usual_avatar(), embedding=embedding_of_ball(footage), device=torch.device("cpu")
    )
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        aligned = with_aligned_faces(footage, training, pictures_alone=pictures_alone)
    finally:
        torch.set_num_threads(before)
    assert len(aligners) == parts
    kept = set(footage.tracked.kept.tolist())
    begins, ends = [], []
    for aligner in aligners:
        numbers = [number for number, _ in aligner.seen]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert all(looked == (not pictures_alone or number in kept) for number, looked in aligner.seen)
        begins.append(numbers[0])
        ends.append(numbers[-1] + 1)
    bounds = [FRAMES * part // parts for part in range(parts + 1)]
    assert sorted(ends) == bounds[1:]
    assert sorted(begins) == [0, *(bound - LEAD for bound in bounds[1:-1])]
    assert aligned.training.refinements is not None
    found = aligned.training.refinements[:, 0].numpy()
    assert np.allclose(found, footage.tracked.kept[:40] + 0.5, atol=1e-3)
    assert aligned.refinements is not None
    assert np.abs(aligned.refinements[:, 0] - np.arange(footage.tracked.enrolled) - 0.25).max() < 0.251
