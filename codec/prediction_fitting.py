"""Fitting prediction tables to the frames of one enrolment.

Floating point is used freely here: the results are integers, and only those reach the coder. References are rounded as
a sender rounds them, so that the weights know of the noise of rounding and the rows of the bank of what it costs.
"""

from dataclasses import replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from codec.adaptive import laplace_bank
from codec.cross_prediction import CrossPrediction
from codec.entropy import MAX_RADIUS
from codec.errors import TablesError
from codec.frame_record import GAPS
from codec.noise_feedback import Matrix, feedback_weights
from codec.operating_point import OPERATING_POINTS, OperatingPoint
from codec.parameters import ParameterLayout
from codec.post_filter_fitting import fit_post_filter
from codec.predicted_frame import DEAD_ZONE
from codec.prediction import CLASSES, GROUPS, SUBDIVISION, PointTables, PredictionTables
from codec.quantiser import STEP_SCALE, Quantiser
from codec.table_fitting import MIN_FRAMES, WEIGHT_BITS, ridge_rows, weight_units

TYPICAL_GAP: Final = 3
"""Frames between a reference and the frame predicted from it, at a round trip of 0.1 s: what holds for all gaps is
fitted here."""
MOST_FRAMES: Final = 4000
"""That tables are fitted to, the last ones; more tell nothing new."""

_RIDGE = 0.1
_CROSS_PRIOR = 400.0
"""Frames that speak for a number telling nothing of another."""
_CROSS_FOLDS = 5
_PRIOR = 25.0
"""Frames that speak for a number staying where it is: of a minute's enrolment they are forgotten."""
_QUANTILES = (0.25, 0.5, 0.75, 0.9)
_FEW = 20
"""Frames of one degree of motion, from which on it gets rows of its own."""
_FARTHEST_SHIFT = 6


def fit_prediction(
    parameters: NDArray[np.float64],
    layout: ParameterLayout,
    steps: NDArray[np.floating],
    metric: Matrix | None = None,
) -> PredictionTables:
    """Return the tables of a person.

    Args:
        parameters: (N, D) of the enrolment in the order of time, at about 25 frames a second, N >= 16; see
            `codec.table_fitting.training_parameters`.
        layout: of the D parameters.
        steps: (D,) of the point "normal", units of the parameters.
        metric: (D, D) of the picture, see `codec.noise_feedback`; without it, numbers are rounded one by one.

    Raises:
        TablesError: too few frames, or a metric that is none.
    """
    if len(parameters) < MIN_FRAMES:
        raise TablesError(f"Tables need {MIN_FRAMES} frames with a face, not {len(parameters)}: enrol for longer.")
    quantiser = Quantiser(layout, np.rint(np.asarray(steps, np.float64) * STEP_SCALE).astype(np.int64))
    exact = quantiser.steps / STEP_SCALE
    # From here on everything counts in steps.
    frames = np.clip(parameters[-MOST_FRAMES:] / exact, quantiser.lowest, quantiser.highest)
    owed = np.zeros((len(exact),) * 2) if metric is None else feedback_weights(metric, exact)
    centre = np.rint(frames.mean(axis=0) * SUBDIVISION) / SUBDIVISION
    normal = next(point for point in OPERATING_POINTS if point.halves == 2)
    typical = _Fit(frames - centre, _rounded(frames - centre, owed, normal), normal, TYPICAL_GAP, True)
    matrix = weight_units(_cross_terms(typical))
    told = typical.told(matrix)
    innovation = weight_units(ridge_rows(typical.innovations() - told, _RIDGE))
    # What is told looks truer in the frames that it was learnt from: that of the usual gap counts as 1.
    unit = max(_share(told, typical.innovations()), 1.0)
    points, gains = zip(
        *(_fit_point(layout, frames - centre, owed, innovation, matrix, unit, point) for point in OPERATING_POINTS),
        strict=True,
    )
    tables = PredictionTables(
        quantiser,
        np.rint(centre * SUBDIVISION).astype(np.int64),
        innovation,
        weight_units(np.tril(owed, -1)),
        points,
        CrossPrediction(matrix, weight_units(np.stack(gains))),
    )
    return replace(tables, post_filter=fit_post_filter(tables, parameters, TYPICAL_GAP))


class _Fit:
    """Prediction over one gap, with the frame before the reference or without it; everything in steps."""

    def __init__(
        self,
        frames: NDArray[np.float64],
        known: NDArray[np.float64],
        point: OperatingPoint,
        gap: int,
        second: bool,
    ) -> None:
        lag, back = gap * point.stride, point.stride if second else 0
        first = min(lag + back, len(frames))
        self.targets = frames[first:]
        self.newest = known[first - lag : len(frames) - lag] if len(self.targets) else frames[:0]
        self.moved = self.newest - (known[: len(self.targets)] if second else self.newest)
        a, b, n = self.newest, self.moved, self.targets
        # Least squares of each number by itself, towards the prior that it stays where it is.
        aa, ab, bb = (a * a).sum(0) + _PRIOR, (a * b).sum(0), (b * b).sum(0) + _PRIOR
        an, bn = (a * n).sum(0) + _PRIOR, (b * n).sum(0)
        if second:
            determinant = aa * bb - ab * ab
            self.weights = np.stack([(an * bb - bn * ab) / determinant, (bn * aa - an * ab) / determinant])
        else:
            self.weights = np.stack([an / aa, np.zeros_like(an)])

    @property
    def known(self) -> NDArray[np.float64]:
        """Places and motions (n, 2 D) of all numbers."""
        return np.concatenate((self.newest, self.moved), axis=1)

    def told(self, matrix: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return what the numbers tell of each other (n, D)."""
        told: NDArray[np.float64] = self.known @ matrix.T / (1 << WEIGHT_BITS)
        return told

    def innovations(self) -> NDArray[np.float64]:
        """Return what each number's own prediction in time leaves (n, D)."""
        left: NDArray[np.float64] = self.targets - self.weights[0] * self.newest - self.weights[1] * self.moved
        return left


def _cross_terms(fit: _Fit) -> NDArray[np.float64]:
    """Return weights (D, 2 D) of what is known for what is not foreseen, by as much as that holds at other times."""
    known, innovations = fit.known, fit.innovations()
    told = np.zeros_like(innovations)
    for stretch in np.array_split(np.arange(len(known)), _CROSS_FOLDS):
        others = np.delete(np.arange(len(known)), stretch)
        told[stretch] = known[stretch] @ _ridge(known[others], innovations[others])
    holds = min(_share(told, innovations), 1.0)
    terms: NDArray[np.float64] = holds * _ridge(known, innovations).T
    return terms


def _ridge(known: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights (K, D) of ``known`` (n, K), brought to one scale, for what is ``wanted`` (n, D)."""
    spread = np.sqrt(np.square(known).sum(axis=0) / max(len(known), 1)) + 1e-3
    even = known / spread
    solved = np.linalg.solve(even.T @ even + _CROSS_PRIOR * np.eye(even.shape[1]), even.T @ wanted)
    weights: NDArray[np.float64] = solved / spread[:, None]
    return weights


def _share(told: NDArray[np.float64], innovations: NDArray[np.float64]) -> float:
    """Return how much of what is ``told`` (n, D) comes true: least squares over all numbers, each by its own scale."""
    weight = 1.0 / (np.square(innovations).sum(axis=0) + _PRIOR)
    share = (weight * told * innovations).sum() / ((weight * told * told).sum() + 1e-9)
    return float(np.clip(share, 0.0, 2.0))


def _fit_point(
    layout: ParameterLayout,
    frames: NDArray[np.float64],
    owed: Matrix,
    innovation: NDArray[np.int64],
    matrix: NDArray[np.int64],
    unit: float,
    point: OperatingPoint,
) -> tuple[PointTables, NDArray[np.float64]]:
    """Return the tables of a point, and its gains (16,) of cross terms."""
    known, size = _rounded(frames, owed, point), frames.shape[1]
    hold, trend = np.zeros((GAPS, size), np.int64), np.zeros((GAPS, 2, size), np.int64)
    rows = np.zeros((2, GAPS, size), np.int64)
    edges, shifts = np.zeros((GROUPS, CLASSES - 1), np.int64), np.zeros((GROUPS, CLASSES), np.int64)
    gains = np.zeros(GAPS)
    for gap in range(1, GAPS + 1):
        for order in (0, 1):
            fit = _Fit(frames, known, point, gap, bool(order))
            innovations = fit.innovations()
            if order:
                told = fit.told(matrix)
                gains[gap - 1] = _share(told, innovations) / unit
                innovations = innovations - gains[gap - 1] * told
            residuals = _residuals(innovations, innovation / (1 << WEIGHT_BITS), owed, point)
            # Beyond the enrolment's length nothing is known: as over the gap before.
            rows[order, gap - 1] = _best_rows(residuals) if len(residuals) else rows[order, gap - 2]
            if not order:
                hold[gap - 1] = weight_units(fit.weights[0])
                continue
            trend[gap - 1] = weight_units(fit.weights)
            if gap == TYPICAL_GAP and len(residuals):
                edges, shifts = _degrees(layout, fit.moved * SUBDIVISION, residuals, rows[order, gap - 1])
    return PointTables(hold, trend, rows, edges, shifts), gains


def _rounded(frames: NDArray[np.float64], owed: Matrix, point: OperatingPoint) -> NDArray[np.float64]:
    """Return frames (N, D) on the grid of a point's steps, each number making up for the errors before it."""
    step = point.halves / 2
    known = np.empty_like(frames)
    for index in range(frames.shape[1]):
        errors = known[:, :index] - frames[:, :index]
        known[:, index] = np.rint((frames[:, index] - errors @ owed[index, :index]) / step) * step
    return known


def _residuals(
    innovations: NDArray[np.float64], within: Matrix, owed: Matrix, point: OperatingPoint
) -> NDArray[np.int64]:
    """Return the residuals (N, D) that an encoder would make of ``innovations`` (N, D)."""
    step, share = point.halves / 2, DEAD_ZONE[0] / DEAD_ZONE[1]
    residuals, values = np.zeros(innovations.shape, np.int64), np.empty_like(innovations)
    for index in range(innovations.shape[1]):
        errors = values[:, :index] - innovations[:, :index]
        base = values[:, :index] @ within[index, :index]
        distance = innovations[:, index] - errors @ owed[index, :index] - base
        residuals[:, index] = np.sign(distance) * np.floor(np.abs(distance) / step + 1 - share)
        values[:, index] = base + step * residuals[:, index]
    return residuals


def _best_rows(residuals: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the row (D,) of the bank under which each column of ``residuals`` (N, D), N > 0, is shortest."""
    sizes = np.minimum(np.abs(residuals), MAX_RADIUS)
    # One frame's worth of a residual of one is added: what never moved may move yet.
    return np.array([int((_costs()[:, column].sum(axis=1) + _costs()[:, 1]).argmin()) for column in sizes.T], np.int64)


def _degrees(
    layout: ParameterLayout, moved: NDArray[np.float64], residuals: NDArray[np.int64], rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return from which sums (3, 4) of abs(``moved``) each degree of motion begins, and its shifts of rows (3, 5)."""
    edges = np.zeros((GROUPS, CLASSES - 1), np.int64)
    shifts = np.zeros((GROUPS, CLASSES), np.int64)
    costs, sizes = _costs(), np.minimum(np.abs(residuals), MAX_RADIUS)
    for index, group in enumerate(layout.groups):
        sums = np.abs(moved[:, group]).sum(axis=1)
        edges[index] = np.rint(np.quantile(sums, _QUANTILES)).astype(np.int64)
        degrees = np.searchsorted(edges[index], sums, side="right")
        for degree in range(CLASSES):
            these = sizes[degrees == degree][:, group]
            if len(these) < _FEW:
                continue
            candidates = range(-_FARTHEST_SHIFT, _FARTHEST_SHIFT + 1)
            shifted = [np.clip(rows[group] + shift, 0, len(costs) - 1) for shift in candidates]
            shifts[index, degree] = candidates[int(np.argmin([costs[row, these].sum() for row in shifted]))]
    return edges, shifts


@cache
def _costs() -> NDArray[np.float64]:
    """Return the code length (rows, 1024), bits, of a residual of each size under each row of the bank."""
    return np.array([[table.cost(size) for size in range(MAX_RADIUS + 1)] for table in laplace_bank()[0]])
