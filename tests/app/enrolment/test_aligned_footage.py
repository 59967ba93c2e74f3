"""What aligning found goes to the frames that it was found in, in the units of the embedding that it is added to."""

from dataclasses import replace

import numpy as np
import torch

from app.enrolment.export import refined
from app.enrolment.footage import EnrolmentFootage, TrackedSpan
from codec.face_state import HeadPose
from renderer.training.dataset import Footage
from tests.app.enrolment.ball import ball_enrolment, embedding_of_ball, states


def spread_footage() -> EnrolmentFootage:
    """A clip of which every other frame is kept, and the tenth shows no face."""
    footage = ball_enrolment(training=40)
    parts = footage.training, footage.validation, footage.held_out
    frames = [state for part in parts for state in states(part) for _ in range(2)]
    frames[10] = replace(frames[10], present=False)
    kept = np.arange(1, len(frames), 2)
    return replace(footage, tracked=TrackedSpan("ball.mp4", 0.0, 4.0, frames, 84, kept))


def numbered(count: int) -> tuple[list[HeadPose], np.ndarray]:
    """Poses and refinements that say which frame they are of."""
    poses = [HeadPose(np.eye(3, dtype=np.float32), np.array([0.0, 0.0, index], np.float32)) for index in range(count)]
    return poses, np.repeat(np.arange(count, dtype=np.float32)[:, None], 30, axis=1)


def test_each_frame_gets_its_own() -> None:
    footage = spread_footage()
    aligned = footage.aligned(*numbered(len(footage.tracked.states)))
    wanted = iter(footage.tracked.kept)
    for part in (aligned.training, aligned.validation, aligned.held_out):
        assert part.refinements is not None
        for frame in range(len(part)):
            index = next(wanted)
            assert part.translations[frame, 2] == index
            assert (part.refinements[frame] == index).all()
    assert aligned.refinements is not None
    enrolled = [index for index in range(84) if index != 10]
    assert [int(state.pose.translation[2]) for state in aligned.states] == enrolled
    assert aligned.refinements[:, 0].tolist() == enrolled
    held_out = [int(state.pose.translation[2]) for state in aligned.held_out_states]
    assert held_out == footage.tracked.kept[-len(aligned.held_out) :].tolist()


def test_refinements_follow_their_frames() -> None:
    footage = spread_footage()
    aligned = footage.aligned(*numbered(len(footage.tracked.states))).training
    embedding = embedding_of_ball(footage)
    index = torch.tensor([3, 0])
    with torch.no_grad():
        plain = embedding(aligned.expressions)
        for part, rows in ((aligned, slice(None)), (aligned.select(index), index)):
            assert part.refinements is not None
            assert torch.allclose(part.to(torch.device("cpu")).embedded(embedding), plain[rows] + part.refinements)
        assert torch.allclose(aligned.embedded(embedding, index), plain[index] + torch.tensor([[7.0], [1.0]]))
        bare: Footage = replace(aligned, refinements=None)
        assert torch.equal(bare.embedded(embedding), plain)


def test_in_new_units_a_refined_expression_is_the_same() -> None:
    footage = ball_enrolment()
    embedding = embedding_of_ball(footage)
    expressions = footage.training.expressions
    found = 0.2 * torch.randn(len(expressions), 30, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        before = embedding(expressions) + found
        shift, scale = embedding.standardise(expressions)
        after = torch.from_numpy(refined(embedding, expressions, found, scale))
        same = (shift + scale * after - before).abs() < 1e-4
        bounded = (after == embedding.lower) | (after == embedding.upper)
    assert (same | bounded).all()
    assert same.float().mean() > 0.9
