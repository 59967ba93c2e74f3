"""Motions of a head, and what they do to its picture."""

import numpy as np
import pytest

from app.tracking.head_motion import MOTIONS, motion_gradients, moved
from tests.app.tracking.patterned_head import CAMERA, colours, posed, surface


@pytest.mark.parametrize(
    ("motion", "place", "sign"),
    [([0.01, 0, 0, 0, 0, 0], 0, 1), ([0, 0.01, 0, 0, 0, 0], 1, -1), ([0, 0, 0.05, 0, 0, 0], 2, 1)],
)
def test_motions_are_named_as_they_are_seen(motion: list[float], place: int, sign: int) -> None:
    """To the right, down (y is up), nearer (z is negative)."""
    start = posed().pose
    end = moved(start, np.array(motion), CAMERA.focal)
    assert sign * (end.translation - start.translation)[place] > 0.1
    np.testing.assert_allclose(end.rotation, np.eye(3), atol=1e-6)


@pytest.mark.parametrize("motion", range(MOTIONS))
@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.1, 0.3, -0.1)])
def test_gradients_are_those_of_pictures_of_moved_heads(motion: int, turn: tuple[float, float, float]) -> None:
    """Finite differences of exact pictures; within the outline, where colours are smooth."""
    side, step = 192, 2e-3
    state = posed(turn, (2.0, -1.0, -64.0))

    def exact(pose) -> np.ndarray:
        return colours(surface(pose, side)[1], np.zeros(2)).astype(np.float32)

    distance, _ = surface(state.pose, side)
    inner = np.isfinite(distance)
    for _ in range(12):
        inner[1:-1, 1:-1] &= inner[:-2, 1:-1] & inner[2:, 1:-1] & inner[1:-1, :-2] & inner[1:-1, 2:]
    rows, columns = np.nonzero(inner)
    away = distance[rows, columns].astype(np.float32)
    found = motion_gradients(exact(state.pose), away, rows, columns, state.pose, CAMERA)[..., motion]
    ends = [exact(moved(state.pose, sign * step * np.eye(MOTIONS)[motion], CAMERA.focal)) for sign in (1, -1)]
    true = ((ends[0] - ends[1]) / (2 * step))[rows, columns]
    assert np.abs(true).max() > 0.1
    correlation = (found * true).sum() / np.sqrt((found**2).sum() * (true**2).sum())
    assert correlation > 0.98
    assert (found * true).sum() / (true**2).sum() == pytest.approx(1.0, abs=0.06)
