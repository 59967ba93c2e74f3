"""Smoothing of the solved pose and expression: the One-Euro filter (Casiez, Roussel, Vogel 2012) on the right spaces.

A low-pass filter whose cut-off grows with speed: still faces are smoothed hard, moving ones hardly at all. The rotation
is filtered on the group, in the tangent space at the last estimate; depth apart from the two directions that a camera
sees well; each expression coefficient on its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.person import Parameters
from codec.rotation import matrix_to_rotation_vector, rotation_vector_to_matrix

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class OneEuroSettings:
    """Of one filtered quantity."""

    rest_cutoff: float
    """Hz, of a quantity that does not change."""
    slope: float
    """Hz of cut-off per unit of speed (unit per second)."""
    speed_cutoff: float
    """Hz, of the low-pass filter on the speed."""


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Of the whole state."""

    rotation: OneEuroSettings = OneEuroSettings(2.0, 40.0, 4.0)
    """Per radian."""
    position: OneEuroSettings = OneEuroSettings(2.0, 4.0, 4.0)
    """Per centimetre across the picture."""
    depth: OneEuroSettings = OneEuroSettings(1.0, 1.0, 4.0)
    """Per centimetre towards the camera."""
    expression: OneEuroSettings = OneEuroSettings(3.0, 8.0, 6.0)
    """Per unit of a coefficient."""


def smoothing_factor(cutoff: NDArray[np.floating] | float, interval: float) -> Array:
    """Return the weight of the new sample in a first-order low-pass filter of ``cutoff`` Hz after ``interval`` s."""
    angular = 2.0 * np.pi * interval * np.asarray(cutoff, np.float64)
    factor: Array = angular / (1.0 + angular)
    return factor


class _Channel:
    """The speed estimate and gain of one quantity; with ``joint`` all components share one gain."""

    def __init__(self, settings: OneEuroSettings, size: int, joint: bool) -> None:
        self._settings = settings
        self._joint = joint
        self._speed = np.zeros(size)
        self._last: Array | None = None

    def gain(self, change: Array, interval: float) -> Array:
        """Return the gain after the input changed by ``change`` within ``interval`` seconds."""
        settings = self._settings
        self._speed += smoothing_factor(settings.speed_cutoff, interval) * (change / interval - self._speed)
        magnitude = np.linalg.norm(self._speed) if self._joint else np.abs(self._speed)
        return smoothing_factor(settings.rest_cutoff + settings.slope * magnitude, interval)


class StateFilter:
    """Filters one face's parameters frame after frame; make a new one when a face appears anew."""

    def __init__(self, settings: FilterSettings | None = None) -> None:
        settings = settings or FilterSettings()
        self._rotation = _Channel(settings.rotation, 3, joint=True)
        self._position = _Channel(settings.position, 2, joint=True)
        self._depth = _Channel(settings.depth, 1, joint=True)
        self._settings = settings
        self._expression: _Channel | None = None
        self._input: Parameters | None = None
        self._output: Parameters | None = None
        self._time = 0.0

    def update(self, parameters: Parameters, timestamp: float) -> Parameters:
        """Return the smoothed parameters at ``timestamp`` seconds, which must not run backwards."""
        before, output = self._input, self._output
        if before is None or output is None:
            self._expression = _Channel(self._settings.expression, len(parameters.expression), joint=False)
            output = parameters
        else:
            assert self._expression is not None
            interval = max(timestamp - self._time, 1e-3)
            turn = matrix_to_rotation_vector(parameters.rotation @ before.rotation.T)
            rotation_gain = self._rotation.gain(turn, interval)
            correction = matrix_to_rotation_vector(parameters.rotation @ output.rotation.T)
            moved = parameters.centre - before.centre
            centre_gain = np.append(
                np.broadcast_to(self._position.gain(moved[:2], interval), 2), self._depth.gain(moved[2:], interval)
            )
            expression_gain = self._expression.gain(parameters.expression - before.expression, interval)
            output = Parameters(
                rotation_vector_to_matrix(rotation_gain * correction) @ output.rotation,
                output.centre + centre_gain * (parameters.centre - output.centre),
                output.expression + expression_gain * (parameters.expression - output.expression),
            )
        self._input, self._output, self._time = parameters, output, timestamp
        return output
