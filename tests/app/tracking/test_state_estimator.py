"""A face is tracked, lost and found again, from landmarks alone."""

import numpy as np
import pytest

from app.tracking.estimator import StateEstimator
from app.tracking.landmarker import Landmarks
from app.tracking.person import denormalise
from tests.app.tracking.tracking_synthetic import make_parameters, make_person, make_tables

SIZE = 640, 480
FRAME = 1 / 25


@pytest.fixture(scope="module")
def person():
    return make_person(make_tables())


def sighting(person, parameters, rng=None):
    points = person.project(parameters)
    if rng is not None:
        points = points + rng.normal(0.0, 0.03, points.shape) * person.face_scale(parameters)
    return Landmarks(
        denormalise(points, *SIZE).astype(np.float32), np.zeros(52, np.float32), np.eye(4, dtype=np.float32)
    )


def test_states_carry_the_pose_of_the_head_spaces_origin(person):
    truth = make_parameters(np.random.default_rng(0))
    estimator = StateEstimator(person, *SIZE)
    state = estimator.update(sighting(person, truth), 1.0)
    assert state.present
    assert state.timestamp == 1.0
    # A landmark carried by the pose is seen where it was seen.
    head = person.head_points(state.expression.astype(float))
    camera = head @ state.pose.rotation.T.astype(float) + state.pose.translation
    seen = person.focal * camera[:, :2] / -camera[:, 2:]
    still = person.slide.any(axis=(1, 2)) == 0
    np.testing.assert_allclose(seen[still], person.project(truth)[still], atol=3e-3)
    assert np.median(np.abs(seen[still] - person.project(truth)[still])) < 5e-4


def test_a_lost_face_is_held_and_marked_and_comes_back_by_itself(person):
    rng = np.random.default_rng(1)
    first, second = make_parameters(rng), make_parameters(rng)
    estimator = StateEstimator(person, *SIZE)
    for index in range(10):
        state = estimator.update(sighting(person, first, rng), index * FRAME)
    for index in range(10, 20):
        lost = estimator.update(None, index * FRAME)
        assert not lost.present
        assert lost.timestamp == pytest.approx(index * FRAME)
        np.testing.assert_array_equal(lost.expression, state.expression)
        np.testing.assert_array_equal(lost.pose.translation, state.pose.translation)
    # It comes back elsewhere: the first state is the new one, not on the way from the old one.
    back = estimator.update(sighting(person, second, rng), 20 * FRAME)
    assert back.present
    truth = person.head_pose(second)
    np.testing.assert_allclose(back.pose.rotation, truth.rotation, atol=0.03)
    np.testing.assert_allclose(back.pose.translation, truth.translation, atol=0.5)


def test_a_face_that_jumps_within_one_frame_is_followed(person):
    estimator = StateEstimator(person, *SIZE)
    rng = np.random.default_rng(2)
    near = make_parameters(rng)
    estimator.update(sighting(person, near), 0.0)
    far = near.stepped(np.append([0.3, -0.6, 0.2], np.append([9.0, -6.0, -20.0], np.zeros(79))))
    assert estimator.update(sighting(person, far), FRAME).present
    state = estimator.update(sighting(person, far), 2 * FRAME)
    np.testing.assert_allclose(state.pose.rotation, far.rotation, atol=0.05)


@pytest.mark.parametrize("kind", ["noise", "outside", "nan"])
def test_what_is_no_face_is_reported_as_none(person, kind):
    rng = np.random.default_rng(3)
    good = sighting(person, make_parameters(rng))
    points = {
        "noise": rng.uniform((0, 0), SIZE, (478, 2)),
        "outside": good.points + np.array([SIZE[0] * 0.6, 0.0]),
        "nan": np.full((478, 2), np.nan),
    }[kind].astype(np.float32)
    estimator = StateEstimator(person, *SIZE)
    assert estimator.update(good, 0.0).present
    state = estimator.update(Landmarks(points, good.blendshapes, good.transform), FRAME)
    assert not state.present
    assert np.isfinite(state.expression).all()
    assert estimator.update(good, 2 * FRAME).present


def test_before_any_face_the_state_is_at_rest_and_absent(person):
    state = StateEstimator(person, *SIZE).update(None, 3.0)
    assert not state.present
    np.testing.assert_array_equal(state.expression, np.zeros(79))
    assert state.pose.translation[2] < 0
