"""The poses of an enrolment's heads, corrected by the field that is trained on them as a call will correct them."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from app.capture.source import open_source
from app.enrolment.fields import Training
from app.enrolment.footage import EnrolmentFootage, span
from app.progress import Progress
from app.tracking.head_alignment import SIDE, HeadAligner
from codec.face_state import FaceState
from renderer.avatar import Avatar


def with_aligned_heads(footage: EnrolmentFootage, training: Training) -> EnrolmentFootage:
    """Return the footage with the heads where its pictures show them, by the field as it is trained so far.

    A field that cannot be rendered quickly, as the paper's, leaves it as it is: in a call it corrects no pose either.

    Raises:
        SourceError: the clip cannot be read any more.
    """
    avatar = training.avatar
    if not isinstance(avatar, Avatar):
        return footage
    if avatar.fastest() == "torch":
        return footage
    avatar.forget_view()

    @torch.no_grad()
    def render(state: FaceState) -> NDArray[np.uint8]:
        def tensor(values: NDArray[np.float32]) -> torch.Tensor:
            return torch.from_numpy(np.array(values, np.float32)).to(training.device)

        expression = training.embedding(tensor(state.expression))
        pose = tensor(state.pose.rotation), tensor(state.pose.translation)
        picture = avatar.render(expression, *pose, tensor(state.torso), SIDE, SIDE)
        return np.asarray(picture.cpu().numpy(), np.uint8)

    tracked = footage.tracked
    aligner = HeadAligner(render, footage.torso.camera, footage.calibration.focal)
    states = []
    with open_source(tracked.clip) as source, Progress(len(tracked.states), "aligning the head") as progress:
        for state, frame in zip(tracked.states, span(source.frames(), tracked.start, tracked.stop), strict=True):
            # From where landmarks put it, however often it is aligned.
            aligned = aligner.align(frame.image, state)
            states.append(replace(state, pose=aligned.pose))
            progress.update(len(states))
    avatar.forget_view()
    return footage.with_states(states)
