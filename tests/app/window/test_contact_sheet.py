"""Moments are spread over the call, and each stands in its cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtGui import QColor

from app.window import theme
from app.window.contact_sheet import CELL, Moment, MomentKeeper, paint_contact_sheet


@given(st.floats(1.0, 600.0), st.integers(1, 30))
def test_moments_are_spread_evenly_over_a_call_of_any_length(length, fps):
    keeper = MomentKeeper(12)
    picture = np.zeros((1, 1, 3), np.uint8)
    for index in range(int(length * fps) + 1):
        keeper.offer(picture, index / fps)
        assert len(keeper._moments) <= 48
    times = [moment.seconds for moment in keeper.choose(12)]
    assert times[0] == 0.0
    assert times == sorted(set(times))
    if length >= 12 and fps >= 8:
        assert len(times) == 12
        assert times[-1] >= 0.7 * int(length * fps) / fps
        gaps = np.diff(times)
        assert gaps.max() <= 2.5 * gaps.min()


@pytest.mark.parametrize("count", [1, 3, 12])
def test_each_moment_stands_in_its_cell(application, count):
    moments = [Moment(np.full((64, 64, 3), 20 * index + 10, np.uint8), index) for index in range(count)]
    sheet = paint_contact_sheet("Jo", ["5 kbit/s", "10 frames/s"], moments)
    gap = theme.GAP
    assert sheet.width() == 4 * CELL + 5 * gap
    rows = -(-count // 4)
    head = sheet.height() - rows * (CELL + gap)
    for index in range(count):
        x = gap + (index % 4) * (CELL + gap) + CELL // 2
        y = head + (index // 4) * (CELL + gap) + CELL // 2
        assert QColor(sheet.pixel(x, y)).red() == 20 * index + 10
    assert QColor(sheet.pixel(2, sheet.height() - 2)) == theme.BACKGROUND


def test_notes_flow_into_as_many_lines_as_they_need(application):
    moment = [Moment(np.zeros((8, 8, 3), np.uint8), 0.0)]
    short = paint_contact_sheet("Jo", ["short"], moment)
    assert paint_contact_sheet("Jo", ["short", "short"], moment).height() == short.height()
    assert paint_contact_sheet("Jo", ["long " * 25] * 3, moment).height() == short.height() + 44
