"""Gradients by the expression, taken once and looked up where the head has turned to."""

from dataclasses import replace

import numpy as np
import pytest

from app.tracking.expression_gradients import ExpressionGradients
from tests.app.tracking.patterned_head import CAMERA, colours, posed, surface

SIDE = 96


def floats(state) -> np.ndarray:
    distance, points = surface(state.pose, SIDE)
    return np.where(np.isfinite(distance)[..., None], colours(points, state.expression), 0.5).astype(np.float32)


def taken(spread=(1.0, 1.0)) -> ExpressionGradients:
    return ExpressionGradients.of(floats, posed(), np.array(spread, np.float32), CAMERA)


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 0.35, 0.0), (-0.2, 0.0, 0.1)])
def test_they_turn_with_the_head(turn: tuple[float, float, float]) -> None:
    state = posed(turn, (1.0, 0.5, -57.0), (0.5, -0.5))
    distance, points = surface(state.pose, SIDE)
    seen = np.isfinite(distance)
    found = taken().at(points[seen].astype(np.float32))
    for number in range(2):
        change = np.eye(2)[number]
        true = colours(points[seen], state.expression + change) - colours(points[seen], state.expression)
        assert np.abs(true).max() > 0.05
        assert np.abs(found[..., number] - true).max() < 0.3 * np.abs(true).max()
        assert np.corrcoef(found[..., number].ravel(), true.ravel())[0, 1] > 0.97


def test_what_rest_does_not_show_has_none() -> None:
    beside = np.array([[200.0, 0.0, 0.0], [0.0, -200.0, 0.0]], np.float32)
    assert not taken().at(beside).any()


def test_each_number_is_changed_by_a_part_of_what_is_usual_for_it() -> None:
    asked = []

    def picture(state) -> np.ndarray:
        asked.append(state.expression)
        return floats(state)

    rest = replace(posed(), expression=np.array([0.2, -0.1], np.float32))
    ExpressionGradients.of(picture, rest, np.array([1.0, 10.0], np.float32), CAMERA)
    changes = np.array(asked) - rest.expression
    assert len(asked) == 4
    np.testing.assert_allclose(np.abs(changes).max(0), [0.7, 7.0], rtol=1e-5)
