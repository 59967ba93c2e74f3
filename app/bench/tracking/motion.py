"""How exact, how steady and how late a tracked stretch of footage is."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.bench.signals import jitter, lag, rotation_jitter
from app.tracking.estimator import Estimate
from app.tracking.landmarker import Landmarks
from app.tracking.person import PersonModel, denormalise, normalise
from app.tracking.solver import LandmarkSolver

Array = NDArray[np.float64]
REFERENCE_SIDE = 256
"""Landmark jitter is given in pixels of a picture whose shorter side is this long."""


def motion_figures(
    person: PersonModel,
    size: tuple[int, int],
    landmarks: Sequence[Landmarks | None],
    estimates: Sequence[Estimate],
    smoothed: Sequence[Landmarks | None],
) -> dict[str, float]:
    """Return errors, jitter and lag by the names in `app.bench.tracking.record.FIGURES`; NaN where no frame has a face.

    Args:
        person: whose face it is.
        size: width and height of the pictures, pixels.
        landmarks: of each frame, as the estimator got them.
        estimates: of each frame.
        smoothed: of each frame, with the smoothing of MediaPipe.
    """
    solver = LandmarkSolver(person)
    count = len(estimates)
    mask = np.array([estimate.solved is not None for estimate in estimates])
    detected, solved_points, filtered_points = (np.zeros((count, 478, 2)) for _ in range(3))
    rotations = {name: np.tile(np.eye(3), (count, 1, 1)) for name in ("mediapipe", "solved", "filtered")}
    expressions = {name: np.zeros((count, person.basis.shape[2])) for name in ("solved", "filtered")}
    errors = []
    for row, (found, estimate) in enumerate(zip(landmarks, estimates, strict=True)):
        if found is None or estimate.solved is None or estimate.smoothed is None:
            continue
        detected[row] = found.points
        solved_points[row] = denormalise(person.project(estimate.solved), *size)
        filtered_points[row] = denormalise(person.project(estimate.smoothed), *size)
        rotations["mediapipe"][row] = _nearest_rotation(found.transform[:3, :3])
        rotations["solved"][row], rotations["filtered"][row] = estimate.solved.rotation, estimate.smoothed.rotation
        expressions["solved"][row] = estimate.solved.expression
        expressions["filtered"][row] = estimate.smoothed.expression
        errors.append(solver.errors(estimate.solved, normalise(found.points, *size)))
    percent = 100.0 * np.concatenate(errors) if errors else np.array([np.nan])
    pixels = REFERENCE_SIDE / min(size)
    figures = {
        "reprojection_median_percent": float(np.median(percent)),
        "reprojection_p95_percent": float(np.percentile(percent, 95)),
        "rotation_jitter_mediapipe_smoothed_degrees": _smoothed_jitter(smoothed),
        "landmark_jitter_detected_px": pixels * jitter(detected, mask),
        "landmark_jitter_solved_px": pixels * jitter(solved_points, mask),
        "landmark_jitter_filtered_px": pixels * jitter(filtered_points, mask),
        "rotation_lag_frames": lag(rotations["filtered"].reshape(-1, 9), rotations["solved"].reshape(-1, 9), mask),
        "expression_lag_frames": lag(expressions["filtered"], expressions["solved"], mask),
    }
    for name, matrices in rotations.items():
        figures[f"rotation_jitter_{name}_degrees"] = rotation_jitter(matrices, mask)
    for name, values in expressions.items():
        figures[f"expression_jitter_{name}"] = jitter(values, mask)
    return figures


def _smoothed_jitter(landmarks: Sequence[Landmarks | None]) -> float:
    """Return the jitter in degrees of the rotation of MediaPipe's matrices."""
    rotations = [np.eye(3) if found is None else _nearest_rotation(found.transform[:3, :3]) for found in landmarks]
    return rotation_jitter(np.stack(rotations), np.array([found is not None for found in landmarks]))


def _nearest_rotation(matrix: NDArray[np.floating]) -> Array:
    """Return the rotation (3, 3) nearest to ``matrix``, which MediaPipe scales."""
    left, _, right = np.linalg.svd(matrix.astype(np.float64))
    rotation: Array = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    return rotation
