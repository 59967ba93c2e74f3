"""The playout buffer by tables: what is pushed when, and what is shown when."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.delay import WINDOW, DelayEstimator
from codec.face_state import FaceState, torso_limits
from codec.interpolation import StateOffset, interpolate_state
from codec.parameters import pose_parameters
from codec.playout import CAPACITY, PlayoutBuffer
from tests.codec.faces import assert_same_face, face_states, pose_at

FRAME = 0.04
REST = FaceState(np.full(2, -1.0, np.float32), pose_at(), 0.0, present=False, torso=np.zeros(6, np.float32))


def face(time, value=None, present=True):
    """Return a face whose expression is the time; it turns by 10 degrees a second, and its torso goes with it."""
    value = time if value is None else value
    pose, torso = pose_at((0, 10 * value, 0), (value, 0, -60)), np.array([value, -value, value, 0, 0, -value]) / 100
    return FaceState(np.array([value, 0], np.float32), pose, time, present, torso.astype(np.float32))


def value(state):
    return float(state.expression[0])


def feed(buffer, arrivals, until, cadence=1 / 60, start=0.0):
    """Push states as they arrive, sampling at a steady pace; return the samples as (now, state)."""
    pending = sorted(arrivals, key=lambda arrival: arrival[0])
    samples = []
    for tick in range(round((until - start) / cadence)):
        now = start + tick * cadence
        while pending and pending[0][0] <= now:
            arrival, state, sequence = pending.pop(0)
            buffer.push(state, arrival, sequence)
        samples.append((now, buffer.sample(now)))
    return samples


def stream(frames, transit=lambda index: 0.01, start=0.0, first=0):
    """Return arrivals (now, state, sequence) of a regular sender; a transit of None is a loss."""
    arrivals = []
    for index in range(first, first + frames):
        time = start + FRAME * (index - first)
        delay = transit(index)
        if delay is not None:
            arrivals.append((time + delay, face(time), index))
    return arrivals


def test_nothing_is_shown_before_anything_has_come():
    assert PlayoutBuffer().sample(1.0) is None


@pytest.mark.parametrize("clock_offset", [0.0, 1e6, -1e6])
def test_a_regular_stream_is_played_smoothly_and_soon(clock_offset):
    arrivals = [(now + clock_offset, state, sequence) for now, state, sequence in stream(100)]
    buffer = PlayoutBuffer(REST)
    samples = feed(buffer, arrivals, 3.8 + clock_offset, start=clock_offset)
    settled = [(now - clock_offset, state) for now, state in samples if now - clock_offset > 1]
    lag = np.array([now - value(state) for now, state in settled])
    # Transit, one interval to interpolate over, and the margin.
    assert lag.mean() == pytest.approx(0.01 + FRAME + 0.002, abs=0.004)
    assert np.ptp(lag) < 1e-3
    assert all(state.timestamp == pytest.approx(value(state), abs=1e-4) for _, state in settled)
    angles = [np.degrees(pose_parameters(state.pose)[1]) / 10 for _, state in settled]
    np.testing.assert_allclose(angles, [value(state) for _, state in settled], atol=1e-4)
    assert buffer.statistics.received == 95
    assert (buffer.statistics.late, buffer.statistics.lost, buffer.statistics.starved) == (0, 0, 0)
    assert buffer.delay < 0.05


def test_a_slow_display_gets_the_newest_state():
    buffer = PlayoutBuffer(REST)
    samples = feed(buffer, stream(150), 5.8, cadence=0.1)
    lag = [now - value(state) for now, state in samples if now > 3]
    # On average, half an interval more than the transit: no state is kept waiting.
    assert np.max(lag) < 0.01 + FRAME + 0.004
    assert buffer.delay == pytest.approx(0.002, abs=1e-3)


def test_jitter_is_waited_for_and_no_more():
    rng = np.random.default_rng(0)
    jitter = rng.uniform(0, 0.06, 400)
    buffer = PlayoutBuffer(REST)
    samples = feed(buffer, stream(400, lambda index: 0.02 + jitter[index]), 15.9)
    speeds = np.diff([value(state) for now, state in samples if now > 4]) * 60
    assert buffer.delay == pytest.approx(FRAME + 0.06, abs=0.01)
    # Uniform motion stays uniform: hardly a sample finds nothing to interpolate towards.
    assert np.mean(np.abs(speeds - 1) > 0.1) < 0.02
    assert buffer.statistics.late == 0
    assert buffer.statistics.starved == 0


def test_the_delay_shrinks_again_when_jitter_is_over():
    buffer = PlayoutBuffer(REST)
    feed(buffer, stream(300, lambda index: 0.01 + (0.1 * (index % 3 == 0) if index < 100 else 0)), 5.0)
    assert buffer.delay > 0.1
    feed(buffer, stream(100, start=12.0, first=300), 14 + WINDOW, start=12.0)
    assert buffer.delay < 0.05


def test_display_time_never_goes_back():
    rng = np.random.default_rng(1)
    transits = np.where(rng.random(500) < 0.1, rng.uniform(0, 0.5, 500), rng.uniform(0, 0.03, 500))
    samples = feed(PlayoutBuffer(), stream(500, lambda index: transits[index]), 19.5)
    shown = [state.timestamp for _, state in samples if state is not None]
    assert (np.diff(shown) >= -1e-9).all()


@pytest.mark.parametrize(
    ("order", "late", "duplicate", "reordered", "lost"),
    [
        ([0, 1, 2, 3, 4], 0, 0, 0, 0),
        ([0, 2, 1, 3, 4], 0, 0, 1, 0),
        ([0, 1, 1, 2, 2, 2, 3], 0, 3, 0, 0),
        ([0, 1, 4, 5], 0, 0, 0, 2),
        ([0, 1, 4, 3, 2, 5], 0, 0, 2, 0),
        ([2, 1, 0, 3], 0, 0, 2, 0),
    ],
)
def test_counts(order, late, duplicate, reordered, lost):
    buffer = PlayoutBuffer()
    for index in order:
        buffer.push(face(FRAME * index), 0.2, sequence=index)
    counts = buffer.statistics
    assert (counts.late, counts.duplicate, counts.reordered, counts.lost) == (late, duplicate, reordered, lost)
    assert counts.received == len(order)


def test_reordered_states_are_shown_in_order():
    swapped = [0, 1, 3, 2, 4, 6, 5, 7, 8]
    buffer = PlayoutBuffer()
    for index in swapped:
        buffer.push(face(FRAME * index), 0.33, sequence=index)
    samples = [buffer.sample(0.33 + tick / 100) for tick in range(60)]
    shown = [value(state) for state in samples]
    assert (np.diff(shown) >= -1e-6).all()
    assert shown[-1] == pytest.approx(0.32)


def test_a_state_that_comes_after_its_turn_is_dropped_and_is_not_lost():
    buffer = PlayoutBuffer()
    feed(buffer, [arrival for arrival in stream(50) if arrival[2] != 20], 1.9)
    assert buffer.statistics.lost == 1
    before = value(buffer.sample(1.9))
    buffer.push(face(FRAME * 20), 1.905, sequence=20)
    assert (buffer.statistics.late, buffer.statistics.lost) == (1, 0)
    assert value(buffer.sample(1.91)) >= before


def test_a_single_loss_is_bridged_by_interpolation():
    arrivals = [arrival for arrival in stream(100) if arrival[2] != 60]
    samples = feed(PlayoutBuffer(REST), arrivals, 3.8)
    around = [(now, value(state)) for now, state in samples if 2.3 < now < 2.7]
    steps = np.diff([shown for _, shown in around])
    assert steps.max() < 0.05
    assert steps.min() >= -1e-6


def test_a_state_is_amended_until_it_is_on_show():
    buffer = PlayoutBuffer()
    for index in range(3):
        buffer.push(face(FRAME * index), FRAME * index, index)
    buffer.amend(face(2 * FRAME, value=5.0))
    # Of a time that never came, or has passed, there is nothing to amend.
    buffer.amend(face(1.5 * FRAME, value=7.0))
    buffer.amend(face(0.0, value=9.0))
    counted = (buffer.statistics.received, buffer.statistics.duplicate)
    samples = [value(buffer.sample(0.02 * tick)) for tick in range(12)]
    assert max(samples) == 5.0
    assert samples[0] == 0.0
    assert counted == (3, 0)


def test_duplicates_and_old_packets_have_no_effect():
    clean, dirty = PlayoutBuffer(REST), PlayoutBuffer(REST)
    arrivals = stream(200)
    again = [(now + 0.015, state, sequence) for now, state, sequence in arrivals if sequence % 3 == 0]
    old = [(1.0 + now, face(now - 10800.0), sequence - 270000) for now, _, sequence in arrivals[::20]]
    expected = feed(clean, arrivals, 9.0)
    actual = feed(dirty, arrivals + again + old, 9.0)
    for (_, first), (_, second) in zip(expected, actual, strict=True):
        if first is not None:
            assert_same_face(second, first, tolerance=1e-6)
    assert dirty.statistics.duplicate + dirty.statistics.late == len(again) + len(old)


def test_a_timestamp_from_the_future_is_refused():
    buffer = PlayoutBuffer(REST)
    arrivals = [*stream(100), (2.0, face(30.0), 7000)]
    samples = feed(buffer, arrivals, 3.9)
    assert max(value(state) for _, state in samples if state) < 4
    assert buffer.statistics.late == 1
    assert buffer.statistics.lost == 0


def test_starved_it_holds_and_then_eases_to_rest():
    buffer = PlayoutBuffer(REST, hold=0.4, ease=0.4)
    samples = feed(buffer, stream(50), 6.0)
    shown = {round(now, 3): state for now, state in samples}
    times = np.array(sorted(shown))
    values = np.array([value(shown[now]) if shown[now] else np.nan for now in times])
    last = 49 * FRAME
    held = (times > last + 0.1) & (times < last + 0.43)
    np.testing.assert_allclose(values[held], last, atol=1e-5)
    assert buffer.starved
    assert buffer.statistics.starved == 1
    # One time constant after the hold, 2/e of the way is left; in the end the face is at rest.
    display = last + buffer.delay + 0.01
    now = times[np.searchsorted(times, display + 0.8)]
    left = (values[np.searchsorted(times, now)] + 1) / (last + 1)
    passed = (now - display - 0.4) / 0.4
    assert left == pytest.approx((1 + passed) * np.exp(-passed), abs=0.02)
    assert values[-1] == pytest.approx(-1, abs=0.01)
    assert shown[times[-1]].timestamp == pytest.approx(last)
    assert np.abs(np.diff(values[times > last + 0.1])).max() < 0.15


@pytest.mark.parametrize("outage", [0.2, 0.5, 1.0, 10.0])
def test_after_an_outage_the_stream_resumes_without_a_jump(outage):
    buffer = PlayoutBuffer(REST)
    gap = round(outage / FRAME)
    arrivals = stream(50) + [
        (50 * FRAME + outage + FRAME * index + 0.01, face(50 * FRAME + outage + FRAME * index, 2.0), 50 + gap + index)
        for index in range(50)
    ]
    samples = feed(buffer, arrivals, 50 * FRAME + outage + 1.9)
    values = [(now, value(state)) for now, state in samples if now > 1.5]
    largest = max(abs(second - first) for (_, first), (_, second) in pairwise(values))
    jump = 2 - min(shown for _, shown in values)
    assert largest < max(0.3 * jump, 0.05)
    # Within 60 ms of being due, two thirds of the way back.
    due = 50 * FRAME + outage + 0.01 + FRAME + 0.002
    soon = next(shown for now, shown in values if now >= due + 0.06)
    assert 2 - soon < 0.5 * jump + 0.01
    assert values[-1][1] == pytest.approx(2.0, abs=1e-3)
    assert not buffer.starved
    assert buffer.statistics.lost == gap


def test_a_face_that_leaves_is_held_eased_and_comes_back_gliding():
    arrivals = [
        (FRAME * index + 0.01, face(FRAME * index, 1.0, present=not 25 <= index < 75), index) for index in range(125)
    ]
    samples = feed(PlayoutBuffer(REST), arrivals, 4.9)
    leaves = [state.present for now, state in samples if state]
    assert leaves.count(False) == pytest.approx(2.0 * 60, abs=3)
    values = np.array([value(state) for _, state in samples if state])
    assert values.min() < -0.9
    assert np.abs(np.diff(values)).max() < 0.6
    assert values[-1] == pytest.approx(1.0, abs=1e-3)


def test_a_face_that_is_lost_and_found_neither_jumps_nor_jerks():
    """At 30 frames a second no step is a quarter of the way, the first ones are smaller, and it soon is all there."""
    arrivals = [
        (FRAME * index + 0.01, face(FRAME * index, 1.0, present=not 25 <= index < 75), index) for index in range(125)
    ]
    samples = feed(PlayoutBuffer(REST), arrivals, 4.9, cadence=1 / 30)
    values = np.array([value(state) for _, state in samples if state])
    steps = np.diff(values)
    found = int(np.argmax(steps > 0.02))
    way = 1 - values[found]
    assert way > 1.8
    assert steps.max() < 0.35 * way
    assert steps[found] < 0.7 * steps.max()
    assert values[found + 8] > 1 - 0.05 * way
    lost = int(np.argmax(steps < -1e-3))
    assert abs(steps[lost]) < 0.02 * way
    assert abs(steps[: found - 1]).max() < 0.06 * way


def test_without_a_rest_the_last_face_is_held():
    samples = feed(PlayoutBuffer(), stream(20), 8.0)
    assert value(samples[-1][1]) == pytest.approx(19 * FRAME)


def test_a_route_that_becomes_longer_is_followed():
    buffer = PlayoutBuffer(REST)
    samples = feed(buffer, stream(400, lambda index: 0.01 if index < 100 else 1.2), 16)
    lag = [now - value(state) for now, state in samples if now > 5.5]
    assert max(lag) < 1.2 + 0.4 + FRAME
    assert lag[-1] == pytest.approx(1.2 + FRAME, abs=0.02)
    assert buffer.statistics.late == 0


def test_a_clock_that_is_set_back_is_believed_after_a_while():
    buffer = PlayoutBuffer(REST)
    before = stream(100)
    after = [(4 + FRAME * index + 0.01, face(-5000 + FRAME * index, 1.0), 100 + index) for index in range(100)]
    samples = feed(buffer, before + after, 7.9)
    assert samples[-1][1].timestamp == pytest.approx(-5000 + 3.9, abs=0.1)
    assert value(samples[-1][1]) == pytest.approx(1.0, abs=1e-3)


def test_sequence_numbers_are_not_needed():
    buffer = PlayoutBuffer(REST)
    for now, state, _ in stream(50):
        buffer.push(state, now)
        buffer.push(state, now + 0.001)
    assert (buffer.statistics.received, buffer.statistics.duplicate, buffer.statistics.lost) == (100, 50, 0)


def test_the_number_of_states_is_bounded():
    buffer = PlayoutBuffer()
    for index in range(10 * CAPACITY):
        buffer.push(face(FRAME * index), 0.0, index)
    assert len(buffer._states) <= CAPACITY


@given(st.lists(st.tuples(st.floats(0, 0.2), st.floats(-1, 1), st.integers(-50, 50), st.booleans()), max_size=80))
@settings(max_examples=60)
def test_any_arrivals_give_finite_faces(steps):
    buffer, now = PlayoutBuffer(REST), 50.0
    for pause, skew, jump, present in steps:
        now += pause
        buffer.push(face(now + skew, present=present), now, round(now / FRAME) + jump)
        state = buffer.sample(now + pause / 2)
        assert np.isfinite(state.expression).all()
        np.testing.assert_allclose(state.pose.rotation @ state.pose.rotation.T, np.eye(3), atol=1e-5)
        assert np.isfinite(state.torso).all()
    counts = buffer.statistics
    assert counts.late + counts.duplicate + counts.reordered <= counts.received == len(steps)
    assert counts.lost >= 0


@given(st.floats(0, 1))
def test_interpolation_is_between(weight):
    first, second = face(1.0), face(2.0)
    middle = interpolate_state(first, second, weight)
    assert_same_face(middle, face(1 + weight), tolerance=1e-5)
    assert middle.timestamp == pytest.approx(1 + weight)


def test_an_offset_takes_one_face_to_the_other():
    first, second = face_states(2, size=5)
    offset = StateOffset.between(first, second)
    assert_same_face(offset.apply(first, 1.0), second, tolerance=1e-5)
    assert_same_face(offset.apply(first, 0.0), first, tolerance=1e-6)
    np.testing.assert_allclose(offset.apply(first, 1.0).torso, second.torso, atol=1e-7)
    half, slerp = offset.apply(first, 0.5), interpolate_state(first, second, 0.5)
    assert_same_face(half, slerp, tolerance=1e-5)


def torso_at_limits(signs):
    torso = np.array(signs) * torso_limits(6)
    return FaceState(np.zeros(2, np.float32), pose_at(), 0.0, torso=torso.astype(np.float32))


@given(*[st.tuples(*[st.floats(-1, 1)] * 6)] * 3, st.floats(0, 1))
def test_no_glide_turns_a_torso_inside_out(shown, due, later, weight):
    """The offset was taken from one state and is added to the next: what is received keeps its matrix invertible."""
    offset = StateOffset.between(torso_at_limits(due), torso_at_limits(shown))
    middle = interpolate_state(torso_at_limits(due), torso_at_limits(later), weight)
    for state in (middle, offset.apply(torso_at_limits(later), weight), offset.apply(middle, 1.0)):
        assert np.linalg.det(np.eye(2) + state.torso[2:].reshape(2, 2)) > 0.2 - 1e-6


@pytest.mark.parametrize(
    ("transits", "transit", "jitter"),
    [
        ([0.1], 0.1, 0.002),
        ([0.1, 0.15], 0.1, 0.052),
        ([0.1] * 98 + [0.9, 0.9], 0.1, 0.002),
        ([0.1] * 90 + [0.2] * 10, 0.1, 0.102),
        ([-5.0, -4.99], -5.0, 0.012),
    ],
)
def test_delay_estimates(transits, transit, jitter):
    estimator = DelayEstimator()
    for index, delay in enumerate(transits):
        estimator.add(timestamp=0.01 * index - delay, now=0.01 * index)
    assert estimator.transit == pytest.approx(transit)
    assert estimator.jitter == pytest.approx(jitter)


def test_an_estimate_forgets():
    estimator = DelayEstimator()
    estimator.add(0.0, 5.0)
    for index in range(200):
        estimator.add(index * FRAME, index * FRAME + 0.02 + WINDOW)
    assert estimator.transit == pytest.approx(0.02 + WINDOW)


def lossy_stream(frames, lost, repeats, transit=0.05, start=0.0, first=0):
    """Return arrivals of messages that say the frames of ``repeats`` messages before again; some messages are lost."""
    arrivals, known = [], set()
    for index in range(first, first + frames):
        if lost(index):
            continue
        now = start + FRAME * (index - first) + transit
        for number in range(max(index - repeats, first), index + 1):
            if number not in known:
                known.add(number)
                arrivals.append((now, face(start + FRAME * (number - first)), number))
    return arrivals


@pytest.mark.parametrize(("share", "least"), [(0.1, 0.995), (0.3, 0.985)])
def test_frames_that_are_said_again_are_waited_for(share, least):
    rng = np.random.default_rng(4)
    lost = rng.random(3000) < share
    buffer, soon = PlayoutBuffer(REST), []

    class Watched(PlayoutBuffer):
        def push(self, state, now, sequence=None):
            soon.append((sequence, self._display_time is None or state.timestamp > self._display_time))
            super().push(state, now, sequence)

    buffer = Watched(REST)
    samples = feed(buffer, lossy_stream(3000, lambda index: lost[index], 4), 119.9)
    in_time = {sequence for sequence, yes in soon if yes and sequence >= 250}
    assert len(in_time) >= least * (3000 - 250)
    # No longer than it takes to say them again.
    assert buffer.delay < (5 if share > 0.2 else 4) * FRAME
    speeds = np.diff([value(state) for now, state in samples if now > 15]) * 60
    assert np.mean(speeds < 0.1) < 0.01


def test_once_nothing_is_lost_any_more_nothing_is_waited_for():
    rng = np.random.default_rng(5)
    lost = rng.random(500) < 0.2
    buffer = PlayoutBuffer(REST)
    feed(buffer, lossy_stream(500, lambda index: lost[index], 4), 20.0)
    assert buffer.delay > 2 * FRAME
    feed(buffer, lossy_stream(400, lambda index: False, 4, start=20.0, first=500), 35.9, start=20.0)
    assert buffer.delay < 1.1 * FRAME


@pytest.mark.parametrize("late", [0.1, 0.2])
def test_frames_that_are_overtaken_now_and_then_are_waited_for(late):
    rng = np.random.default_rng(6)
    overtaken, soon = rng.random(1500) < 0.05, []

    class Watched(PlayoutBuffer):
        def push(self, state, now, sequence=None):
            soon.append(self._display_time is None or state.timestamp > self._display_time)
            super().push(state, now, sequence)

    buffer = Watched(REST)
    feed(buffer, stream(1500, lambda index: 0.05 + late * overtaken[index]), 59.0)
    assert np.mean(soon[250:]) > 0.995
    assert buffer.delay < late + FRAME + 0.01


def test_what_is_hopelessly_late_is_not_waited_for():
    buffer = PlayoutBuffer(REST)
    feed(buffer, stream(600, lambda index: 0.05 + 0.9 * (index % 50 == 7)), 23.0)
    assert buffer.delay < 1.1 * FRAME
