"""From landmarks to the state of the face, frame by frame and causal: solve, filter, notice loss and return."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.tracking.filter import FilterSettings, StateFilter
from app.tracking.landmarker import Landmarks
from app.tracking.person import Parameters, PersonModel, normalise
from app.tracking.solver import LandmarkSolver, SolverSettings
from codec.face_state import EXPRESSION_SIZE, FaceState, HeadPose

MAX_ERROR = 0.06
"""Median reprojection error, in parts of the eye-corner distance, above which a followed face is given up."""
APPEARING_ERROR = 0.024
"""The same for a face that appears: below it the person of the calibration is, above it what only looks like a face."""
STRANGER_ERROR = 0.04
"""The same for a face that is fitted with the average person's shape."""
MIN_VISIBLE = 0.6
"""Part of the landmarks that must lie within the picture: beyond it the landmarker guesses."""
MAX_GAP_SECONDS = 0.5
"""After a gap as long as this between two frames the last state says nothing about the next one."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """One frame in detail."""

    state: FaceState
    """What is sent and rendered."""
    solved: Parameters | None
    """Before the filter; None without a face."""
    smoothed: Parameters | None
    """After the filter; None without a face."""
    error: float
    """Median reprojection error of the solution, in parts of the eye-corner distance; NaN without a face."""


class StateEstimator:
    """Turns one person's landmarks into face states. The live tracker and enrolment both use it, to the same result."""

    def __init__(
        self,
        person: PersonModel,
        image_width: int,
        image_height: int,
        solver: SolverSettings | None = None,
        smoothing: FilterSettings | None = None,
        appearing_error: float = APPEARING_ERROR,
    ) -> None:
        self.person = person
        self._size = image_width, image_height
        self._solver = LandmarkSolver(person, solver)
        self._smoothing = smoothing
        self._appearing_error = appearing_error
        self._filter = StateFilter(smoothing)
        self._solved: Parameters | None = None
        self._seen_at = -np.inf
        self._held = FaceState(np.zeros(EXPRESSION_SIZE, np.float32), HeadPose.at_rest(), 0.0, present=False)

    def update(self, landmarks: Landmarks | None, timestamp: float) -> FaceState:
        """Return the state at ``timestamp`` seconds; without a face it holds the last one, marked as not present."""
        return self.estimate(landmarks, timestamp).state

    def estimate(self, landmarks: Landmarks | None, timestamp: float) -> Estimate:
        """Return the state with its intermediate results."""
        if landmarks is None or not self._mostly_visible(landmarks.points):
            return self._absent(timestamp)
        seen = normalise(landmarks.points, *self._size)
        solved = None
        if self._solved is not None and timestamp - self._seen_at <= MAX_GAP_SECONDS:
            solved = self._accepted(self._solver.follow(self._solved, seen), seen, MAX_ERROR)
        if solved is None:
            # A face that has appeared, or one that has jumped so far that one step does not reach it.
            self._filter = StateFilter(self._smoothing)
            solved = self._accepted(self._solver.start(seen), seen, self._appearing_error)
        if solved is None:
            return self._absent(timestamp)
        error = float(np.median(self._solver.errors(solved, seen)))
        self._solved, self._seen_at = solved, timestamp
        smoothed = self._filter.update(solved, timestamp)
        state = FaceState(smoothed.expression.astype(np.float32), self.person.head_pose(smoothed), timestamp)
        self._held = state
        return Estimate(state, solved, smoothed, error)

    def _accepted(self, solved: Parameters, seen: NDArray[np.float64], limit: float) -> Parameters | None:
        """Return ``solved`` unless it is no face: the model does not fit, or lies behind the camera."""
        # Written so that a NaN fails as well.
        fits = solved.centre[2] < 0.0 and np.median(self._solver.errors(solved, seen)) <= limit
        return solved if fits else None

    def _mostly_visible(self, points: NDArray[np.float32]) -> bool:
        inside = np.all((points >= 0.0) & (points <= self._size), axis=1)
        return bool(inside.mean() >= MIN_VISIBLE)

    def _absent(self, timestamp: float) -> Estimate:
        self._solved = None
        state = replace(self._held, timestamp=timestamp, present=False)
        return Estimate(state, None, None, float("nan"))
