import numpy as np
import pytest

from codec.face_state import EXPRESSION_SIZE
from tests.app.tracking.tracking_synthetic import make_parameters, make_person, make_tables


@pytest.fixture(scope="module")
def person():
    return make_person(make_tables())


def test_jacobian_is_the_derivative_of_the_projection(person):
    parameters = make_parameters(np.random.default_rng(0), degrees=8.0)
    scale = person.face_scale(parameters)
    seen, jacobian = person.linearise(parameters)
    np.testing.assert_allclose(seen, person.project(parameters) / scale, atol=1e-12)
    h = 1e-5
    steps = h * np.eye(6 + EXPRESSION_SIZE)
    numeric = np.stack(
        [
            (person.project(parameters.stepped(step)) - person.project(parameters.stepped(-step))) / (2 * h * scale)
            for step in steps
        ],
        axis=-1,
    ).transpose(1, 0, 2)
    np.testing.assert_allclose(jacobian[:, :, 3:], numeric[:, :, 3:], atol=1e-7)
    # The slide of the outline is derived as if the head were upright: exact only there, small everywhere.
    still = person.slide.any(axis=(1, 2)) == 0
    np.testing.assert_allclose(jacobian[:, still, :3], numeric[:, still, :3], atol=1e-6)
    assert np.abs(jacobian[:, ~still, :3] - numeric[:, ~still, :3]).max() < 0.15


def test_head_pose_and_parameters_are_inverse(person):
    parameters = make_parameters(np.random.default_rng(1))
    back = person.parameters(person.head_pose(parameters), parameters.expression)
    np.testing.assert_allclose(back.rotation, parameters.rotation, atol=1e-6)
    np.testing.assert_allclose(back.centre, parameters.centre, atol=1e-4)


def test_the_subjects_left_is_seen_at_the_right_of_the_picture(person):
    from app.tracking.landmarker import LEFT_EYE_CORNER, RIGHT_EYE_CORNER
    from app.tracking.person import Parameters, denormalise, normalise

    frontal = Parameters(np.eye(3), np.array([0.0, 0.0, -60.0]), np.zeros(EXPRESSION_SIZE))
    points = denormalise(person.project(frontal), 640, 480)
    assert points[LEFT_EYE_CORNER, 0] > 320 > points[RIGHT_EYE_CORNER, 0]
    assert points[LEFT_EYE_CORNER, 1] < 240
    np.testing.assert_allclose(normalise(points, 640, 480), person.project(frontal), atol=1e-12)
