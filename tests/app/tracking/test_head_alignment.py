"""Analysis by synthesis: a rendered head is brought to where it is seen."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tracking.head_alignment import LIMITS, SIDE, HeadAligner, moved, picture_step
from app.tracking.torso_template import FrameCamera
from codec.face_state import FaceState, HeadPose
from codec.rotation import matrix_to_rotation_vector, rotation_vector_to_matrix

CAMERA = FrameCamera(2.0, 0.5, 0.5)
FOCAL = 2.0


def render(state: FaceState, side: int = SIDE) -> np.ndarray:
    """Return a patterned ellipsoid (side, side, 3) before a plain wall, by intersecting rays with it."""
    places = (np.arange(side) + 0.5) / side - 0.5
    rays = np.stack([*np.meshgrid(places / CAMERA.focal, -places / CAMERA.focal), np.full((side, side), -1.0)], axis=-1)
    rotation, translation = state.pose.rotation.astype(float), state.pose.translation.astype(float)
    # In the head's space, where the ellipsoid becomes a unit ball.
    axes = np.array([8.5, 12.0, 9.5])
    origin, directions = -translation @ rotation / axes, rays @ rotation / axes
    a, b, c = (directions**2).sum(-1), directions @ origin, origin @ origin - 1.0
    root = b**2 - a * c
    distance = (-b - np.sqrt(np.maximum(root, 0.0))) / a
    x, y, z = np.moveaxis((origin + distance[..., None] * directions) * axes, -1, 0)
    pattern = np.stack([np.sin(x) * np.cos(0.7 * y), np.cos(0.8 * x + 0.5 * y), np.sin(0.6 * y + 0.4 * z)], axis=-1)
    colour = np.where(root[..., None] > 0.0, 0.5 + 0.2 * pattern, [0.1, 0.3, 0.9])
    return np.rint(255 * cv2.GaussianBlur(np.clip(colour, 0, 1), (0, 0), 0.5 * side / SIDE)).astype(np.uint8)


def posed(turn=(0.0, 0.0, 0.0), place=(0.0, 0.0, -60.0)) -> FaceState:
    rotation = rotation_vector_to_matrix(np.array(turn)).astype(np.float32)
    return FaceState(np.zeros(79, np.float32), HeadPose(rotation, np.array(place, np.float32)), 0.0)


def apart(one: HeadPose, other: HeadPose) -> tuple[float, float]:
    """Return degrees and centimetres in the picture plane."""
    turn = np.degrees(np.linalg.norm(matrix_to_rotation_vector(one.rotation @ other.rotation.T)))
    return float(turn), float(np.abs(one.translation - other.translation)[:2].max())


MOTIONS = st.tuples(*(st.floats(-limit, limit) for limit in (0.006, 0.006, 0.02, 0.02, 0.03, 0.03))).map(np.array)


@settings(max_examples=15, deadline=None)
@given(MOTIONS, st.floats(-0.25, 0.25), st.floats(0.8, 1.05))
def test_a_wrong_pose_is_put_right_in_a_few_pictures(motion: np.ndarray, yaw: float, gain: float) -> None:
    true = posed((0.05, yaw, 0.02), (0.5, -1.0, -58.0))
    seen = np.clip(gain * render(true, 256), 0, 255).astype(np.uint8)
    wrong = replace(true, pose=moved(true.pose, motion, CAMERA.focal))
    aligner = HeadAligner(render, CAMERA, FOCAL)
    for _ in range(8):
        found = aligner.align(seen, wrong)
    turn, place = apart(found.pose, true.pose)
    # Unusual turns are believed in part.
    assert turn < 0.3 + 0.6 * apart(wrong.pose, true.pose)[0]
    # A third of a pixel of 96 at that distance is 0.1 cm.
    assert place < 0.1
    assert abs(found.pose.translation[2] / true.pose.translation[2] - 1.0) < 0.006


def test_of_motions_that_look_alike_the_usual_one_is_found() -> None:
    """A plain wall tells nothing, and a correction that nothing speaks for goes back to none."""
    plain = np.full((SIDE, SIDE, 3), 0.5, np.float32)
    plain[SIDE // 2 :] += np.float32(0.1)
    rows, columns = np.indices((SIDE, SIDE))
    weights = ((rows - SIDE / 2) ** 2 + (columns - SIDE / 2) ** 2 < (SIDE / 3) ** 2).astype(float)
    correction = np.array([0.01, 0.0, 0.0, 0.0, 0.02, 0.0])
    step = picture_step(plain, plain, weights, np.array([0.5, 0.5]), np.array([0.3, 0.3, 0.3]), correction)
    assert step is not None
    noisy = plain + np.random.default_rng(0).normal(0.0, 0.03, plain.shape).astype(np.float32)
    step = picture_step(noisy, plain, weights, np.array([0.5, 0.5]), np.array([0.3, 0.3, 0.3]), correction)
    assert step is not None
    # Across, and turning aside, nothing is to be seen: the edge runs across.
    assert step[[0, 4]] == pytest.approx(-correction[[0, 4]], rel=0.05)
    assert np.abs(step[[1, 2, 5]]).max() < 0.01


def test_a_pose_that_is_right_stays() -> None:
    true = posed((0.1, -0.1, 0.0))
    aligner = HeadAligner(render, CAMERA, FOCAL)
    seen = render(true, 256)
    for _ in range(5):
        found = aligner.align(seen, true)
    assert apart(found.pose, true.pose) < (0.15, 0.02)


@pytest.mark.parametrize(("seconds", "compared"), [(0.005, 12), (0.012, 6), (0.025, 3)])
def test_comparing_takes_no_more_time_than_it_has(
    monkeypatch: pytest.MonkeyPatch, seconds: float, compared: int
) -> None:
    true, now, rendered = posed(), [0.0], []

    def rendering(state: FaceState) -> np.ndarray:
        now[0] += seconds
        rendered.append(state)
        return render(state)

    monkeypatch.setattr("app.tracking.head_alignment.time.perf_counter", lambda: now[0])
    aligner = HeadAligner(rendering, CAMERA, FOCAL, budget=0.008)
    wrong = replace(true, pose=moved(true.pose, np.array([0.006, 0.0, 0.0, 0.0, 0.0, 0.0]), CAMERA.focal))
    for _ in range(12):
        found = aligner.align(render(true, 256), wrong)
        assert apart(found.pose, wrong.pose)[1] > 0.05, "what is not compared is corrected all the same"
    assert len(rendered) == compared


def test_what_is_not_the_person_moves_nothing_far() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    aligner, state = HeadAligner(render, CAMERA, FOCAL), posed()
    for _ in range(30):
        found = aligner.align(noise, state)
    x, y, z = found.pose.translation / state.pose.translation[2]
    assert abs(x) < LIMITS[0] + LIMITS[2]
    assert abs(y) < LIMITS[1] + LIMITS[2]
    assert abs(z - 1.0) < LIMITS[2] + 0.01
    assert np.isfinite(found.pose.rotation).all()


def test_a_correction_is_forgotten_while_nobody_is_there() -> None:
    true = posed()
    wrong = replace(true, pose=moved(true.pose, np.array([0.006, 0.0, 0.0, 0.0, 0.0, 0.0]), CAMERA.focal))
    aligner, seen = HeadAligner(render, CAMERA, FOCAL), render(true, 256)
    for _ in range(8):
        aligner.align(seen, wrong)
    away = replace(wrong, present=False)
    for _ in range(40):
        assert aligner.align(seen, away) is away
    blank = np.zeros_like(seen)
    assert apart(aligner.align(blank, wrong).pose, wrong.pose)[1] < 0.02


def test_without_a_rendering_the_landmarks_have_the_last_word() -> None:
    state = posed((0.1, 0.2, 0.3))
    aligner = HeadAligner(lambda state: None, CAMERA, FOCAL)
    found = aligner.align(render(posed(), 256), state)
    assert apart(found.pose, state.pose) < (1e-3, 1e-4)


def test_a_head_out_of_the_frame_is_left_where_it_is() -> None:
    state = posed(place=(300.0, 0.0, -60.0))
    found = HeadAligner(render, CAMERA, FOCAL).align(render(posed(), 256), state)
    assert apart(found.pose, state.pose) < (1e-3, 1e-3)


@pytest.mark.parametrize(
    ("motion", "place", "sign"),
    [([0.01, 0, 0, 0, 0, 0], 0, 1), ([0, 0.01, 0, 0, 0, 0], 1, -1), ([0, 0, 0.05, 0, 0, 0], 2, 1)],
)
def test_motions_are_named_as_they_are_seen(motion: list[float], place: int, sign: int) -> None:
    """To the right, down (y is up), nearer (z is negative)."""
    start = posed().pose
    end = moved(start, np.array(motion), CAMERA.focal)
    assert sign * (end.translation - start.translation)[place] > 0.1
    assert torch.allclose(torch.from_numpy(end.rotation), torch.eye(3))
