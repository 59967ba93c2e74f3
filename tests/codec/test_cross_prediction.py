"""What numbers tell of each other."""

from dataclasses import replace

import numpy as np
import pytest

from codec.cross_prediction import CrossPrediction
from codec.errors import TablesError
from codec.frame_record import GAPS
from codec.operating_point import OPERATING_POINTS
from codec.parameters import ParameterLayout
from codec.prediction import PredictionTables
from codec.prediction_fitting import TYPICAL_GAP, fit_prediction
from tests.codec.faces import face_states
from tests.codec.predictions import literal_cross, literal_prediction, parameters_of

LAYOUT = ParameterLayout(6, 3)
STEPS = np.full(LAYOUT.size, 0.01)


def following(frames=600, seed=0):
    """Return faces (N, 15) whose second half does what the first half did three frames before."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(frames + 40, LAYOUT.size))
    smooth = np.stack([np.convolve(column, np.hanning(9) / 4, "valid") for column in noise.T], axis=1)[: frames + 3]
    leaders, followers = slice(0, 7), slice(8, 15)
    smooth[3:, followers] = smooth[:-3, leaders]
    faces = 0.3 * smooth[3:]
    # The logarithm of a depth is above 0.
    faces[:, 5] += 4.0
    return faces


def left_over(tables, parameters):
    """Return what prediction over the usual gap leaves (15,), RMS in steps."""
    units = np.stack([tables.units(row) for row in parameters])
    left = [
        units[now] - tables.predict(1, TYPICAL_GAP, units[now - TYPICAL_GAP], units[now - TYPICAL_GAP - 1])
        for now in range(TYPICAL_GAP + 1, len(units))
    ]
    return np.sqrt(np.square(left).mean(axis=0)) / 64


def test_it_is_integer_arithmetic_with_rounding():
    cross = literal_cross()
    places, motions = 64 * np.arange(15) - 300, 50 - 11 * np.arange(15)
    told = [sum(int(w) * int(v) for w, v in zip(row, (*places, *motions), strict=True)) >> 12 for row in cross.matrix]
    expected = [one * int(cross.gains[2, 4]) + 2048 >> 12 for one in told]
    np.testing.assert_array_equal(cross(2, 5, places, motions), expected)
    assert np.ptp(expected) > 40


def test_it_adds_to_what_each_number_tells_of_itself():
    alone, with_others = literal_prediction(), literal_prediction(literal_cross())
    newest = alone.centres + 64 * np.arange(15)
    before = newest - 100
    further = literal_cross()(1, 3, newest - alone.centres, newest - before)
    np.testing.assert_array_equal(
        with_others.predict(1, 3, newest, before) - alone.predict(1, 3, newest, before), further
    )
    # Without the frame before, nothing is known of motions.
    np.testing.assert_array_equal(with_others.predict(1, 3, newest, None), alone.predict(1, 3, newest, None))
    assert (with_others.predict(2, 1, alone.highest, alone.lowest) <= alone.highest).all()


def test_who_follows_another_is_foreseen():
    tables = fit_prediction(following(), LAYOUT, STEPS)
    later = following(200, seed=1)
    alone = replace(tables, cross=None, post_filter=None)
    left, left_alone = left_over(tables, later), left_over(alone, later)
    followers, leaders = slice(8, 15), slice(0, 7)
    assert (left[followers] < 0.6 * left_alone[followers]).all()
    np.testing.assert_allclose(left[leaders], left_alone[leaders], rtol=0.15)


def test_what_holds_by_chance_only_is_not_believed():
    """Numbers that have nothing to do with each other: in a few frames they seem to."""
    rng = np.random.default_rng(3)
    waves = np.cumsum(rng.normal(size=(120, LAYOUT.size)), axis=0) * 0.02
    assert (
        np.abs(fit_prediction(waves, LAYOUT, STEPS).cross.matrix).max()
        < 0.25 * np.abs(fit_prediction(following(120), LAYOUT, STEPS).cross.matrix).max()
    )


@pytest.mark.parametrize("cross", [None, literal_cross()])
def test_tables_are_parsed_with_and_without(cross):
    tables = literal_prediction(cross)
    parsed = PredictionTables.parse(bytes(tables))
    assert (parsed.cross is None) == (cross is None)
    assert bytes(parsed) == bytes(tables)
    if cross is not None and parsed.cross is not None:
        np.testing.assert_array_equal(parsed.cross.matrix, cross.matrix)
        np.testing.assert_array_equal(parsed.cross.gains, cross.gains)
        assert len(bytes(cross)) == CrossPrediction.length(15) == 2 * (15 * 30 + len(OPERATING_POINTS) * GAPS)


@pytest.mark.parametrize("missing", [1, 2, CrossPrediction.length(15) - 1])
def test_cut_tables_are_refused(missing):
    with pytest.raises(TablesError, match="bytes too many"):
        PredictionTables.parse(bytes(literal_prediction(literal_cross()))[:-missing])


def test_the_largest_weights_there_can_be_overflow_nothing():
    most = np.full((15, 30), -(1 << 15), np.int64)
    cross = CrossPrediction(most, np.full((3, GAPS), -(1 << 15), np.int64))
    largest = np.full(15, 1 << 31, np.int64)
    assert (cross(0, 1, largest, largest) == ((30 << 46 >> 12) * (1 << 15) + 2048 >> 12)).all()


def test_faces_of_a_real_length_fit_in_a_table():
    tables = fit_prediction(parameters_of(face_states(60, size=3)), LAYOUT, STEPS)
    assert PredictionTables.parse(bytes(tables)).digest == tables.digest
