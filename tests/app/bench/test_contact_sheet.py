"""Contact sheets, of a portrait that shows what it is asked for as colours."""

import numpy as np
import pytest

from app.bench.contact_sheet import (
    BEYOND,
    COLUMNS,
    EXAGGERATION,
    GAP,
    SIZE,
    SheetError,
    apart,
    contact_sheet,
    sheet_path,
    turned,
    write_sheet,
)
from app.bench.metrics.tracked_face import euler_angles
from codec.face_state import FaceState, HeadPose
from codec.rotation import rotation_vector_to_matrix

YAW, PITCH = 12.0, 8.0


class ColourPortrait:
    """Red tells yaw, green pitch, blue the first coefficient."""

    def __init__(self):
        self.asked = []

    expression_bounds = np.full(30, -1.2, np.float32), np.full(30, 1.2, np.float32)

    def render(self, state, width, height):
        self.asked.append(state)
        return np.full((height, width, 3), len(self.asked), np.uint8)


def nodding(count=400):
    """Heads of which yaw and pitch fill their ranges evenly, and whose expressions are on a line."""
    generator = np.random.default_rng(1)
    states = []
    for index in range(count):
        yaw, pitch = generator.uniform(-1, 1, 2) * (YAW, PITCH)
        rotation = rotation_vector_to_matrix([0, np.deg2rad(yaw), 0]) @ rotation_vector_to_matrix(
            [np.deg2rad(pitch), 0, 0]
        )
        expression = np.zeros(30, np.float32)
        expression[0] = index / count
        pose = HeadPose(rotation.astype(np.float32), np.array([0, 0, -60], np.float32))
        states.append(FaceState(expression, pose, index / 25))
    return states


@pytest.fixture(scope="module")
def asked():
    portrait = ColourPortrait()
    sheet = contact_sheet(portrait, nodding())
    assert sheet.shape == (4 * SIZE + 3 * GAP, COLUMNS * SIZE + (COLUMNS - 1) * GAP, 3)
    corners = sheet[:: SIZE + GAP, :: SIZE + GAP, 0]
    assert np.array_equal(corners, np.arange(1, 4 * COLUMNS + 1).reshape(4, COLUMNS))
    return np.array(portrait.asked).reshape(4, COLUMNS)


def test_heads_turn_by_twenty_degrees_beyond_the_training_range(asked):
    yaws = [euler_angles(state.pose.rotation)[0] for state in asked[0]]
    pitches = [euler_angles(state.pose.rotation)[1] for state in asked[1]]
    for angles, reach in ((yaws, YAW), (pitches, PITCH)):
        wanted = [-reach - BEYOND, -reach - BEYOND / 2, -reach, 0, reach, reach + BEYOND / 2, reach + BEYOND]
        assert np.allclose(angles, wanted, atol=1.0)


def test_only_the_turned_angle_changes_in_the_first_row(asked):
    others = np.array([euler_angles(state.pose.rotation)[1:] for state in asked[0]])
    assert np.ptp(others, axis=0).max() < 1.5
    assert all(np.array_equal(state.expression, asked[0, 0].expression) for state in asked[0])


def test_expressions_are_exaggerated_as_far_as_they_may_be(asked):
    for real, exaggerated in zip(asked[2], asked[3], strict=True):
        assert np.allclose(exaggerated.expression, np.minimum(EXAGGERATION * real.expression, 1.2))
        assert real.expression.shape == (30,)
        assert exaggerated.pose is real.pose
    shown = sorted(float(state.expression[0]) for state in asked[2])
    assert shown[0] < 0.01
    assert shown[-1] > 0.99
    assert np.diff(shown).max() < 0.3


def test_the_furthest_point_from_all_before_is_next():
    points = np.array([[0.0, 0], [10, 0], [0, 1], [-9, 0], [0, -8]])
    assert apart(points, 4) == [1, 3, 4, 2]


def test_a_turn_and_its_opposite_cancel():
    state = nodding(1)[0]
    for axis in (0, 1):
        back = turned(turned(state, axis, 17.0), axis, -17.0)
        assert np.allclose(back.pose.rotation, state.pose.rotation, atol=1e-6)
        assert not np.allclose(turned(state, axis, 17.0).pose.rotation, state.pose.rotation, atol=1e-2)


def test_too_few_frames_and_a_folder_that_is_none_are_told(tmp_path):
    with pytest.raises(SheetError, match="3 frames"):
        contact_sheet(ColourPortrait(), nodding(3))
    (tmp_path / "views").write_text("")
    with pytest.raises(SheetError, match="cannot be written"):
        write_sheet(sheet_path(tmp_path, "me"), np.zeros((8, 8, 3), np.uint8))
