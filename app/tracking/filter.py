"""Smoothing of the solved pose and expression: speed-adaptive constant-velocity (alpha-beta) filters.

An alpha-beta filter predicts each frame from the last position and velocity and corrects both by parts of what the
measurement tells otherwise: a steady-state Kalman filter of a face that keeps its velocity. A first-order low-pass
filter, the One-Euro filter (Casiez, Roussel, Vogel 2012) among them, follows a moving face late by as much as it
smooths; here steady motion is followed all but without lag, and at the same jitter the error is half of the One-Euro
filter's. Its idea is kept: the gains grow with speed, because jitter shows on a still face and lag on a moving one.

The rotation is filtered on the group, in the tangent space at the prediction; the three directions of the position have
gains of their own, for a camera sees depth badly; each coefficient of the expression adapts to its own speed.
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
    """Of one filtered quantity, at the nominal interval. Each gain is in (0, 1)."""

    still: tuple[float, float]
    """alpha and beta at rest: how much of a surprise moves the position at once, and how much the velocity."""
    moving: tuple[float, float]
    """The same at high speed."""
    speed: float
    """Halfway between the two, in units a second."""
    persistence: float = 0.9
    """How much of the velocity is expected to last until the next frame."""

    def at(self, speed: Array, interval: float) -> tuple[Array, Array, float]:
        """Return alpha, beta and persistence at ``speed`` (...) for frames ``interval`` seconds apart."""
        frames = interval / NOMINAL_INTERVAL
        motion = speed**2 / (speed**2 + self.speed**2)
        alpha, beta = (
            1.0 - (1.0 - (still + (moving - still) * motion)) ** frames
            for still, moving in zip(self.still, self.moving, strict=True)
        )
        return alpha, beta, self.persistence**frames


@dataclass(frozen=True, slots=True)
class FilterSettings:
    """Of the whole state."""

    rotation: Gains = Gains((0.55, 0.3), (0.8, 0.55), speed=0.2)
    """Radians."""
    position: Gains = Gains((0.8, 0.5), (0.95, 0.7), speed=2.5)
    """Centimetres across the picture."""
    depth: Gains = Gains((0.4, 0.2), (0.7, 0.4), speed=5.0)
    """Centimetres towards the camera."""
    expression: Gains = Gains((0.7, 0.45), (0.88, 0.6), speed=1.0, persistence=0.8)
    """Units of a coefficient."""


class VectorFilter:
    """One filtered vector; its components share one gain, or each has its own."""

    def __init__(self, gains: Gains, start: Array, joint: bool) -> None:
        """Begin at rest at ``start`` (...)."""
        self._gains = gains
        self._joint = joint
        self.value = start
        self._velocity = np.zeros_like(start)

    def update(self, measured: Array, interval: float) -> None:
        """Take in what is measured (...) ``interval`` seconds after the last time; `value` is the result."""
        speed = np.linalg.norm(self._velocity, axis=-1, keepdims=True) if self._joint else np.abs(self._velocity)
        alpha, beta, persistence = self._gains.at(speed, interval)
        velocity = persistence * self._velocity
        predicted = self.value + velocity * interval
        surprise = measured - predicted
        self.value = predicted + alpha * surprise
        self._velocity = velocity + beta * surprise / interval


class _Rotation:
    """A filtered rotation; its velocity is a rotation vector a second, in camera space."""

    def __init__(self, gains: Gains, start: Array) -> None:
        self._gains = gains
        self.value = start
        self._velocity = np.zeros(3)

    def update(self, measured: Array, interval: float) -> None:
        alpha, beta, persistence = self._gains.at(np.linalg.norm(self._velocity, axis=-1, keepdims=True), interval)
        velocity = persistence * self._velocity
        predicted = rotation_vector_to_matrix(velocity * interval) @ self.value
        surprise = matrix_to_rotation_vector(measured @ predicted.T)
        self.value = rotation_vector_to_matrix(alpha * surprise) @ predicted
        self._velocity = velocity + beta * surprise / interval


class StateFilter:
    """Filters one face's parameters frame after frame; make a new one when a face appears anew."""

    def __init__(self, settings: FilterSettings | None = None) -> None:
        self._settings = settings or FilterSettings()
        self._parts: tuple[_Rotation, VectorFilter, VectorFilter, VectorFilter] | None = None
        self._time = 0.0

    def update(self, parameters: Parameters, timestamp: float) -> Parameters:
        """Return the smoothed parameters at ``timestamp`` seconds, which must not run backwards."""
        settings = self._settings
        if self._parts is None:
            self._parts = (
                _Rotation(settings.rotation, parameters.rotation),
                VectorFilter(settings.position, parameters.centre[:2], joint=True),
                VectorFilter(settings.depth, parameters.centre[2:], joint=True),
                VectorFilter(settings.expression, parameters.expression, joint=False),
            )
            self._time = timestamp
            return parameters
        rotation, position, depth, expression = self._parts
        interval = max(timestamp - self._time, 1e-3)
        self._time = timestamp
        rotation.update(parameters.rotation, interval)
        position.update(parameters.centre[:2], interval)
        depth.update(parameters.centre[2:], interval)
        expression.update(parameters.expression, interval)
        return Parameters(rotation.value, np.concatenate([position.value, depth.value]), expression.value)
