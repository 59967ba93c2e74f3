"""Figures of calls that never took place: what was observed is written down here, and so is what must come out."""

from dataclasses import replace

import numpy as np
import pytest

from app.bench.loss.call import Observation
from app.bench.loss.figures import (
    PICTURE,
    applied_percent,
    call_figures,
    from_rest,
    largest_freeze,
    largest_jump,
    largest_movement,
    recovery,
)
from codec.interpolation import interpolate_state
from tests.app.bench.loss.small_footage import small_footage

FRAME = 0.04
DELAY = 0.1


def observation(seconds=8.0, lost=(), outage=None):
    """Return a call in which every frame takes 50 ms and is shown 100 ms after it was captured; some never came."""
    footage, seen = small_footage(), Observation(begin=0.0, end=seconds)
    frames = round(seconds / FRAME)
    seen.truth = [replace(footage.states[n % 250], timestamp=n * FRAME) for n in range(frames)]
    down, up = outage or (np.inf, -np.inf)
    for number, state in enumerate(seen.truth):
        seen.sent[number] = state.timestamp
        arrives = state.timestamp + 0.05
        if number not in lost and not down <= arrives < up:
            seen.messages.append(arrives)
            seen.pushed.append((arrives, number, True))
    known = sorted(number for _, number, _ in seen.pushed)
    for picture in range(1, round(seconds / PICTURE)):
        when = picture * PICTURE
        there = [n for n in known if n * FRAME + 0.05 <= when]
        if not there:
            continue
        moment = min(when - DELAY, there[-1] * FRAME)
        if moment < 0:
            continue
        before, after = max(n for n in there if n * FRAME <= moment + 1e-9), there[-1]
        after = min((n for n in there if n * FRAME > moment + 1e-9), default=before)
        weight = (moment - before * FRAME) / ((after - before) * FRAME) if after > before else 0.0
        state = interpolate_state(seen.truth[before], seen.truth[after], weight)
        seen.shown.append((when, moment, state))
        seen.delays.append((when, DELAY - 0.05))
        seen.labels.append((when, "Reconnecting" if down + 0.7 < when < up else "Live"))
    if outage:
        seen.outages.append(outage)
    return seen


def test_a_call_in_which_nothing_goes_wrong():
    figures = call_figures(observation(), small_footage())
    assert figures["applied_percent"] == 100.0
    # No picture is shown twice.
    assert figures["freeze_ms"] == 0.0
    assert figures["jump_percent"] == pytest.approx(0.0, abs=2.0)
    assert figures["latency_ms"] == pytest.approx(1000 * DELAY, abs=0.1)
    assert figures["delay_ms"] == pytest.approx(50.0)
    assert figures["outages"] == figures["reconnecting"] == figures["ended"] == 0.0
    assert np.isnan(figures["recovery_packets"])


def test_what_did_not_come_in_time_was_not_applied():
    seen = observation(lost=(100, 120, 140, 160))
    assert applied_percent(seen, 0.0, 8.0) == pytest.approx(100 * 196 / 200)
    seen.pushed[50] = (*seen.pushed[50][:2], False)
    assert applied_percent(seen, 0.0, 8.0) == pytest.approx(100 * 195 / 200)
    # One that came twice, in time once, was applied.
    seen.pushed.append((9.0, 60, False))
    assert applied_percent(seen, 0.0, 8.0) == pytest.approx(100 * 195 / 200)
    assert applied_percent(seen, 3.0, 4.8) == pytest.approx(100 * 44 / 46)


def test_a_freeze_is_as_long_as_what_is_shown_stands_still():
    # With half a second of frames lost, the last one stands until the next is there.
    seen = observation(lost=range(100, 113))
    expected = 0.05 + 113 * FRAME - (99 * FRAME + DELAY)
    assert largest_freeze(seen, 0.0, 8.0) == pytest.approx(expected, abs=2 * PICTURE)
    assert largest_freeze(seen, 5.0, 8.0) == 0.0


def test_a_jump_is_what_the_face_did_not_make_itself():
    footage = small_footage()
    calm, seen = observation(), observation()
    assert largest_jump(calm, footage, 1.0, 7.0) < 0.05 * largest_movement(footage)
    when, captured, state = seen.shown[120]
    kicked = replace(state, expression=state.expression + np.float32(1.0))
    seen.shown[120] = (when, captured, kicked)
    moved = footage.parameters([kicked]) - footage.parameters([state])
    expected = float(np.sqrt(np.mean(np.square(moved))))
    assert largest_jump(seen, footage, 1.0, 7.0) == pytest.approx(expected, rel=0.05)
    # Where this machine showed nothing for a while, nothing is said.
    seen.shown = [*seen.shown[:118], (when, captured, kicked), *seen.shown[124:]]
    assert largest_jump(seen, footage, 1.0, 7.0) < 0.2 * expected


def test_an_outage_and_the_return_from_it():
    seen = observation(seconds=12.0, outage=(4.0, 6.0))
    figures = call_figures(seen, small_footage())
    assert figures["outages"] == figures["reconnecting"] == 1.0
    assert figures["recovery_packets"] == 1.0
    assert 0.0 <= figures["resumed_ms"] <= 41.0
    assert figures["recovery_ms"] <= 1000 * (DELAY + PICTURE)
    assert figures["freeze_ms"] == pytest.approx(2000, abs=100)


def test_packets_that_come_too_late_after_an_outage_are_counted():
    seen = observation(seconds=12.0, outage=(4.0, 6.0))
    after = [index for index, (when, _, _) in enumerate(seen.pushed) if when > 5.9][:3]
    for index in after:
        seen.pushed[index] = (*seen.pushed[index][:2], False)
    assert recovery(seen, seen.outages)["recovery_packets"] == 4.0


def test_nobody_said_that_the_connection_was_interrupted():
    seen = observation(seconds=12.0, outage=(4.0, 6.0))
    seen.labels = [(when, "Live") for when, _ in seen.labels]
    assert call_figures(seen, small_footage())["reconnecting"] == 0.0
    seen.labels = [(when, "Reconnecting") for when, _ in seen.labels]
    assert call_figures(seen, small_footage())["reconnecting"] == 0.0


def test_how_far_from_rest():
    footage = small_footage()
    seen = observation(seconds=12.0, outage=(4.0, 6.0))
    far = from_rest(seen, footage, seen.outages)
    rest = footage.tables.rest_state(0.0)
    seen.shown = [(when, captured, rest if 5.0 < when < 6.0 else state) for when, captured, state in seen.shown]
    assert far > 1.0
    assert from_rest(seen, footage, seen.outages) == pytest.approx(0.0, abs=1e-3)
    assert np.isnan(from_rest(seen, footage, []))
