"""Fitting coding tables to the frames of an enrolment.

Floating point is used freely here: the results are integers, and only those reach the coder. A minute of footage has
few independent frames, so the predictor is a ridge regression whose penalty is chosen on held-out stretches, and the
frequencies are fitted to the residuals of those held-out stretches: the tables expect what unseen frames will bring.
"""

from collections.abc import Sequence
from functools import cache
from math import erf, radians, sqrt

import numpy as np
from numpy.typing import NDArray

from codec.entropy import MAX_RADIUS, ResidualTable, normalise_frequencies
from codec.errors import TablesError
from codec.face_state import MAX_TORSO_SIZE, MIN_TORSO_SIZE, HeadPose
from codec.parameters import ParameterLayout, pose_parameters
from codec.quantiser import step_units

WEIGHT_BITS = 12
"""Predictor weights are integers in units of 2**-12."""

MIN_FRAMES = 16

_STEP_RANGE = (0.05, 0.5)
"""Finer than the first is finer than any tracker, coarser than the second shows as steps in time."""

_FOLDS = 5
_PENALTIES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 10.0)
_UNSEEN = 0.06
"""Share of each table, at most, that goes to a Laplace distribution three times as wide as what was seen."""

_ESCAPE_SHARE = 2e-3
"""The radius of a table is where the mass beyond falls below this."""


def parameter_steps(
    layout: ParameterLayout,
    expression_step: float | NDArray[np.floating],
    rotation_step: float,
    picture_step: float,
    focal: float,
) -> NDArray[np.int64]:
    """Return the steps (D,) in units of 2**-20; see :meth:`codec.tables.CodecTables.fit` for the arguments.

    A torso is mostly still, sharp and before a still background, where a sixteenth of a pixel shows as flicker.
    """
    offset = picture_step / 256
    pose = [radians(rotation_step)] * 3 + [offset / focal] * 2 + [4 * offset]
    torso = [0.5 * offset] * 2 + [2 * offset] * (layout.torso_size - MIN_TORSO_SIZE)
    steps = [*pose, *torso, *np.broadcast_to(np.asarray(expression_step, np.float64), (layout.expression_size,))]
    return np.array([step_units(float(step)) for step in steps], np.int64)


def expression_steps(sensitivity: NDArray[np.floating], picture_error: float) -> NDArray[np.float64]:
    """Return the expression steps (E,) that spend the fewest bits on a given error of the picture.

    ``sensitivity`` (E,) is the RMS change of the picture per unit of each component, and ``picture_error`` the RMS
    change that quantising all of them together may make, in the same unit. At the optimum every component adds the same
    error (reverse water-filling): step_k = sqrt(12 / E) picture_error / sensitivity_k, kept within 0.05 and 0.5.
    """
    allowed = sqrt(12 / len(sensitivity)) * picture_error
    return np.clip(allowed / np.maximum(np.asarray(sensitivity, np.float64), 1e-12), *_STEP_RANGE)


def training_parameters(
    expressions: NDArray[np.float64], poses: Sequence[HeadPose], torsos: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the parameters (N, D) of an enrolment, T of them torso; :class:`TablesError` when it cannot be fitted."""
    if expressions.ndim != 2 or len(expressions) != len(poses):
        raise TablesError(f"There are {len(poses)} poses for expressions of shape {expressions.shape}.")
    sized = np.ndim(torsos) == 2 and MIN_TORSO_SIZE <= np.shape(torsos)[1] <= MAX_TORSO_SIZE
    if not sized or len(torsos) != len(poses):
        raise TablesError(f"There are torsos of shape {np.shape(torsos)} for {len(poses)} poses.")
    if len(expressions) < MIN_FRAMES:
        raise TablesError(f"Tables need {MIN_FRAMES} frames with a face, not {len(expressions)}: enrol for longer.")
    if not np.isfinite(expressions).all():
        raise TablesError("The enrolment's expressions hold numbers that are not finite: enrol again.")
    if not np.isfinite(torsos).all():
        raise TablesError("The enrolment's torsos hold numbers that are not finite: enrol again.")
    return np.concatenate([np.stack([pose_parameters(pose) for pose in poses]), torsos, expressions], axis=1)


def fit_predictor(symbols: NDArray[np.int64]) -> tuple[list[int], list[list[int]], NDArray[np.int64]]:
    """Fit the intra-frame prediction to ``symbols`` (N, D).

    Returns the centres (D,), the rows of integer weights, and the residuals (N, D) of each frame under a predictor
    fitted to frames of other stretches of time.
    """
    frames = symbols.astype(np.float64)
    stretches = np.array_split(np.arange(len(frames)), _FOLDS)
    held_out = {}
    for penalty in _PENALTIES:
        parts = []
        for stretch in stretches:
            seen = np.delete(frames, stretch, axis=0)
            centre = seen.mean(axis=0)
            weights = ridge_rows(seen - centre, penalty)
            offsets = frames[stretch] - centre
            parts.append(offsets - offsets @ weights.T)
        held_out[penalty] = np.concatenate(parts)
    # The code length of a Laplace-like residual grows as the logarithm of its mean size, in each parameter.
    best = min(_PENALTIES, key=lambda penalty: float(np.log(np.abs(held_out[penalty]).mean(axis=0) + 0.3).sum()))
    centres = np.rint(frames.mean(axis=0))
    units = weight_units(ridge_rows(frames - centres, best))
    rows = [units[k, :k].tolist() for k in range(len(units))]
    return [int(centre) for centre in centres], rows, np.rint(held_out[best]).astype(np.int64)


def fit_table(residuals: NDArray[np.int64]) -> ResidualTable:
    """Return the frequency table for residuals like ``residuals`` (N,).

    The density is a mixture of centred, discretised Gaussian and Laplace components of many widths, with weights from
    expectation maximisation: smooth, peaked or heavy-tailed as the data asks, and never zero. What hardly ever moved is
    not expected to begin: what never did in 300 frames costs less than 0.01 bits a frame.
    """
    sizes, counts = np.unique(np.minimum(np.abs(residuals), MAX_RADIUS), return_counts=True)
    components = _components()
    likelihood = components[:, sizes]
    prior = 0.5
    weights = np.full(len(components), 1 / len(components))
    for _ in range(200):
        share = weights[:, None] * likelihood
        share /= share.sum(axis=0)
        weights = share @ counts + prior / len(components)
        weights /= weights.sum()
    typical = float(np.abs(residuals).mean()) + 0.3
    wide = _laplace(np.arange(MAX_RADIUS + 1), 3 * typical)
    unseen = min(_UNSEEN, (np.count_nonzero(residuals) + 1) / len(residuals))
    density = (1 - unseen) * (weights @ components) + unseen * wide
    beyond = 1 - (density[0] + 2 * np.concatenate([[0.0], np.cumsum(density[1:])]))
    radius = int(np.argmax(beyond < _ESCAPE_SHARE)) if (beyond < _ESCAPE_SHARE).any() else MAX_RADIUS
    radius = max(radius, 2)
    escape = max(float(beyond[radius]), _ESCAPE_SHARE / 4)
    return ResidualTable(normalise_frequencies([*density[radius:0:-1], *density[: radius + 1], escape]))


def ridge_rows(offsets: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """Return strictly lower triangular weights (D, D) that predict each column of ``offsets`` from those before it."""
    deviation = np.sqrt((offsets**2).mean(axis=0)) + 0.3
    scaled = offsets / deviation
    covariance = scaled.T @ scaled / len(scaled)
    weights = np.zeros_like(covariance)
    for k in range(1, len(weights)):
        weights[k, :k] = np.linalg.solve(covariance[:k, :k] + penalty * np.eye(k), covariance[:k, k])
    scaled_back: NDArray[np.float64] = weights * deviation[:, None] / deviation[None, :]
    return scaled_back


def weight_units(weights: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return ``weights`` as the 16-bit integers that tables hold, in units of 2**-12; what is larger is limited."""
    rounded = np.rint(weights * (1 << WEIGHT_BITS)).astype(np.int64)
    return np.clip(rounded, -(1 << 15), (1 << 15) - 1)


@cache
def _components() -> NDArray[np.float64]:
    """Return the probability of residual 0..1023 (one sign) under each component (C, 1024)."""
    sizes = np.arange(MAX_RADIUS + 1)
    widths = 0.1 * sqrt(2.0) ** np.arange(26)
    return np.stack([density(sizes, width) for width in widths for density in (_gaussian, _laplace)]) + 1e-12


def _gaussian(sizes: NDArray[np.int64], deviation: float) -> NDArray[np.float64]:
    """Return the mass of a centred Gaussian between ``sizes`` - 1/2 and ``sizes`` + 1/2."""
    below = np.array([erf((size - 0.5) / (deviation * sqrt(2))) for size in range(len(sizes) + 1)])
    mass: NDArray[np.float64] = 0.5 * np.diff(below)[sizes]
    return mass


def _laplace(sizes: NDArray[np.int64], scale: float) -> NDArray[np.float64]:
    """Return the mass of a centred Laplace distribution between ``sizes`` - 1/2 and ``sizes`` + 1/2."""
    tail = 0.5 * np.exp(-(sizes + 0.5) / scale)
    inner = np.concatenate([[0.5], tail[:-1]])
    mass: NDArray[np.float64] = inner - tail
    mass[0] *= 2
    return mass
