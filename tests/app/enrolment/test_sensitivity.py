"""What numbers do to a picture, where that is known."""

import numpy as np
import pytest
import torch
from torch import nn

from app.enrolment.sensitivity import ERROR_SHARE, person_prediction, picture_metric
from codec.parameters import ParameterLayout
from renderer.camera import Camera
from tests.codec.faces import face_states
from tests.codec.predictions import parameters_of

SIZE = 3
LAYOUT = ParameterLayout(6, SIZE)


class LinearAvatar(nn.Module):
    """The upper half shows the first coefficient, the lower one the sum of the first two; the third shows nowhere."""

    PROBE_SIDE = 64
    camera = Camera(2.0, 0.5, 0.5)

    def __init__(self) -> None:
        super().__init__()
        self.anything = nn.Parameter(torch.zeros(1))

    def render(self, expression, rotation, translation, torso, width, height):
        picture = torch.zeros(height, width, 3)
        picture[: height // 2] = 128 + 40 * expression[0]
        picture[height // 2 :] = 128 + 40 * (expression[0] + expression[1])
        return picture


def parameters() -> np.ndarray:
    return 0.3 * parameters_of(face_states(60, size=SIZE))


def test_the_metric_is_that_of_the_picture() -> None:
    unit = (40 / 255) ** 2
    metric = picture_metric(LinearAvatar(), parameters(), LAYOUT)[LAYOUT.expression, LAYOUT.expression] / unit
    np.testing.assert_allclose(metric[:2, :2], [[1.0, 0.5], [0.5, 0.5]], atol=2e-3)
    assert 0.0 < metric[2, 2] < 1e-3


def test_tables_follow_from_it() -> None:
    avatar = LinearAvatar()
    metric = picture_metric(avatar, parameters(), LAYOUT)
    psnr = [20 * np.log10(255 * ERROR_SHARE / error) for error in (1.0, 4.0)]
    fine, coarse = (person_prediction(parameters(), LAYOUT, metric, field_psnr) for field_psnr in psnr)
    steps = [tables.quantiser.steps[LAYOUT.expression] for tables in (fine, coarse)]
    assert steps[1][0] == pytest.approx(4 * steps[0][0], rel=1e-3)
    # What the picture hardly shows gets the coarsest step there is.
    assert steps[0][2] > steps[0][0]
    # An error of the first coefficient is made up for by the second, which shows in half of the picture with it.
    assert fine.feedback[LAYOUT.expression.start + 1, LAYOUT.expression.start] > 0
