import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codec.adaptive import laplace_bank
from codec.errors import TablesError
from codec.frame_record import GAPS
from codec.operating_point import OPERATING_POINTS
from codec.parameters import ParameterLayout
from codec.prediction import CLASSES, GROUPS, PredictionTables
from codec.prediction_fitting import fit_prediction
from tests.codec.faces import face_states, fitted_tables, literal_tables
from tests.codec.predictions import coupled_metric, fitted_prediction, literal_prediction, parameters_of

LAYOUT = ParameterLayout(6, 3)
DATA = bytes(literal_prediction())


@pytest.mark.parametrize("make", [literal_prediction, fitted_prediction])
def test_what_is_parsed_is_what_was_written(make):
    tables = make()
    parsed = PredictionTables.parse(bytes(tables))
    assert bytes(parsed) == bytes(tables)
    assert parsed.digest == tables.digest
    for name in ("centres", "innovation", "feedback", "lowest", "highest"):
        np.testing.assert_array_equal(getattr(parsed, name), getattr(tables, name))
    for one, other in zip(parsed.points, tables.points, strict=True):
        for name in ("hold", "trend", "rows", "edges", "shifts"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_tables_say_how_many_numbers_a_torso_has():
    parameters = parameters_of(face_states(60, size=3, modes=8))
    tables = fit_prediction(parameters, ParameterLayout(10, 3), np.full(19, 0.02))
    data = bytes(tables)
    assert data[:8] == b"NCPR\x02\x00\x03\x0a"
    parsed = PredictionTables.parse(data)
    assert parsed.layout == ParameterLayout(10, 3)
    assert bytes(parsed) == data


def test_prediction_is_integer_arithmetic_with_rounding_and_bounds():
    tables = literal_prediction()
    newest = tables.centres + 64 * np.arange(15)
    before = newest - 100
    hold = tables.points[1].hold[2]
    expected = [
        centre + (int(weight) * int(offset) + 2048 >> 12)
        for centre, weight, offset in zip(tables.centres, hold, newest - tables.centres, strict=True)
    ]
    np.testing.assert_array_equal(tables.predict(1, 3, newest, None), expected)
    trend = tables.points[0].trend[0]
    expected = [
        centre + (int(a) * int(offset) + int(b) * 100 + 2048 >> 12)
        for centre, a, b, offset in zip(tables.centres, *trend, newest - tables.centres, strict=True)
    ]
    np.testing.assert_array_equal(tables.predict(0, 1, newest, before), expected)
    np.testing.assert_array_equal(tables.predict(2, 1, tables.highest, tables.lowest), tables.highest)


def test_within_the_frame_what_came_before_moves_what_comes_after():
    tables = literal_prediction()
    deviations = np.arange(5) * 64 - 100
    weighted = sum(int(w) * int(d) for w, d in zip(tables.innovation[5, :5], deviations, strict=True))
    assert tables.within(5, 70000, deviations) == 70000 + (weighted + 2048 >> 12)
    assert tables.within(5, 10**9, deviations) == tables.highest[5]


def test_what_moved_much_is_expected_to_move_much():
    tables = literal_prediction()
    still = tables.residual_tables(0, 3, tables.centres, tables.centres)
    moving = tables.residual_tables(0, 3, tables.centres + 500, tables.centres)
    bank = laplace_bank()[0]
    rows = tables.points[0].rows[1, 2]
    assert [bank.index(table) for table in still] == (rows + np.repeat([-2, -1, -3], [6, 6, 3])).tolist()
    assert [bank.index(table) for table in moving] == (rows + np.repeat([2, 3, 4], [6, 6, 3])).tolist()


def test_parameters_come_back_from_units():
    tables = fitted_prediction()
    parameters = parameters_of(face_states(5))[3]
    steps = tables.quantiser.steps / 2**20
    np.testing.assert_allclose(tables.parameters(tables.units(parameters)), parameters, rtol=0, atol=steps.max() / 127)
    assert (tables.units(np.full(len(steps), 1e12)) == tables.highest).all()


def test_a_frame_coded_alone_is_the_same_in_units():
    tables, alone = literal_prediction(), fitted_tables()
    symbols = np.array(literal_tables().centres)
    np.testing.assert_array_equal(tables.units_of_symbols(symbols, literal_tables().quantiser), 64 * symbols)
    prediction = fitted_prediction()
    symbols = np.array(alone.centres)
    expected = prediction.units(alone.quantiser.dequantise(symbols))
    assert np.abs(prediction.units_of_symbols(symbols, alone.quantiser) - expected).max() <= 1


def test_a_known_motion_is_learnt():
    """Every number goes on as it goes: from two frames, the third is known."""
    times = np.arange(400) / 25
    rng = np.random.default_rng(0)
    waves = np.sin(2 * np.pi * (0.3 * times[:, None] + rng.random(LAYOUT.size)))
    tables = fit_prediction(waves, LAYOUT, np.full(LAYOUT.size, 0.01))
    trend = tables.points[1].trend / 4096
    np.testing.assert_allclose(trend[0], [[1.0] * 15, [1.0] * 15], atol=0.12)
    np.testing.assert_allclose(trend[3, 1], 4.0, atol=1.0)


def test_what_never_moves_is_expected_to_stay():
    parameters = np.repeat(np.linspace(-0.5, 0.5, LAYOUT.size)[None], 100, axis=0)
    tables = fit_prediction(parameters, LAYOUT, np.full(LAYOUT.size, 0.01))
    assert (tables.points[1].rows <= 2).all()


def test_fitting_is_repeatable_and_takes_a_metric():
    parameters = parameters_of(face_states(100, size=3))
    steps = np.full(15, 0.02)
    metric = coupled_metric(15)
    first, second = (fit_prediction(parameters, LAYOUT, steps, metric) for _ in range(2))
    assert first.digest == second.digest
    assert first.feedback.any()
    assert not fit_prediction(parameters, LAYOUT, steps).feedback.any()


@pytest.mark.parametrize("frames", [16, 20, 40])
def test_a_short_enrolment_is_enough(frames):
    tables = fit_prediction(parameters_of(face_states(frames, size=3)), LAYOUT, np.full(15, 0.02))
    assert PredictionTables.parse(bytes(tables)).digest == tables.digest


def test_too_short_an_enrolment_is_refused():
    with pytest.raises(TablesError, match="16 frames"):
        fit_prediction(parameters_of(face_states(15, size=3)), LAYOUT, np.full(15, 0.02))


@given(st.integers(0, len(DATA) - 1))
def test_cut_tables_are_refused(length):
    with pytest.raises(TablesError):
        PredictionTables.parse(DATA[:length])


@given(st.binary(max_size=400))
def test_random_bytes_are_refused(data):
    for attempt in (data, b"NCPR\x01\x00" + data, b"NCPR\x02\x00" + data):
        with pytest.raises(TablesError):
            PredictionTables.parse(attempt)


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_changed_tables_are_refused_or_valid(position, change):
    data = bytearray(DATA)
    data[position] ^= change
    try:
        tables = PredictionTables.parse(bytes(data))
    except TablesError:
        return
    assert bytes(tables) == bytes(data)
    assert tables.digest != literal_prediction().digest


ROWS_AT = len(DATA) - 3 * (4 * 4 + 5) - 2 * GAPS * 15
EDGES_AT = len(DATA) - 3 * (4 * 4 + 5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DATA + b"\0", "1 bytes too many"),
        (b"NCPR\x03\x00" + DATA[6:], "version 3 and this program reads 2: enrol"),
        (b"NCPR\x01\x00\x00", "coefficients, not 0"),
        (b"NCPR\x01\x00\xff", "coefficients, not 255"),
        (b"NCPR\x01\x00\x80", "cut off"),
        (b"NCPR\x02\x00\x03", "cut off"),
        (b"NCPR\x02\x00\x03\x13" + bytes(9), "2 to 18 numbers, not 19"),
        (DATA[:7] + bytes(4) + DATA[11:], "step"),
        (DATA[: 7 + 60] + struct.pack("<i", 1 << 30) + DATA[7 + 64 :], "centres"),
        (DATA[:ROWS_AT] + b"\xff" + DATA[ROWS_AT + 1 :], "row that no bank"),
        (DATA[:EDGES_AT] + b"\xff\xff\xff\xff" + DATA[EDGES_AT + 4 :], "out of order"),
        (b"NCPR" + bytes(2 << 20), "no prediction tables"),
    ],
)
def test_hostile_tables_are_refused_without_allocating(data, reason):
    tracemalloc.start()
    try:
        with pytest.raises(TablesError, match=reason):
            PredictionTables.parse(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_shapes_are_those_that_the_format_names():
    point = fitted_prediction().points[0]
    assert point.trend.shape == (GAPS, 2, 42)
    assert point.rows.shape == (2, GAPS, 42)
    assert point.shifts.shape == (GROUPS, CLASSES)
    assert len(fitted_prediction().points) == len(OPERATING_POINTS)
