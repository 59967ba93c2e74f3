"""The square that an avatar shows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.enrolment.framing import Framing


def centres(x: float, y: float) -> np.ndarray:
    return np.full((9, 2), (x, y), np.float32)


@given(st.integers(16, 2000), st.integers(16, 2000), st.floats(-100, 2100), st.floats(-100, 2100))
def test_the_square_lies_in_the_picture_and_is_as_large_as_can_be(width: int, height: int, x: float, y: float) -> None:
    framing = Framing.around(centres(x, y), width, height)
    assert framing.side == min(width, height)
    assert 0 <= framing.left <= width - framing.side
    assert 0 <= framing.top <= height - framing.side


def test_the_face_is_in_the_middle_where_there_is_room() -> None:
    assert Framing.around(centres(500, 200), 1280, 720).left == 500 - 360
    assert Framing.around(centres(60, 200), 1280, 720).left == 0


def test_a_point_falls_on_the_same_place_of_the_cut_square() -> None:
    framing = Framing(640, 480, left=100, top=0, side=480)
    focal, cx, cy = framing.camera(1.5)
    point = np.array([3.0, -4.0, -50.0])
    u = 640 / 2 + 1.5 * 480 * point[0] / -point[2]
    v = 480 / 2 - 1.5 * 480 * point[1] / -point[2]
    assert cx + focal * point[0] / -point[2] == pytest.approx((u - 100) / 480)
    assert cy - focal * point[1] / -point[2] == pytest.approx(v / 480)


@pytest.mark.parametrize("size", [64, 480, 700])
def test_the_cut_is_what_the_square_shows(size: int) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[:, 100:340] = 200
    cut = Framing(640, 480, left=100, top=0, side=480).cut(image, size)
    assert cut.shape == (size, size, 3)
    assert cut[:, : size // 2 - 3].min() > 195
    assert cut[:, size // 2 + 3 :].max() < 5


def test_an_avatar_remembers_its_square() -> None:
    framing = Framing(640, 480, left=100, top=0, side=480)
    assert Framing.of(framing.numbers()) == framing


@pytest.mark.parametrize("numbers", [[640, 480, 300, 0, 480], [640, 480, 0, 0, 0], [640, 480, 0, -1, 10], [1, 2]])
def test_numbers_that_are_no_square_are_refused(numbers: list[int]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Framing.of(numbers)
