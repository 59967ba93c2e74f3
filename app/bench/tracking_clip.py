"""Measures the face tracker on one clip."""

import time

import numpy as np
from numpy.typing import NDArray

from app.bench.signals import jitter, lag, rotation_jitter
from app.capture.source import open_source
from app.progress import Progress
from app.tracking.calibration import NoFaceError
from app.tracking.estimator import Estimate, StateEstimator
from app.tracking.filter import StateFilter
from app.tracking.landmarker import Landmarks
from app.tracking.morphable_model import MorphableModel
from app.tracking.person import denormalise, normalise
from app.tracking.solver import LandmarkSolver
from app.tracking.tracker import LandmarkTrack, open_landmarker, person_model

Array = NDArray[np.float64]
REFERENCE_SIDE = 256
"""Landmark jitter is given in pixels of a picture whose shorter side is this long."""


def measure_clip(clip: str) -> dict[str, float | str]:
    """Track ``clip`` and return the figures named in `app.bench.tracking.COLUMNS`.

    Raises:
        SourceError: the clip cannot be read.
        NoFaceError: its first half shows no face.
    """
    track, smoothed, decode, detect = _detect(clip)
    model = MorphableModel.load()
    half = len(track.landmarks) // 2
    first = LandmarkTrack(track.landmarks[:half], track.timestamps[:half], track.width, track.height)
    try:
        person = person_model(model, first.calibrate(model))
    except NoFaceError as error:
        raise NoFaceError(f"the first half of {clip} cannot be measured: {error}") from error
    estimator = StateEstimator(person, track.width, track.height)
    estimates: list[Estimate] = []
    started = time.perf_counter()
    for landmarks, timestamp in zip(track.landmarks, track.timestamps, strict=True):
        estimates.append(estimator.estimate(landmarks, timestamp))
    estimate_seconds = time.perf_counter() - started
    filter_seconds = _filter_seconds(estimates)
    frames = len(estimates)
    milliseconds = {
        "decode_ms": 1e3 * decode / frames,
        "landmarks_ms": 1e3 * detect / frames,
        "solve_ms": 1e3 * (estimate_seconds - filter_seconds) / frames,
        "filter_ms": 1e3 * filter_seconds / frames,
    }
    return {
        "clip": clip,
        "frames": frames,
        "tracked": sum(estimate.state.present for estimate in estimates),
        **_accuracy(estimator, track, estimates, half),
        "rotation_jitter_mediapipe_smoothed_degrees": _smoothed_jitter(smoothed[half:]),
        **milliseconds,
        "total_ms": sum(milliseconds.values()),
    }


def _detect(clip: str) -> tuple[LandmarkTrack, list[Landmarks | None], float, float]:
    """Return the clip's landmarks, those that MediaPipe smooths, and the seconds spent on decoding and detecting."""
    smoothed: list[Landmarks | None] = []
    decode = detect = 0.0
    with open_source(clip) as source, open_landmarker() as landmarker, open_landmarker(faces=1) as default_landmarker:
        track = LandmarkTrack([], [], source.width, source.height)
        with Progress(source.frame_count, f"tracking {source.name}") as progress:
            before = time.perf_counter()
            for frame in source.frames():
                decoded = time.perf_counter()
                track.landmarks.append(landmarker.detect(frame.image, frame.timestamp))
                track.timestamps.append(frame.timestamp)
                detected = time.perf_counter()
                decode += decoded - before
                detect += detected - decoded
                smoothed.append(default_landmarker.detect(frame.image, frame.timestamp))
                progress.update(len(track.timestamps))
                before = time.perf_counter()
    return track, smoothed, decode, detect


def _smoothed_jitter(landmarks: list[Landmarks | None]) -> float:
    """Return the jitter in degrees of the rotation of MediaPipe's matrices."""
    rotations = [np.eye(3) if found is None else _nearest_rotation(found.transform[:3, :3]) for found in landmarks]
    return rotation_jitter(np.stack(rotations), np.array([found is not None for found in landmarks]))


def _filter_seconds(estimates: list[Estimate]) -> float:
    """Return how long the filter alone takes for all frames: it is too fast to be timed in between."""
    state_filter = StateFilter()
    started = time.perf_counter()
    for estimate in estimates:
        if estimate.solved is not None:
            state_filter.update(estimate.solved, estimate.state.timestamp)
    return time.perf_counter() - started


def _accuracy(
    estimator: StateEstimator, track: LandmarkTrack, estimates: list[Estimate], begin: int
) -> dict[str, float]:
    """Return errors, jitter and lag of the frames from ``begin`` on."""
    person = estimator.person
    solver = LandmarkSolver(person)
    size = track.width, track.height
    frames = range(begin, len(estimates))
    mask = np.array([estimates[index].solved is not None for index in frames])
    if not mask.any():
        return {name: float("nan") for name in _FIGURES}
    zeros = np.zeros((len(frames), 478, 2))
    detected, solved_points, filtered_points = zeros, zeros.copy(), zeros.copy()
    rotations = {name: np.tile(np.eye(3), (len(frames), 1, 1)) for name in ("mediapipe", "solved", "filtered")}
    expressions = {name: np.zeros((len(frames), person.basis.shape[2])) for name in ("solved", "filtered")}
    errors = []
    for row, index in enumerate(frames):
        landmarks, estimate = track.landmarks[index], estimates[index]
        if landmarks is None or estimate.solved is None or estimate.smoothed is None:
            continue
        detected[row] = landmarks.points
        solved_points[row] = denormalise(person.project(estimate.solved), *size)
        filtered_points[row] = denormalise(person.project(estimate.smoothed), *size)
        rotations["mediapipe"][row] = _nearest_rotation(landmarks.transform[:3, :3])
        rotations["solved"][row], rotations["filtered"][row] = estimate.solved.rotation, estimate.smoothed.rotation
        expressions["solved"][row] = estimate.solved.expression
        expressions["filtered"][row] = estimate.smoothed.expression
        errors.append(solver.errors(estimate.solved, normalise(landmarks.points, *size)))
    percent = 100.0 * np.concatenate(errors)
    pixels = REFERENCE_SIDE / min(size)
    figures = {
        "reprojection_median_percent": float(np.median(percent)),
        "reprojection_p95_percent": float(np.percentile(percent, 95)),
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
    assert set(figures) == set(_FIGURES)
    return figures


_FIGURES = (
    *(f"reprojection_{name}_percent" for name in ("median", "p95")),
    *(f"rotation_jitter_{name}_degrees" for name in ("mediapipe", "solved", "filtered")),
    *(f"landmark_jitter_{name}_px" for name in ("detected", "solved", "filtered")),
    *(f"expression_jitter_{name}" for name in ("solved", "filtered")),
    *(f"{name}_lag_frames" for name in ("rotation", "expression")),
)


def _nearest_rotation(matrix: NDArray[np.floating]) -> Array:
    """Return the rotation (3, 3) nearest to ``matrix``, which MediaPipe scales."""
    left, _, right = np.linalg.svd(matrix.astype(np.float64))
    rotation: Array = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    return rotation
