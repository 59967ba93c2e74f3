import numpy as np
import pytest

from codec.decoder import FrameDecoder
from codec.encoder import FrameEncoder
from codec.errors import TablesError
from codec.noise_feedback import factor, feedback_weights, metric_steps
from codec.parameters import ParameterLayout
from codec.prediction_fitting import fit_prediction
from tests.codec.faces import AVATAR, face_states, fitted_tables
from tests.codec.predictions import coupled_metric, parameters_of


def test_the_factors_are_those_of_the_metric():
    metric = coupled_metric(7)
    lower, weights = factor(metric, damping=0.0)
    np.testing.assert_allclose(lower.T @ np.diag(weights) @ lower, metric, atol=1e-12)
    np.testing.assert_array_equal(np.triu(lower), np.eye(7))


def test_without_coupling_each_number_is_by_itself():
    metric = np.diag([1.0, 4.0, 16.0])
    steps = metric_steps(metric, 0.1, np.ones(3), damping=0.0)
    np.testing.assert_allclose(steps, steps[0] / [1, 2, 4])
    assert np.sqrt((steps**2 * np.diag(metric)).sum() / 12) == pytest.approx(0.1)
    assert not feedback_weights(metric, steps).any()


def test_steps_are_bounded_by_what_the_number_does():
    steps = metric_steps(np.diag([1e-12, 1e12]), 1.0, np.array([2.0, 3.0]))
    np.testing.assert_allclose(steps, [5.0, 0.06])


def test_two_numbers_that_do_the_same_make_up_for_each_other():
    metric = np.array([[1.0, 1.0], [1.0, 1.0]]) + 1e-9 * np.eye(2)
    weights = feedback_weights(metric, np.ones(2), damping=0.0)
    assert weights[1, 0] == pytest.approx(1.0)


@pytest.mark.parametrize("metric", [-np.eye(3), np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_what_is_no_metric_is_refused(metric):
    with pytest.raises(TablesError, match="metric"):
        factor(metric)


def test_the_picture_suffers_less_at_the_same_rate():
    """Both coders have the same steps; one knows that the numbers act on the same pixels."""
    states, later = face_states(500), face_states(120, seed=9)
    parameters, wanted = parameters_of(states), parameters_of(later)
    deviations = parameters.std(0)
    metric = coupled_metric(42) / np.outer(deviations, deviations)
    steps = metric_steps(metric, 1.5, deviations)
    error, sizes = {}, {}
    for known in (None, metric):
        tables = fit_prediction(parameters, ParameterLayout(6, 30), steps, known)
        encoder = FrameEncoder(fitted_tables(), AVATAR, prediction=tables)
        decoder = FrameDecoder(fitted_tables(), AVATAR, prediction=tables)
        errors, size = [], 0
        for state, parameter in zip(later, wanted, strict=True):
            packet = bytes(encoder.encode(state))
            decoder.decode(packet, state.timestamp)
            difference = tables.parameters(decoder.record(decoder.sequence).values) - parameter
            errors.append(difference @ metric @ difference)
            size += len(packet)
            encoder.acknowledge((decoder.sequence,))
        error[known is None], sizes[known is None] = np.sqrt(np.mean(errors[3:])), size
    assert error[False] < 0.85 * error[True]
    assert sizes[False] < 1.08 * sizes[True]
