"""The faces of an enrolment, corrected by the field that is trained on them as a call will correct them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from app.capture.source import open_source
from app.enrolment.fields import Training
from app.enrolment.footage import EnrolmentFootage, span
from app.progress import Progress
from app.tracking.face_alignment import SIDE, ExpressionRange, FaceAligner, RenderedHead
from codec.face_state import FaceState
from renderer.avatar import Avatar
from renderer.training.threads import FrameThreads

PART = 250
"""Frames of a part of the clip at least, all of whose parts are looked at side by side."""
LEAD = 50
"""Frames that are looked at before a part begins: by then what was found before them is forgotten."""


@torch.no_grad()
def with_aligned_faces(
    footage: EnrolmentFootage, training: Training, *, pictures_alone: bool = False
) -> EnrolmentFootage:
    """Return the footage with its faces as its pictures show them, by the field as it is trained so far.

    A field that cannot be rendered quickly, as the paper's, leaves it as it is: in a call it corrects nothing either.

    Args:
        footage: as tracked.
        training: with the field.
        pictures_alone: whether only frames are looked at that are kept as pictures; the others are corrected as those
            before them were.

    Raises:
        SourceError: the clip cannot be read any more.
    """
    avatar = training.avatar
    if not isinstance(avatar, Avatar):
        return footage
    if avatar.fastest() == "torch":
        return footage
    avatar.forget()

    def tensor(values: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.array(values, np.float32)).to(training.device)

    def render(state: FaceState) -> RenderedHead:
        expression = tensor(state.expression)
        pose = tensor(state.pose.rotation), tensor(state.pose.translation)
        picture = avatar.render(expression, *pose, tensor(state.torso), SIDE, SIDE, smooth=False)
        distance = avatar.head_distance(expression, *pose, SIDE, SIDE)
        return RenderedHead(picture.cpu().numpy(), distance.cpu().numpy())

    tracked = footage.tracked
    # From where landmarks put it, however often it is aligned.
    expressions = training.embedding(tensor(np.stack([state.expression for state in tracked.states]))).cpu().numpy()
    states = [replace(state, expression=row) for state, row in zip(tracked.states, expressions, strict=True)]
    range_ = _expression_range([state for state in states[: tracked.enrolled] if state.present])
    kept = set(tracked.kept.tolist()) if pictures_alone else range(len(states))
    cores = torch.get_num_threads() if training.device.type == "cpu" else 1
    parts = max(min(cores, len(states) // PART), 1)
    bounds = [len(states) * part // parts for part in range(parts + 1)]
    with Progress(len(kept), "aligning the face") as progress:
        done, lock = 0, Lock()

        @torch.no_grad()
        def align(first: int, last: int) -> list[FaceState]:
            nonlocal done
            aligner = FaceAligner(render, range_, footage.torso.camera, footage.calibration.focal)
            found = []
            begin = max(first - LEAD, 0)
            with open_source(tracked.clip) as source:
                frames = islice(span(source.frames(), tracked.start, tracked.stop), begin, last)
                for index, frame in enumerate(frames, begin):
                    state = states[index]
                    found.append(aligner.align(frame.image, state) if index in kept else aligner.go_on(state))
                    with lock:
                        done += index >= first and index in kept
                        progress.update(done)
            return found[first - begin :]

        run: Callable[..., list[list[FaceState]]] = FrameThreads(parts).map
        aligned = [state for part in run(align, bounds[:-1], bounds[1:]) for state in part]
    avatar.forget()
    found = np.stack([state.expression for state in aligned]) - expressions
    return footage.aligned([state.pose for state in aligned], found)


def _expression_range(states: list[FaceState]) -> ExpressionRange:
    """Return what the embedded expressions of these states are like; there is no bound to them yet."""
    expressions = np.stack([state.expression for state in states])
    rotations = np.stack([state.pose.rotation for state in states])
    usual = int(np.square(rotations - rotations.mean(0)).sum(axis=(1, 2)).argmin())
    unbounded = np.full(expressions.shape[1], np.inf, np.float32)
    rest = replace(states[usual], expression=expressions.mean(0))
    return ExpressionRange(rest, expressions.std(0), -unbounded, unbounded)
