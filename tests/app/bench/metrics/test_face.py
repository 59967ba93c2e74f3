"""Pose, landmark and action unit metrics: analytic cases, and a painted head whose pose is known."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mediapipe.tasks.python.vision.face_landmarker import Blendshapes
from scipy.spatial.transform import Rotation

from app.bench.metrics.action_units import ACTION_UNITS, BLENDSHAPES, ActionUnits, intensities
from app.bench.metrics.face import landmark_distance, prmse
from app.bench.metrics.tracked_face import euler_angles
from app.tracking.landmarker import LEFT_EYE_CORNER, RIGHT_EYE_CORNER

SCORES = arrays(np.float64, (12, 52), elements=st.floats(0, 1, width=16))


@given(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179))
def test_angles_are_those_of_scipy(yaw, pitch, roll):
    # scipy's capital letters turn about the moved axes, which is the order of the product of matrices.
    rotation = Rotation.from_euler("YXZ", [yaw, pitch, roll], degrees=True).as_matrix()
    assert euler_angles(rotation) == pytest.approx([yaw, pitch, roll], abs=1e-6)


def test_a_head_that_turns_to_the_pictures_right_has_positive_yaw():
    rotation = Rotation.from_euler("y", 30, degrees=True).as_matrix()
    assert (rotation @ [0, 0, 1])[0] > 0
    assert euler_angles(rotation) == pytest.approx([30, 0, 0], abs=1e-9)
    assert (Rotation.from_euler("x", 20, degrees=True).as_matrix() @ [0, 0, 1])[1] < 0


def test_pose_error_by_hand():
    reference = np.array([[0.0, 0.0, 0.0], [10.0, 0.0, 179.0]])
    decoded = np.array([[3.0, 0.0, 0.0], [10.0, -3.0, -179.0]])
    # 3, 3 and, the short way round, 2 degrees among six angles.
    assert prmse(reference, decoded) == pytest.approx(np.sqrt((9 + 9 + 4) / 6))
    assert np.isnan(prmse(np.empty((0, 3)), np.empty((0, 3))))


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.1, 10))
def test_landmark_distance_of_a_shift_is_its_length_over_the_eyes_distance_at_any_size(x, y, scale):
    reference = np.random.default_rng(1).uniform(0, 256, (3, 478, 2))
    reference[:, RIGHT_EYE_CORNER], reference[:, LEFT_EYE_CORNER] = (80, 100), (140, 180)
    found = landmark_distance(scale * reference, scale * (reference + np.array([x, y])))
    assert found == pytest.approx(np.hypot(x, y), abs=1e-6), "the eyes lie 100 pixels apart"


def test_landmark_distance_takes_each_frames_own_eyes():
    reference = np.zeros((2, 478, 2))
    reference[0, LEFT_EYE_CORNER] = (50, 0)
    reference[1, LEFT_EYE_CORNER] = (0, 200)
    assert landmark_distance(reference, reference + np.array([1.0, 0.0])) == pytest.approx((2.0 + 0.5) / 2)
    assert np.isnan(landmark_distance(reference[:0], reference[:0]))


def test_the_scores_have_the_landmarkers_names_in_its_order():
    camel = [re.sub("_(.)", lambda match: match[1].upper(), shape.name.lower()) for shape in Blendshapes]
    assert ["_neutral", *camel[1:]] == list(BLENDSHAPES)
    used = [name for names in ACTION_UNITS.values() for name in names]
    assert len(used) == len(set(used))
    assert set(used) <= set(BLENDSHAPES)


def talking(frames=40):
    """Scores of a face whose jaw opens half of the time, and whose blinks are rare."""
    scores = np.zeros((frames, 52))
    scores[::2, BLENDSHAPES.index("jawOpen")] = 0.3
    for side in ("Left", "Right"):
        scores[::10, BLENDSHAPES.index(f"eyeBlink{side}")] = 0.8
        scores[:, BLENDSHAPES.index(f"mouthSmile{side}")] = 0.9
    return scores


def test_units_that_move_are_compared_and_a_still_face_agrees_where_it_happens_to():
    scores = talking()
    units = ActionUnits(scores)
    assert units.moving == (26, 45)
    assert units.agreement(scores, scores) == 1.0
    shut = np.tile(scores[1], (len(scores), 1))
    # Alike in half of the frames for the jaw, in nine of ten for the eyes.
    assert units.agreement(scores, shut) == pytest.approx((0.5 + 0.9) / 2)
    assert units.still == pytest.approx((0.5 + 0.9) / 2)
    blink_missed = scores.copy()
    blink_missed[0, BLENDSHAPES.index("eyeBlinkLeft")] = 0.0
    blink_missed[0, BLENDSHAPES.index("eyeBlinkRight")] = 0.0
    assert units.agreement(scores, blink_missed) == pytest.approx(1 - 1 / (2 * len(scores)))


def test_intensities_are_the_means_of_both_sides():
    scores = np.zeros((1, 52))
    scores[0, BLENDSHAPES.index("browDownLeft")] = 0.4
    scores[0, BLENDSHAPES.index("jawOpen")] = 0.7
    found = dict(zip(ACTION_UNITS, intensities(scores)[0], strict=True))
    assert found[4] == pytest.approx(0.2)
    assert found[26] == pytest.approx(0.7)
    assert sum(found.values()) == pytest.approx(0.9)


@given(SCORES, SCORES, st.integers(0, 11))
def test_agreement_is_a_share_and_no_unmoving_face_beats_the_bound(reference, decoded, index):
    units = ActionUnits(reference)
    if not units.moving:
        assert np.isnan(units.still)
        assert np.isnan(units.agreement(reference, decoded))
        return
    assert units.agreement(reference, reference) == 1.0
    assert 0.0 <= units.agreement(reference, decoded) <= 1.0
    still = np.tile(decoded[index], (len(reference), 1))
    assert units.agreement(reference, still) <= units.still + 1e-12


def test_footage_without_a_face_has_no_units():
    units = ActionUnits(np.empty((0, 52)))
    assert units.moving == ()
    assert np.isnan(units.still)
