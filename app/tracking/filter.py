"""Smoothing of the solved pose and expression: damped constant-velocity (alpha-beta) filters on the right spaces.

An alpha-beta filter predicts each frame from the last position and velocity and corrects both by fixed parts of what
the measurement tells otherwise: a steady-state Kalman filter of a face that keeps its velocity. A first-order low-pass
filter, the One-Euro filter among them, follows a moving face late by as much as it smooths; here steady motion is
followed without lag, and what remains above about 6 Hz, where landmark noise outweighs motion, is suppressed.

The rotation is filtered on the group, in the tangent space at the prediction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.tracking.person import Parameters
from codec.rotation import matrix_to_rotation_vector, rotation_vector_to_matrix

Array = NDArray[np.float64]

NOMINAL_INTERVAL = 0.04
"""Seconds between frames for which the gains are given; other intervals keep the same time constants."""


@dataclass(frozen=True, slots=True)
class Gains:
    """Of one filtered quantity, at the nominal interval."""

    position: float
    """alpha: how much of a surprise moves the position at once, in (0, 1]."""
    velocity: float
    """beta: how much of it is taken for a change of velocity, in [0, 1]."""
    persistence: float
    """How much of the velocity is expected to last until the next frame, in [0, 1]."""

    def after(self, interval: float) -> "Gains":
        """Return the gains for frames ``interval`` seconds apart."""
        frames = interval / NOMINAL_INTERVAL
        return Gains(
            1.0 - (1.0 - self.position) ** frames, 1.0 - (1.0 - self.velocity) ** frames, self.persistence**frames
        )


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Of the whole state."""

    rotation: Gains = Gains(0.68, 0.42, 0.85)
    position: Gains = Gains(0.75, 0.45, 0.85)
    """Across the picture."""
    depth: Gains = Gains(0.6, 0.3, 0.85)
    """Towards the camera, which a camera sees badly."""
    expression: Gains = Gains(0.75, 0.45, 0.8)


class StateFilter:
    """Filters one face's parameters frame after frame; make a new one when a face appears anew."""

    def __init__(self, settings: FilterSettings | None = None) -> None:
        self._settings = settings or FilterSettings()
        self._output: Parameters | None = None
        self._time = 0.0
        self._turning = np.zeros(3)
        self._moving = np.zeros(3)
        self._changing: Array | float = 0.0

    def update(self, parameters: Parameters, timestamp: float) -> Parameters:
        """Return the smoothed parameters at ``timestamp`` seconds, which must not run backwards."""
        last = self._output
        if last is None:
            self._output, self._time = parameters, timestamp
            return parameters
        interval = max(timestamp - self._time, 1e-3)
        settings = self._settings
        turn, across, along, change = (
            gains.after(interval)
            for gains in (settings.rotation, settings.position, settings.depth, settings.expression)
        )

        turning = turn.persistence * self._turning
        predicted = rotation_vector_to_matrix(turning * interval) @ last.rotation
        surprise = matrix_to_rotation_vector(parameters.rotation @ predicted.T)
        rotation = rotation_vector_to_matrix(turn.position * surprise) @ predicted
        self._turning = turning + turn.velocity * surprise / interval

        moves = [across, across, along]
        centre, self._moving = _corrected(
            last.centre,
            self._moving,
            parameters.centre,
            interval,
            np.array([gains.position for gains in moves]),
            np.array([gains.velocity for gains in moves]),
            np.array([gains.persistence for gains in moves]),
        )
        expression, self._changing = _corrected(
            last.expression,
            self._changing,
            parameters.expression,
            interval,
            change.position,
            change.velocity,
            change.persistence,
        )
        self._output, self._time = Parameters(rotation, centre, expression), timestamp
        return self._output


def _corrected(
    last: Array,
    speed: Array | float,
    measured: Array,
    interval: float,
    position_gain: Array | float,
    velocity_gain: Array | float,
    persistence: Array | float,
) -> tuple[Array, Array]:
    """Return the new position and velocity of a vector."""
    expected = persistence * speed
    predicted = last + expected * interval
    surprise = measured - predicted
    return predicted + position_gain * surprise, expected + velocity_gain * surprise / interval
