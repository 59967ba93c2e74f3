"""What each number of a face does to the picture, and the prediction tables that follow from it."""

from math import radians
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from codec.face_state import MIN_TORSO_SIZE
from codec.noise_feedback import metric_steps
from codec.parameters import ParameterLayout, state_from_parameters
from codec.prediction import PredictionTables
from codec.prediction_fitting import fit_prediction
from renderer.avatar import Avatar
from renderer.portrait import Portrait

ERROR_SHARE: Final = 0.25
"""RMS change of a pixel by the rounding of all numbers together, at the point "normal", as a share of how far the field
itself is off the real picture. The receiver's filter takes a third off its square, and where tracking is off as well it
counts for less: it lowers PSNR by 0.04 to 0.17 dB. The better the field, the finer the steps."""

ERROR_RANGE: Final = (0.5 / 255, 6.0 / 255)
"""What is finer nobody sees, and what is coarser shows as trembling, however poor the field."""

PROBE_FRAMES: Final = 6

_ROTATION: Final = radians(0.2)
_PIXELS: Final = 0.5 / 256
_EXPRESSION: Final = 0.25


def picture_metric(avatar: Portrait, parameters: NDArray[np.float64], layout: ParameterLayout) -> NDArray[np.float64]:
    """Return the mean over pixels and some frames of J^T J, for the picture's derivative J by the numbers of a frame.

    Args:
        avatar: that renders them.
        parameters: (N, D) of the enrolment, see `codec.parameters.state_parameters`.
        layout: of the D parameters.

    Returns:
        (D, D), of pictures in [0, 1]. The picture's mean square change by a small change e of the parameters
        is ``e^T H e``.
    """
    probes = _probes(layout, avatar.camera.focal)
    chosen = np.linspace(0, len(parameters) - 1, PROBE_FRAMES).round().astype(int)
    metric = np.zeros((len(probes), len(probes)))
    for row in parameters[chosen]:
        changes = []
        for index, probe in enumerate(probes):
            offset = np.zeros(len(probes))
            offset[index] = probe
            sides = (_picture(avatar, row + sign * offset, layout) for sign in (1, -1))
            changes.append(np.subtract(*sides) / (2 * probe))
        derivative = np.stack(changes)
        metric += derivative @ derivative.T / (derivative.shape[1] * PROBE_FRAMES)
    # A number that no picture shows still has a place, so that it is not rounded away altogether.
    floor: NDArray[np.float64] = np.diag(np.maximum(1e-6 / 255**2 / probes**2, 1e-4 * np.diag(metric)))
    return metric + floor


def person_prediction(
    parameters: NDArray[np.float64], layout: ParameterLayout, metric: NDArray[np.float64], field_psnr: float
) -> PredictionTables:
    """Return the prediction tables of a person.

    Args:
        parameters: (N, D) of the enrolment in the order of time.
        layout: of the D parameters.
        metric: of the person's picture, see `picture_metric`.
        field_psnr: of the field against real pictures that it was not trained on, dB.

    Raises:
        TablesError: too few frames.
    """
    picture_error = float(np.clip(ERROR_SHARE * 10.0 ** (-field_psnr / 20.0), *ERROR_RANGE))
    return fit_prediction(parameters, layout, metric_steps(metric, picture_error, parameters.std(axis=0)), metric)


def _probes(layout: ParameterLayout, focal: float) -> NDArray[np.float64]:
    """Return by how much each number (D,) is changed: about as much as rounding does."""
    pose = [_ROTATION] * 3 + [_PIXELS / focal] * 2 + [4 * _PIXELS]
    torso = [_PIXELS] * MIN_TORSO_SIZE + [4 * _PIXELS] * (layout.torso_size - MIN_TORSO_SIZE)
    return np.array([*pose, *torso, *[_EXPRESSION] * layout.expression_size])


def _picture(avatar: Portrait, parameters: NDArray[np.float64], layout: ParameterLayout) -> NDArray[np.float32]:
    state = state_from_parameters(parameters, layout, 0.0, present=True)
    device = next(avatar.parameters()).device

    def tensor(values: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(np.array(values)).to(device)

    given = (
        tensor(state.expression),
        tensor(state.pose.rotation),
        tensor(state.pose.translation),
        tensor(state.torso),
        avatar.PROBE_SIDE,
        avatar.PROBE_SIDE,
    )
    with torch.inference_mode():
        # What a number changes shows without smooth outlines, in half the time.
        picture = avatar.render(*given, smooth=False) if isinstance(avatar, Avatar) else avatar.render(*given)
    flat: NDArray[np.float32] = (picture.float() / 255).flatten().cpu().numpy()
    return flat
