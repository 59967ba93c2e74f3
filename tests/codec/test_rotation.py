import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from codec.rotation import (
    interpolate_rotation,
    matrix_to_quaternion,
    matrix_to_rotation_vector,
    quaternion_to_matrix,
    quaternion_to_rotation_vector,
    rotation_vector_to_matrix,
    rotation_vector_to_quaternion,
)

axes = st.tuples(*[st.floats(-1, 1)] * 3).map(np.array).filter(lambda v: np.linalg.norm(v) > 0.1)
angles = st.one_of(
    st.floats(0, np.pi),
    st.sampled_from([0.0, 1e-12, 1e-7, 1e-4, np.pi / 2, np.pi - 1e-7, np.pi - 1e-12, np.pi]),
)


@given(axes, angles)
def test_matrices_equal_those_of_scipy(axis, angle):
    vector = axis / np.linalg.norm(axis) * angle
    np.testing.assert_allclose(rotation_vector_to_matrix(vector), Rotation.from_rotvec(vector).as_matrix(), atol=1e-14)


@given(axes, angles)
def test_rotation_vector_survives_the_way_through_a_matrix(axis, angle):
    vector = axis / np.linalg.norm(axis) * angle
    back = matrix_to_rotation_vector(rotation_vector_to_matrix(vector))
    # At pi, the vector and its negative are the same rotation.
    assert min(np.abs(back - vector).max(), np.abs(back + vector).max() + 2 * (np.pi - angle)) < 1e-7
    assert np.linalg.norm(back) <= np.pi + 1e-12


@given(axes, angles)
def test_quaternion_is_unit_and_has_positive_w(axis, angle):
    quaternion = rotation_vector_to_quaternion(axis / np.linalg.norm(axis) * angle)
    assert np.linalg.norm(quaternion) == pytest.approx(1, abs=1e-14)
    assert quaternion[0] >= 0


@pytest.mark.parametrize(
    ("matrix", "quaternion"),
    [
        (np.eye(3), [1, 0, 0, 0]),
        (np.diag([1, -1, -1]), [0, 1, 0, 0]),
        (np.diag([-1, 1, -1]), [0, 0, 1, 0]),
        (np.diag([-1, -1, 1]), [0, 0, 0, 1]),
        ([[0, -1, 0], [1, 0, 0], [0, 0, 1]], [np.sqrt(0.5), 0, 0, np.sqrt(0.5)]),
    ],
)
def test_each_pivot_gives_the_known_quaternion(matrix, quaternion):
    np.testing.assert_allclose(matrix_to_quaternion(matrix), quaternion, atol=1e-15)
    np.testing.assert_allclose(quaternion_to_matrix(quaternion), matrix, atol=1e-15)


def test_leading_dimensions_are_kept():
    vectors = np.random.default_rng(0).normal(size=(4, 5, 3))
    matrices = rotation_vector_to_matrix(vectors)
    assert matrices.shape == (4, 5, 3, 3)
    np.testing.assert_allclose(matrix_to_rotation_vector(matrices), quaternion_to_rotation_vector(
        rotation_vector_to_quaternion(vectors)
    ), atol=1e-12)  # fmt: skip


def test_a_float32_matrix_keeps_its_angle():
    vector = np.array([0.1, -0.2, 0.05])
    back = matrix_to_rotation_vector(rotation_vector_to_matrix(vector).astype(np.float32))
    np.testing.assert_allclose(back, vector, atol=2e-7)


@given(axes, axes, st.floats(0, 1))
def test_interpolation_equals_scipys_slerp(first, second, weight):
    ends = Rotation.from_rotvec([first, second])
    expected = Slerp([0, 1], ends)(weight).as_matrix()
    actual = interpolate_rotation(ends[0].as_matrix(), ends[1].as_matrix(), weight)
    np.testing.assert_allclose(actual, expected, atol=1e-9)
