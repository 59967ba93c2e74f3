"""What a receiver shows of what it decoded."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from codec.errors import TablesError
from codec.frame_record import GAPS
from codec.linear_terms import LinearTerms
from codec.operating_point import FINEST, NORMAL, THRIFTY
from codec.post_filter import PostFilter
from codec.post_filter_fitting import fit_post_filter
from codec.prediction import PredictionTables
from codec.prediction_fitting import TYPICAL_GAP, fit_prediction
from codec.quantiser import STEP_SCALE
from tests.codec.faces import face_states
from tests.codec.predictions import (
    call,
    fitted_prediction,
    literal_cross,
    literal_filter,
    literal_prediction,
    parameters_of,
    same_record,
)


@cache
def coarse():
    """Return tables whose steps are about as far as a face moves from frame to frame."""
    steps = 5 * fitted_prediction().quantiser.steps / STEP_SCALE
    return fit_prediction(parameters_of(face_states(700)), fitted_prediction().layout, steps)


def unfiltered():
    """Return `coarse` with a filter that changes nothing: what is sent is the same."""
    return replace(coarse(), post_filter=PostFilter(0 * coarse().post_filter.matrix, coarse().post_filter.gains))


def sent(prediction, states, point=NORMAL, lost=()):
    """Return the packets of a call, and the parameters (n, D) of the faces that come of them but those ``lost``."""
    encoder, decoder = call(prediction=prediction)
    encoder.point = point
    packets, shown = [], []
    for index, state in enumerate(states):
        known = (index - TYPICAL_GAP - 1, index - TYPICAL_GAP)
        encoder.acknowledge(number for number in known if number >= 0 and number not in lost)
        packets.append(bytes(encoder.encode(state)))
        if index not in lost:
            shown.append(decoder.decode(packets[-1], state.timestamp + 0.02))
            assert same_record(encoder, decoder)
    return packets, parameters_of(shown)


def test_it_is_integer_arithmetic_with_rounding():
    tables = literal_prediction(literal_cross(), literal_filter())
    post_filter = tables.post_filter
    values = tables.centres + 64 * (np.arange(15) % 5)
    predicted, previous = values + 31 - 9 * np.arange(15), values - 50 + 13 * np.arange(15)
    inputs = [*(previous - values), *(values - predicted)]
    told = [sum(int(w) * int(v) for w, v in zip(row, inputs, strict=True)) >> 12 for row in post_filter.matrix]
    added = np.array([one * int(post_filter.gains[1, 4]) + 2048 >> 12 for one in told])
    np.testing.assert_array_equal(tables.shown(1, 5, values, predicted, previous), values + added)
    assert np.ptp(added) > 10
    # Of a frame before that was lost nothing is known: as if nothing had moved.
    np.testing.assert_array_equal(
        tables.shown(1, 5, values, predicted, None), tables.shown(1, 5, values, predicted, values)
    )


def test_what_is_shown_stays_within_bounds():
    most = PostFilter(np.full((15, 30), (1 << 15) - 1, np.int64), np.full((3, GAPS), (1 << 15) - 1, np.int64))
    tables = literal_prediction(literal_cross(), most)
    for end, other in ((tables.highest, tables.lowest), (tables.lowest, tables.highest)):
        shown = tables.shown(2, 1, end, other, other)
        assert (shown >= tables.lowest).all()
        assert (shown <= tables.highest).all()


@pytest.mark.parametrize(
    ("point", "nearer", "steadier"), [(FINEST, 0.995, 0.96), (NORMAL, 0.97, 0.88), (THRIFTY, 0.995, 0.96)]
)
def test_faces_come_nearer_to_what_they_were_and_tremble_less(point, nearer, steadier):
    """Of faces that nothing was fitted to, by the same packets."""
    states = face_states(240, seed=5)[:: point.stride]
    steps, wanted = coarse().quantiser.steps / STEP_SCALE, parameters_of(states)
    (packets, shown), (same, raw) = sent(coarse(), states, point), sent(unfiltered(), states, point)
    # But for the checksum, which is over the tables as well.
    assert [packet[3:] for packet in packets[3:]] == [packet[3:] for packet in same[3:]]
    (error, change), (raw_error, raw_change) = (
        (np.sqrt(np.square(off).mean()), np.sqrt(np.square(np.diff(off, axis=0)).mean()))
        for off in ((faces - wanted)[10:] / steps for faces in (shown, raw))
    )
    assert error < nearer * raw_error
    assert change < steadier * raw_change


def test_lost_frames_take_nothing_else_with_them():
    states, lost = face_states(120, seed=6), {30, 31, 50, 71, 90}
    packets, shown = sent(coarse(), states, lost=lost)
    _, raw = sent(unfiltered(), states, lost=lost)
    steps = coarse().quantiser.steps / STEP_SCALE
    assert len(shown) == len(raw) == 115
    # Never further from what was decoded than rounding may be off.
    assert np.abs((shown - raw) / steps).max() < 1.0
    assert len(packets) == 120


def test_a_frame_that_overtakes_another_is_amended():
    """What is shown in the end does not depend on the order in which packets came."""
    states = face_states(60, seed=6)
    packets, shown = sent(coarse(), states)
    decoder = call(prediction=coarse())[1]
    order = [*range(20), 21, 20, 22, 25, 24, 23, *range(26, 60)]
    faces, amended = {}, {}
    for index in order:
        state = decoder.decode(packets[index], states[index].timestamp + 0.02)
        faces[round(state.timestamp, 3)] = state
        amended |= {round(face.timestamp, 3): face for face in decoder.take_amended()}
    assert list(amended) == [round(states[index].timestamp, 3) for index in (21, 25, 24)]
    first = parameters_of(faces[time] for time in sorted(faces))
    last = parameters_of((faces | amended)[time] for time in sorted(faces))
    assert np.abs(first - shown).max() > 0
    np.testing.assert_array_equal(last, shown)
    assert decoder.take_amended() == []


def test_frames_whose_predecessors_never_come_are_forgotten():
    states = face_states(200, seed=6)
    packets, _ = sent(coarse(), states, lost=set(range(11, 200, 2)))
    decoder = call(prediction=coarse())[1]
    for index in [*range(10), *range(10, 200, 2)]:
        decoder.decode(packets[index], states[index].timestamp + 0.02)
    assert 0 < len(decoder._unsettled) <= GAPS
    assert decoder.take_amended() == []


def test_of_noise_nothing_is_made():
    """Numbers that jump at will tell nothing of each other: what was decoded is the best that there is."""
    rng = np.random.default_rng(4)
    fitted = coarse()
    noise = np.clip(rng.normal(size=(300, fitted.layout.size)), -2, 2) * 20 * fitted.quantiser.steps / STEP_SCALE
    noise += fitted.parameters(fitted.centres)
    waves = parameters_of(face_states(300))
    still, moved = (fit_post_filter(fitted, frames, TYPICAL_GAP) for frames in (noise, waves))

    def weight(post_filter):
        """Return the mean square of what is added for a frame before that was another by a step."""
        size = fitted.layout.size
        return np.square(post_filter.matrix[:, :size] / 4096 * post_filter.gains[1, 2] / 4096).sum(axis=1).mean()

    assert weight(still) < 0.05 * weight(moved)


@pytest.mark.parametrize("post_filter", [None, literal_filter()])
def test_tables_are_parsed_with_and_without(post_filter):
    tables = literal_prediction(literal_cross(), post_filter)
    parsed = PredictionTables.parse(bytes(tables))
    assert (parsed.post_filter is None) == (post_filter is None)
    assert bytes(parsed) == bytes(tables)
    if post_filter is not None and parsed.post_filter is not None:
        np.testing.assert_array_equal(parsed.post_filter.matrix, post_filter.matrix)
        np.testing.assert_array_equal(parsed.post_filter.gains, post_filter.gains)


@pytest.mark.parametrize("missing", [1, 2, LinearTerms.length(15) - 1])
def test_cut_tables_are_refused(missing):
    data = bytes(literal_prediction(literal_cross(), literal_filter()))
    for damaged in (data[:-missing], data + bytes(missing), data + bytes(LinearTerms.length(15))):
        with pytest.raises(TablesError, match="bytes too many"):
            PredictionTables.parse(damaged)


def test_a_filter_without_cross_terms_is_refused():
    with pytest.raises(TablesError, match="cross terms"):
        literal_prediction(None, literal_filter())
