"""The globe that shows the head's pose, against the geometry of a sphere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtGui import QColor
from scipy.spatial.transform import Rotation

from app.window import theme
from app.window.signal_view import TORSO_SCALE, SignalView, globe_lines, shoulder_curves
from codec.face_state import FaceState, HeadPose


@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_the_globe_stays_in_its_circle_and_half_of_it_faces_the_camera(vector):
    lines = globe_lines(Rotation.from_rotvec(vector).as_matrix().astype(np.float32))
    points = np.concatenate([line for line, _ in lines])
    assert np.linalg.norm(points, axis=1).max() <= 1 + 1e-6
    near = sum(len(line) for line, towards in lines if towards)
    assert 0.3 < near / len(points) < 0.7


def test_a_head_turned_to_the_right_of_the_picture_carries_its_equator_there():
    rotation = Rotation.from_euler("y", 30, degrees=True).as_matrix()
    nose = rotation @ [0, 0, 1]
    assert nose[0] == pytest.approx(0.5)
    near = [line for line, towards in globe_lines(rotation.astype(np.float32)) if towards]
    assert min(np.linalg.norm(line - [0.5, 0.0], axis=1).min() for line in near) < 0.05


def shoulders_row(displacement):
    """Return the points drawn in a row just above where the arms of an unmoved torso end."""
    view = SignalView()
    view.resize(480, 480)
    torso = np.array([displacement, 0, 0, 0, 0, 0], np.float32)
    view.show_state(FaceState(np.zeros(30, np.float32), HeadPose.at_rest(), 0.0, torso=torso))
    image = view.grab().toImage()
    return [x for x in range(480) if QColor(image.pixel(x, 274)).green() > 90]


def test_shoulders_move_as_the_torso_does():
    still = shoulder_curves(np.zeros(6, np.float32))
    left, right = still
    np.testing.assert_allclose(left, right * [-1, 1])
    assert (np.diff(right[[0, 3, 6]], axis=0) > 0).all()
    # To the right and up; in which way it deforms is its avatar's matter.
    moved = shoulder_curves(np.array([0.1, -0.05, 0.2, 0, 0.1, 0], np.float32))
    np.testing.assert_allclose(moved - still, np.broadcast_to([0.1, -0.05], still.shape), atol=1e-7)


@pytest.mark.parametrize("displacement", [0.0, -0.04, 0.04])
def test_arms_are_drawn_where_the_torso_is(application, displacement):
    # The arms end 0.315 sides of the frame from the centre.
    row = shoulders_row(displacement)
    for arm in (356 + (displacement - 0.315) * TORSO_SCALE, 356 + (displacement + 0.315) * TORSO_SCALE):
        assert any(abs(x - arm) < 4 for x in row)


def test_a_torso_out_of_the_picture_is_not_drawn_over_the_rest(application):
    assert shoulders_row(-0.8) == shoulders_row(2.0) == []


def test_bars_reach_as_far_as_their_coefficients(application):
    view = SignalView()
    view.resize(480, 480)
    expression = np.zeros(30, np.float32)
    expression[0], expression[29] = 3.0, -3.0
    view.show_state(FaceState(expression, HeadPose.at_rest(), 0.0))
    image = view.grab().toImage()

    def is_bar(x, y):
        return QColor(image.pixel(x, y)).green() > 150

    assert image.width() == 480
    first, last = 37, 443
    assert is_bar(first, 330)
    assert not is_bar(first, 420)
    assert is_bar(last, 426)
    assert not is_bar(last, 340)
    assert QColor(image.pixel(first, 400)) != theme.PAYLOAD
