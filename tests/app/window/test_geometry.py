"""Where the square frame lies, against what a box that fits has to satisfy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.window.geometry import LARGEST_SIDE, SIDE_STEP, SMALLEST_SIDE, Box, letterbox, render_side, square_of

length = st.floats(1, 10_000)


@given(length, length, length, length)
def test_the_box_has_the_shape_touches_two_edges_and_is_centred(width, height, view_width, view_height):
    box = letterbox(width, height, view_width, view_height)
    assert box.width / box.height == pytest.approx(width / height)
    assert min(view_width - box.width, view_height - box.height) == pytest.approx(0, abs=1e-6 * view_width)
    assert max(box.width - view_width, box.height - view_height) <= 1e-6 * max(view_width, view_height)
    assert box.x + box.width / 2 == pytest.approx(view_width / 2)
    assert box.y + box.height / 2 == pytest.approx(view_height / 2)


@pytest.mark.parametrize("view", [(0, 100), (100, 0), (0, 0)])
def test_a_view_without_area_has_an_empty_box(view):
    assert letterbox(1, 1, *view) == Box(view[0] / 2, view[1] / 2, 0, 0)


@given(length, length, st.floats(-1, 2), st.floats(-1, 2))
def test_the_square_of_a_picture_is_as_large_as_can_be_and_within_it(width, height, cx, cy):
    box = square_of(width, height, cx, cy)
    assert box.width == box.height == min(width, height)
    assert 0 <= box.x <= width - box.width
    assert 0 <= box.y <= height - box.height
    # Along the longer side the picture's middle lies where it is asked for, unless the square would leave the picture.
    if 1e-6 < box.x < width - box.width - 1e-6:
        assert (width / 2 - box.x) / box.width == pytest.approx(cx)


@given(st.floats(0, 8000), st.floats(0, 8000), st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0]))
def test_the_render_side_fills_the_view_within_its_bounds(width, height, ratio):
    side = render_side(width, height, ratio)
    assert SMALLEST_SIDE <= side <= LARGEST_SIDE
    assert side % SIDE_STEP == 0
    if SMALLEST_SIDE < side < LARGEST_SIDE:
        assert side <= min(width, height) * ratio < side + SIDE_STEP
