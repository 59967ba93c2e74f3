"""The search for the best rounding: the best there is where all can be tried, and better than number by number."""

from functools import cache
from itertools import product

import numpy as np
import pytest

from codec.adaptive import laplace_bank
from codec.entropy import LENGTH_UNITS
from codec.frame_record import FrameClock, FrameRecord
from codec.noise_feedback import metric_steps
from codec.path_search import PATHS, best_path
from codec.predicted_frame import BIT_WORTH, encode_frame, step_units
from codec.prediction_fitting import fit_prediction
from tests.codec.faces import face_states
from tests.codec.predictions import coupled_metric, fitted_prediction, literal_prediction, parameters_of

STEP = 64


def burden(tables, predicted, target, residuals, rows, step=STEP):
    """Return what is minimised, and the values, of the first numbers of a frame."""
    share, whole = BIT_WORTH
    values, errors, total = predicted.copy(), np.zeros_like(predicted), 0.0
    for index, residual in enumerate(residuals):
        base = tables.within(index, int(predicted[index]), values[:index] - predicted[:index])
        owed = (int(tables.feedback[index, :index] @ errors[:index]) + 2048) >> 12
        values[index] = base + residual * step
        errors[index] = values[index] - target[index]
        total += ((target[index] - owed - values[index]) / step) ** 2
        total += share / whole * rows[index].length(residual) / LENGTH_UNITS
    return total, values


@pytest.mark.parametrize("seed", range(5))
def test_of_four_numbers_it_finds_the_best_of_all_roundings(seed):
    tables, rng = literal_prediction(), np.random.default_rng(seed)
    rows = [laplace_bank()[0][index] for index in (6, 7, 9, 11)]
    predicted = tables.centres.copy()
    target = predicted + rng.integers(-150, 150, len(predicted))
    residuals, values = best_path(tables, predicted, target, STEP, rows, BIT_WORTH, 4**4)
    best = min(burden(tables, predicted, target, tried, rows)[0] for tried in product(range(-4, 5), repeat=len(rows)))
    found, made = burden(tables, predicted, target, residuals, rows)
    assert found == pytest.approx(best)
    np.testing.assert_array_equal(values, made)


@cache
def coupled():
    """Return tables of a picture in which the numbers act on the same pixels."""
    parameters, layout = parameters_of(face_states(300)), fitted_prediction().layout
    metric = coupled_metric(layout.size)
    return fit_prediction(parameters, layout, metric_steps(metric, 0.1, parameters.std(axis=0)), metric)


def frames(count=60, gap=4):
    """Yield target, reference and the frame before it of faces that nothing was fitted to."""
    tables = coupled()
    rows = [tables.units(row) for row in parameters_of(face_states(count, seed=5))]
    for index in range(gap + 1, count):
        newest, before = (
            FrameRecord(index - back, FrameClock(40 * (index - back)), rows[index - back] // 64 * 64)
            for back in (gap, gap + 1)
        )
        yield index, rows[index], newest, before


def test_it_costs_less_than_rounding_number_by_number_and_more_paths_less_than_few():
    tables, totals = coupled(), []
    for paths in (1, 2, PATHS):
        total = 0.0
        for index, target, newest, before in frames():
            symbols, record = encode_frame(tables, 1, index, target, 40 * index, newest, before, paths)
            predicted = tables.predict(1, 4, newest.values, before.values)
            one, values = burden(tables, predicted, target, symbols.residuals[1:], symbols.tables[1:], step_units(1))
            np.testing.assert_array_equal(record.values, values)
            total += one
        totals.append(total)
    assert totals[2] < totals[1] < totals[0]
    assert totals[2] < 0.985 * totals[0]


@pytest.mark.parametrize("end", ["lowest", "highest"])
def test_values_stay_within_bounds(end):
    tables = literal_prediction()
    target = getattr(tables, end)
    rows = [laplace_bank()[0][12]] * len(target)
    residuals, values = best_path(tables, tables.centres, target, STEP, rows, BIT_WORTH)
    assert (values >= tables.lowest).all()
    assert (values <= tables.highest).all()
    assert len(residuals) == len(target)


def test_it_is_the_same_every_time():
    index, target, newest, before = next(frames())
    first, again = (encode_frame(coupled(), 1, index, target, 0, newest, before, PATHS) for _ in range(2))
    assert first[0].payload == again[0].payload
    assert first[1].values.dtype == np.int64
