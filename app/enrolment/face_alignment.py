"""The faces of an enrolment, corrected by the field that is trained on them as a call will correct them."""

from dataclasses import replace

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


@torch.no_grad()
def with_aligned_faces(footage: EnrolmentFootage, training: Training) -> EnrolmentFootage:
    """Return the footage with its faces as its pictures show them, by the field as it is trained so far.

    A field that cannot be rendered quickly, as the paper's, leaves it as it is: in a call it corrects nothing either.

    Raises:
        SourceError: the clip cannot be read any more.
    """
    avatar = training.avatar
    if not isinstance(avatar, Avatar):
        return footage
    if avatar.fastest() == "torch":
        return footage
    avatar.forget_view()

    def tensor(values: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.array(values, np.float32)).to(training.device)

    def render(state: FaceState) -> RenderedHead:
        expression = tensor(state.expression)
        pose = tensor(state.pose.rotation), tensor(state.pose.translation)
        picture = avatar.render(expression, *pose, tensor(state.torso), SIDE, SIDE)
        distance = avatar.head_distance(expression, *pose, SIDE, SIDE)
        return RenderedHead(picture.cpu().numpy(), distance.cpu().numpy())

    tracked = footage.tracked
    # From where landmarks put it, however often it is aligned.
    expressions = training.embedding(tensor(np.stack([state.expression for state in tracked.states]))).cpu().numpy()
    states = [replace(state, expression=row) for state, row in zip(tracked.states, expressions, strict=True)]
    range_ = _expression_range([state for state in states[: tracked.enrolled] if state.present])
    aligner = FaceAligner(render, range_, footage.torso.camera, footage.calibration.focal)
    aligned = []
    with open_source(tracked.clip) as source, Progress(len(states), "aligning the face") as progress:
        for state, frame in zip(states, span(source.frames(), tracked.start, tracked.stop), strict=True):
            aligned.append(aligner.align(frame.image, state))
            progress.update(len(aligned))
    avatar.forget_view()
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
