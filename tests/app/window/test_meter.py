"""The meter keeps the last minute and scales its axis in round steps."""

import itertools
import math

from hypothesis import given
from hypothesis import strategies as st
from PyQt6.QtGui import QColor

from app.window import theme
from app.window.meter import SAMPLE_SECONDS, SPAN_SECONDS, Meter, RateHistory, axis


@given(st.lists(st.floats(0.0, 5.0), max_size=400))
def test_the_history_covers_the_last_minute_and_no_more_than_it_can_show(steps):
    history = RateHistory()
    now, kept = 0.0, []
    for index, step in enumerate(steps):
        now += step
        if history.add(now, index, 0.0):
            kept.append(now)
    times = [sample.now for sample in history.samples]
    assert times == sorted(times)
    assert all(later - earlier >= SAMPLE_SECONDS for earlier, later in itertools.pairwise(times))
    # Everything within the last minute is there, and at most one sample beyond it.
    recent = [time for time in kept if kept[-1] - time <= SPAN_SECONDS]
    assert times[-len(recent) :] == recent if recent else times == []
    assert len(history) <= max(len(recent) + 1, 2)


@given(st.floats(0.0, 1e6))
def test_round_steps_cover_the_highest_rate_closely(highest):
    step, lines = axis(highest)
    magnitude = 10.0 ** math.floor(math.log10(step) + 1e-9)
    assert round(step / magnitude, 6) in (1.0, 2.0, 2.5, 5.0)
    assert 3 <= lines <= 5
    assert step * lines >= highest * (1 - 1e-6)
    assert step * lines <= max(highest, 3.0) * 1.5 * (1 + 1e-6)


def test_the_drawn_line_stands_at_the_height_of_its_rate(application):
    history = RateHistory()
    for index in range(241):
        history.add(index * 0.25, 10.0, 45.0)
    meter = Meter(history)
    meter.resize(600, 132)
    meter.advance(60.0)
    image = meter.grab().toImage()
    # The axis reaches 50 kbit/s over 100 pixels from y = 110 up.
    assert image.height() == 132
    column = [QColor(image.pixel(300, y)) for y in range(132)]
    wire = min(range(132), key=lambda y: distance(column[y], theme.WIRE))
    payload = min(range(132), key=lambda y: distance(column[y], theme.PAYLOAD))
    assert abs(wire - (110 - 90)) <= 1
    assert abs(payload - (110 - 20)) <= 1


def distance(one, other):
    return abs(one.red() - other.red()) + abs(one.green() - other.green()) + abs(one.blue() - other.blue())
