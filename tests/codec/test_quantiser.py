import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.errors import CodecError, FaceStateError
from codec.face_state import FaceState, HeadPose, torso_limits
from codec.parameters import (
    POSE_SIZE,
    ParameterLayout,
    pose_from_parameters,
    pose_parameters,
    state_from_parameters,
    state_parameters,
    torso_parameters,
)
from codec.quantiser import STEP_SCALE, Quantiser, step_units
from tests.codec.faces import pose_at

LAYOUT = ParameterLayout(6, 4)
TORSO_LIMITS = torso_limits(6)
QUANTISER = Quantiser(
    LAYOUT, np.array([1830] * 3 + [683] * 2 + [4096] + [1024] * 2 + [4096] * 4 + [104858] * 4, np.int64)
)


def test_parameters_of_a_known_pose():
    parameters = pose_parameters(pose_at((0, 90, 0), (6, -3, -60)))
    np.testing.assert_allclose(parameters, [0, np.pi / 2, 0, 0.1, -0.05, np.log(60)], atol=1e-6)


@given(
    st.tuples(*[st.floats(-1.7, 1.7)] * 3),
    st.tuples(st.floats(-100, 100), st.floats(-100, 100), st.floats(-2000, -1.5)),
)
def test_a_pose_survives_its_parameters(rotation, translation):
    pose = pose_at(np.degrees(rotation), translation)
    back = pose_from_parameters(pose_parameters(pose))
    np.testing.assert_allclose(back.rotation, pose.rotation, atol=1e-6)
    np.testing.assert_allclose(back.translation, pose.translation, rtol=1e-6, atol=1e-5)


@given(st.lists(st.floats(-3, 3), min_size=16, max_size=16))
def test_the_error_is_at_most_half_a_step(values):
    parameters = np.array(values)
    parameters[5] = abs(parameters[5])
    parameters[8:12] /= 8
    parameters[6:12] = np.clip(parameters[6:12], -1.99, 1.99)
    error = QUANTISER.dequantise(QUANTISER.quantise(parameters)) - parameters
    assert (np.abs(error) <= 0.5 * QUANTISER.steps / STEP_SCALE + 1e-12).all()


@given(st.integers(0, 2**32 - 1))
def test_symbols_survive_the_way_through_a_state(seed):
    rng = np.random.default_rng(seed)
    low, high = QUANTISER.lowest.copy(), QUANTISER.highest.copy()
    low[:3], high[:3] = -800, 800  # Rotation vectors up to pi are unique.
    high[5] = 2400
    symbols = rng.integers(low, high + 1)
    state = state_from_parameters(QUANTISER.dequantise(symbols), LAYOUT, 0.0, True)
    np.testing.assert_array_equal(QUANTISER.quantise(state_parameters(state, LAYOUT)), symbols)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=22, max_size=22))
def test_any_finite_state_is_clamped_into_range(values):
    numbers = np.array(values, np.float32)
    state = FaceState(numbers[:4], HeadPose(numbers[4:13].reshape(3, 3), numbers[13:16]), 0.0, torso=numbers[16:])
    symbols = QUANTISER.quantise(state_parameters(state, LAYOUT))
    assert (symbols >= QUANTISER.lowest).all()
    assert (symbols <= QUANTISER.highest).all()
    pose = pose_from_parameters(QUANTISER.dequantise(symbols)[:POSE_SIZE])
    assert np.isfinite(pose.translation).all()
    np.testing.assert_allclose(pose.rotation @ pose.rotation.T, np.eye(3), atol=1e-5)
    torso = QUANTISER.dequantise(symbols)[LAYOUT.torso]
    assert (np.abs(torso) <= TORSO_LIMITS).all()
    assert np.linalg.det(np.eye(2) + torso[2:].reshape(2, 2)) >= 0.2 - 1e-9


@pytest.mark.parametrize("signs", list(itertools.product([-1, 1], repeat=6)))
def test_a_torso_at_its_limits_can_be_mapped_back(signs):
    torso = np.array(signs, np.float32) * 1e9
    state = FaceState(np.zeros(4, np.float32), pose_at(), 0.0, torso=torso)
    parameters = QUANTISER.dequantise(QUANTISER.quantise(state_parameters(state, LAYOUT)))
    received = state_from_parameters(parameters, LAYOUT, 0.0, True).torso
    np.testing.assert_allclose(received, np.array(signs) * TORSO_LIMITS, atol=4096 / STEP_SCALE)
    assert np.linalg.det(np.eye(2) + received[2:].reshape(2, 2)) >= 0.2 - 1e-6


def test_a_head_behind_the_camera_is_brought_before_it():
    assert pose_parameters(pose_at(translation=(1, 2, 5)))[5] == 0


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", ["expression", "torso", "rotation", "translation"])
def test_a_number_not_finite_is_refused(number, place):
    pose = pose_at()
    state = FaceState(np.zeros(4, np.float32), pose, 0.0)
    array = getattr(pose if place in ("rotation", "translation") else state, place)
    array.flat[1] = number
    with pytest.raises(FaceStateError, match="finite"):
        state_parameters(state, LAYOUT)


def test_a_wrong_size_is_refused():
    with pytest.raises(FaceStateError, match="embed it"):
        state_parameters(FaceState(np.zeros(79, np.float32), pose_at(), 0.0), ParameterLayout(6, 30))
    with pytest.raises(FaceStateError, match="shapes"):
        pose_parameters(HeadPose(np.eye(4, dtype=np.float32), np.zeros(3, np.float32)))
    for shape in [(1,), (7,), (2, 3), ()]:
        with pytest.raises(FaceStateError, match=r"torso has shape .* where \(6,\) is coded"):
            torso_parameters(np.zeros(shape, np.float32), 6)


def test_a_torso_of_fewer_modes_has_none_of_the_rest():
    known = np.array([0.1, -0.2, 0.3])
    np.testing.assert_array_equal(torso_parameters(known, 5), [0.1, -0.2, 0.3, 0.0, 0.0])


@pytest.mark.parametrize("sizes", [(1, 30), (19, 30), (6, 0), (6, 129)])
def test_a_layout_that_no_avatar_has_is_refused(sizes):
    with pytest.raises(CodecError, match="not"):
        ParameterLayout(*sizes)


@given(st.integers(2, 18), st.integers(1, 128))
def test_groups_follow_each_other(torso, expression):
    layout = ParameterLayout(torso, expression)
    numbers = np.arange(layout.size)
    pose, motion, face = (numbers[group] for group in layout.groups)
    assert (len(pose), len(motion), len(face)) == (POSE_SIZE, torso, expression)
    np.testing.assert_array_equal(np.concatenate([pose, motion, face]), numbers)


@pytest.mark.parametrize("steps", [[100] * 13, [100] * 15, [0] * 14, [100] * 13 + [1 << 40]])
def test_wrong_steps_are_refused(steps):
    with pytest.raises(CodecError):
        Quantiser(ParameterLayout(6, 2), np.array(steps, np.int64))


def test_step_units():
    assert step_units(0.5) == 1 << 19
