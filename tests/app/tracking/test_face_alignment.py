"""Analysis by synthesis: a rendered face is brought to where it is seen, and to look as it does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tracking.face_alignment import POSE_LIMITS, SIDE, FaceAligner, RenderedHead, most_likely_step
from app.tracking.head_motion import moved
from codec.face_state import FaceState
from tests.app.tracking.patterned_head import CAMERA, FOCAL, apart, expression_range, picture, posed, render

MOTIONS = st.tuples(*(st.floats(-limit, limit) for limit in (0.006, 0.006, 0.02, 0.02, 0.03, 0.03))).map(np.array)


def aligner_of(draw=render, **given) -> FaceAligner:
    return FaceAligner(draw, expression_range(), CAMERA, FOCAL, **given)


def mistaken(state: FaceState, motion: np.ndarray) -> FaceState:
    return replace(state, pose=moved(state.pose, motion, CAMERA.focal))


def seen(state: FaceState) -> np.ndarray:
    return picture(state, 256)


@settings(max_examples=15, deadline=None)
@given(MOTIONS, st.floats(-0.25, 0.25), st.floats(0.8, 1.05))
def test_a_wrong_pose_is_put_right_in_a_few_pictures(motion: np.ndarray, yaw: float, gain: float) -> None:
    true = posed((0.05, yaw, 0.02), (0.5, -1.0, -58.0))
    image = np.clip(gain * seen(true), 0, 255).astype(np.uint8)
    wrong, aligner = mistaken(true, motion), aligner_of()
    for _ in range(8):
        found = aligner.align(image, wrong)
    turn, place = apart(found.pose, true.pose)
    # Unusual turns are believed in part.
    assert turn < 0.3 + 0.6 * apart(wrong.pose, true.pose)[0]
    # A third of a pixel of 96 at that distance is 0.1 cm.
    assert place < 0.1
    assert abs(found.pose.translation[2] / true.pose.translation[2] - 1.0) < 0.006


@settings(max_examples=10, deadline=None)
@given(st.floats(-0.8, 0.8), st.floats(-0.8, 0.8), st.floats(-0.2, 0.2))
def test_a_wrong_expression_is_put_right_in_a_few_pictures(mouth: float, brow: float, yaw: float) -> None:
    true = posed((0.0, yaw, 0.0), (0.0, 0.0, -60.0), (mouth, brow))
    wrong, aligner = replace(true, expression=np.zeros(2, np.float32)), aligner_of()
    for _ in range(8):
        found = aligner.align(seen(true), wrong)
    # What is unusual is believed in part.
    assert np.abs(found.expression - true.expression).max() < 0.1 + 0.35 * max(abs(mouth), abs(brow))
    assert apart(found.pose, true.pose) < (0.5, 0.1)


def test_expressions_stay_where_they_may_be() -> None:
    true = posed(expression=(3.8, 0.0))
    aligner = aligner_of()
    for _ in range(8):
        found = aligner.align(seen(true), replace(true, expression=np.array([2.9, 0.0], np.float32)))
    assert found.expression[0] == 3.0


def test_a_face_that_is_right_stays() -> None:
    true, aligner = posed((0.1, -0.1, 0.0), expression=(0.3, -0.2)), aligner_of()
    for _ in range(5):
        found = aligner.align(seen(true), true)
    assert apart(found.pose, true.pose) < (0.3, 0.03)
    assert np.abs(found.expression - true.expression).max() < 0.08


def test_of_motions_that_look_alike_the_usual_one_is_found() -> None:
    drawn = np.random.default_rng(0)
    # The second does what the first does; what the third does is not seen.
    shown = drawn.normal(size=(400, 1)).astype(np.float32)
    gradients = np.concatenate([shown, shown, np.zeros_like(shown), np.ones_like(shown)], axis=1)
    residuals = (0.1 * shown[:, 0] + 0.02).astype(np.float32)
    usual = np.array([1.0, 0.1, 2.0])
    found = most_likely_step(gradients, residuals, np.ones(400, np.float32), np.diag(usual**-2))
    assert found is not None
    step, covariance = found
    assert step[0] + step[1] == pytest.approx(0.1, abs=0.01)
    # In proportion to how usual they are, which is in squares.
    assert step[1] / step[0] == pytest.approx(0.01, abs=0.005)
    assert step[2] == pytest.approx(0.0, abs=1e-6)
    assert covariance[2, 2] == pytest.approx(4.0, rel=1e-3)
    assert covariance[0, 0] < 0.05


@pytest.mark.parametrize(("seconds", "compared"), [(0.005, 12), (0.012, 6), (0.025, 3)])
def test_comparing_takes_no_more_time_than_it_has(
    monkeypatch: pytest.MonkeyPatch, seconds: float, compared: int
) -> None:
    true, now, rendered = posed(), [0.0], []

    def rendering(state: FaceState) -> RenderedHead:
        now[0] += seconds
        rendered.append(state)
        return render(state)

    monkeypatch.setattr("app.tracking.face_alignment.time.perf_counter", lambda: now[0])
    aligner = aligner_of(rendering, budget=0.008)
    rendered.clear()
    wrong = mistaken(true, np.array([0.006, 0.0, 0.0, 0.0, 0.0, 0.0]))
    for _ in range(12):
        found = aligner.align(seen(true), wrong)
        assert apart(found.pose, wrong.pose)[1] > 0.05, "what is not compared is corrected all the same"
    assert len(rendered) == compared


def test_what_is_not_the_person_moves_nothing_far() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    aligner, state = aligner_of(), posed()
    for _ in range(30):
        found = aligner.align(noise, state)
    x, y, z = found.pose.translation / state.pose.translation[2]
    assert abs(x) < POSE_LIMITS[0] + POSE_LIMITS[2]
    assert abs(y) < POSE_LIMITS[1] + POSE_LIMITS[2]
    assert abs(z - 1.0) < POSE_LIMITS[2] + 0.01
    assert np.isfinite(found.pose.rotation).all()
    assert np.abs(found.expression).max() <= 1.2 + 1e-6


def test_a_correction_is_forgotten_while_nobody_is_there() -> None:
    true = posed()
    wrong, aligner = mistaken(true, np.array([0.006, 0.0, 0.0, 0.0, 0.0, 0.0])), aligner_of()
    for _ in range(8):
        aligner.align(seen(true), wrong)
    away = replace(wrong, present=False)
    for _ in range(150):
        assert aligner.align(seen(true), away) is away
    blank = np.zeros((256, 256, 3), np.uint8)
    assert apart(aligner.align(blank, wrong).pose, wrong.pose)[1] < 0.02


def test_a_picture_that_is_not_looked_at_is_corrected_as_those_before_it() -> None:
    true = posed()
    wrong, aligner = mistaken(true, np.array([0.006, 0.0, 0.0, 0.0, 0.0, 0.0])), aligner_of()
    for _ in range(8):
        found = aligner.align(seen(true), wrong)
    after = aligner.go_on(wrong)
    assert apart(after.pose, found.pose)[1] < 0.05 * apart(wrong.pose, found.pose)[1]
    for _ in range(150):
        after = aligner.go_on(wrong)
    assert apart(after.pose, wrong.pose)[1] < 0.02
    away = replace(wrong, present=False)
    assert aligner.go_on(away) is away


def test_without_a_rendering_the_landmarks_have_the_last_word() -> None:
    state = posed((0.1, 0.2, 0.3))
    found = aligner_of(lambda state: None).align(seen(posed()), state)
    assert apart(found.pose, state.pose) < (1e-3, 1e-4)


def test_it_begins_as_soon_as_the_face_can_be_rendered() -> None:
    ready: list[bool] = []
    true = posed()
    wrong = mistaken(true, np.array([0.006, 0.0, 0.0, 0.0, 0.0, 0.0]))
    aligner = aligner_of(lambda state: render(state) if ready else None)
    assert apart(aligner.align(seen(true), wrong).pose, wrong.pose) < (1e-3, 1e-4)
    ready.append(True)
    for _ in range(4):
        found = aligner.align(seen(true), wrong)
    assert apart(found.pose, true.pose)[1] < 0.1


def test_a_head_out_of_the_frame_is_left_where_it_is() -> None:
    state = posed(place=(300.0, 0.0, -60.0))
    found = aligner_of().align(seen(posed()), state)
    assert apart(found.pose, state.pose) < (1e-3, 1e-3)


def test_pictures_are_as_large_as_promised() -> None:
    assert render(posed()).picture.shape == (SIDE, SIDE, 3)
