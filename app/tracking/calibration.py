"""Fits a person's identity, the focal length and the landmark offsets to well-spread frames of one recording."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError
from app.tracking.calibration_record import FOCAL_RANGE, Calibration, CalibrationError
from app.tracking.landmark_tables import LandmarkTables
from app.tracking.landmarker import Landmarks
from app.tracking.morphable_model import MorphableModel
from app.tracking.person import Parameters, PersonModel, normalise
from app.tracking.solver import LandmarkSolver, SolverSettings

__all__ = ["Calibration", "CalibrationError", "CalibrationFit", "NoFaceError", "calibrate", "spread_frames"]

Array = NDArray[np.float64]
ReportProgress = Callable[[float, float], None]
"""Called with the work done and the work in all."""

KEY_FRAMES = 40
"""Errors repeat from frame to frame, so that more frames than these add time but no knowledge."""
MIN_FRAMES = 5
EFFECTIVE_FRAMES = 10.0
"""All frames together count as so many independent ones against the priors."""
IDENTITY_SIGMA = 0.3
"""Of an identity coefficient: landmarks are biased, so that a free identity would fit their bias, not the person."""
LOG_FOCAL_SIGMA = 0.25
OFFSET_SIGMA = 0.3
"""Centimetres."""
SHAPE_ROUNDS = 8
OFFSET_ROUNDS = 6
MAX_LOG_FOCAL_STEP = 0.2
ODD_FRAME = 2.0
"""A frame that the average person fits so many times worse than the median frame shows something else: left out."""


class NoFaceError(UserError):
    """The pictures show no face, or too few of them do."""


def calibrate(
    landmarks: Sequence[Landmarks | None],
    image_width: int,
    image_height: int,
    model: MorphableModel,
    progress: ReportProgress | None = None,
    key_frames: int = KEY_FRAMES,
) -> Calibration:
    """Return the calibration of the person whose ``landmarks`` were found in a recording.

    Up to ``key_frames`` frames that differ most in pose and expression are chosen and fitted together: bundle
    adjustment over their poses and expressions, the identity and the focal length; then the landmarks' static offsets
    from what remains.

    Raises:
        NoFaceError: a face is seen in fewer than five frames.
    """
    found = [normalise(frame.points, image_width, image_height) for frame in landmarks if frame is not None]
    if len(found) < MIN_FRAMES:
        raise NoFaceError(
            f"a face is seen in {len(found)} of {len(landmarks)} pictures; at least {MIN_FRAMES} are needed"
        )
    frames = [found[index] for index in spread_frames(np.stack(found), key_frames)]
    return CalibrationFit(LandmarkTables.of(model), frames).run(progress)


def spread_frames(points: Array, count: int, rounds: int = 5) -> list[int]:
    """Choose up to ``count`` of the frames ``points`` (N, 478, 2) so that they cover how the face looks.

    k-means on the principal components of the landmarks' shape; the frame nearest to each cluster's mean stands for it.
    Single odd frames (a blur, a wrong detection) so weigh no more than others. Deterministic.
    """
    if len(points) <= count:
        return list(range(len(points)))
    # Many frames of a long recording are alike: a stride bounds the work.
    stride = -(-len(points) // 3000)
    shapes = points[::stride] - points[::stride].mean(axis=1, keepdims=True)
    shapes = shapes / np.sqrt((shapes**2).sum(axis=(1, 2), keepdims=True))
    flat = shapes.reshape(len(shapes), -1)
    flat = flat - flat.mean(axis=0)
    _, _, directions = np.linalg.svd(flat[:: max(1, len(flat) // 400)], full_matrices=False)
    features = flat @ directions[:8].T
    # The root evens out what turns of the head outweigh: the mouth and the eyes count as well.
    features /= np.sqrt(features.std(axis=0) + 1e-9)
    centres = features[np.linspace(0, len(features) - 1, count).astype(int)]
    for _ in range(rounds):
        nearest = _squared_distances(features, centres).argmin(axis=1)
        for cluster in range(count):
            members = features[nearest == cluster]
            if len(members):
                centres[cluster] = members.mean(axis=0)
    chosen = np.unique(_squared_distances(features, centres).argmin(axis=0)) * stride
    return [int(index) for index in chosen]


def _squared_distances(features: Array, centres: Array) -> Array:
    """Return (N, K)."""
    distances: Array = (features**2).sum(axis=1)[:, None] - 2 * features @ centres.T + (centres**2).sum(axis=1)
    return distances


class CalibrationFit:
    """Bundle adjustment of one person over ``frames``, landmarks (478, 2) in picture heights."""

    def __init__(self, tables: LandmarkTables, frames: Sequence[Array], settings: SolverSettings | None = None) -> None:
        self.tables = tables
        self.frames = frames
        self.settings = settings or SolverSettings()
        self.calibration = Calibration.mean_face(len(tables.identity), tables.digest)
        self.data_weight = min(1.0, EFFECTIVE_FRAMES / len(frames))

    def run(self, progress: ReportProgress | None = None) -> Calibration:
        """Fit and return the calibration."""
        report = progress or (lambda done, total: None)
        total = SHAPE_ROUNDS + 2 * OFFSET_ROUNDS
        solver = self._solver()
        states = self._leave_out_odd_frames(solver, [solver.start(frame) for frame in self.frames])
        for index in range(SHAPE_ROUNDS):
            states = self._shape_round(states)
            report(index + 1, total)
        for index in range(OFFSET_ROUNDS):
            states = self._offset_round(states)
            report(SHAPE_ROUNDS + 2 * index + 1, total)
            states = self._shape_round(states)
            report(SHAPE_ROUNDS + 2 * index + 2, total)
        return self.calibration

    def _leave_out_odd_frames(self, solver: LandmarkSolver, states: list[Parameters]) -> list[Parameters]:
        """Forget frames in which the landmarker took something else for the face; returns the states of the others."""
        errors = np.array(
            [np.median(solver.errors(state, seen)) for state, seen in zip(states, self.frames, strict=True)]
        )
        kept = np.flatnonzero(errors <= ODD_FRAME * np.median(errors)).tolist()
        self.frames = [self.frames[index] for index in kept]
        return [states[index] for index in kept]

    def _solver(self) -> LandmarkSolver:
        return LandmarkSolver(PersonModel(self.tables, self.calibration), self.settings)

    def _shape_round(self, states: list[Parameters]) -> list[Parameters]:
        """One Gauss-Newton step on identity and focal length; each frame's own unknowns are eliminated (Schur)."""
        solver = self._solver()
        person = solver.person
        count = len(self.calibration.identity)
        shared = np.diag(np.append(np.full(count, IDENTITY_SIGMA**-2), LOG_FOCAL_SIGMA**-2))
        start_focal = Calibration.mean_face(count, self.tables.digest).focal
        right = np.append(
            -self.calibration.identity / IDENTITY_SIGMA**2,
            -np.log(self.calibration.focal / start_focal) / LOG_FOCAL_SIGMA**2,
        )
        for state, seen in zip(states, self.frames, strict=True):
            own_rows, residual = solver.weighted_rows(state, seen)
            shared_rows = solver.weight_rows(self._shared_jacobian(person, state))
            normal, gradient = solver.regularise(state.expression, own_rows.T @ own_rows, own_rows.T @ residual)
            cross = own_rows.T @ shared_rows
            eliminated = np.linalg.solve(normal, np.column_stack([cross, gradient]))
            shared += self.data_weight * (shared_rows.T @ shared_rows - cross.T @ eliminated[:, :-1])
            right += self.data_weight * (shared_rows.T @ residual - cross.T @ eliminated[:, -1])
        step = np.linalg.solve(shared, right)
        log_focal_step = float(np.clip(step[-1], -MAX_LOG_FOCAL_STEP, MAX_LOG_FOCAL_STEP))
        focal = float(np.clip(self.calibration.focal * np.exp(log_focal_step), *FOCAL_RANGE))
        ratio = focal / self.calibration.focal
        self.calibration = Calibration(
            self.calibration.identity + step[:-1], focal, self.calibration.landmark_offsets, self.tables.digest
        )
        # A longer lens at a greater distance shows nearly the same picture: the faces move along.
        moved = [Parameters(state.rotation, state.centre * (1.0, 1.0, ratio), state.expression) for state in states]
        solver = self._solver()
        return [solver.step(solver.step(state, seen), seen) for state, seen in zip(moved, self.frames, strict=True)]

    def _shared_jacobian(self, person: PersonModel, state: Parameters) -> Array:
        """Return (2, 478, K + 1): derivatives of the seen landmarks by identity and log focal, in cm at the face."""
        rows = person.projection_rows(state)
        turned = rows @ state.rotation
        by_identity = np.einsum("alx,klx->alk", turned, self.tables.identity - person.identity_pivots[:, None, :])
        # The longer lens is followed by the face's distance (see above), which leaves the change of perspective.
        camera = person.camera_points(state)
        relative = (camera[:, 2] - state.centre[2]) / camera[:, 2]
        by_focal = (camera[:, :2] * (state.centre[2] / camera[:, 2] * relative)[:, None]).T
        return np.concatenate([by_identity, by_focal[:, :, None]], axis=2)

    def _offset_round(self, states: list[Parameters]) -> list[Parameters]:
        """Set every landmark's static offset to the least-squares solution of what the frames leave over."""
        solver = self._solver()
        person = solver.person
        normal = np.tile(np.eye(3) / OFFSET_SIGMA**2, (len(self.tables.mean), 1, 1))
        right = -self.calibration.landmark_offsets / OFFSET_SIGMA**2
        noise = self.data_weight / self.settings.landmark_sigma**2
        for state, seen in zip(states, self.frames, strict=True):
            predicted = person.project(state)
            residual = (seen - predicted) / person.face_scale(state)
            rows = (person.projection_rows(state) @ state.rotation).transpose(1, 0, 2)
            normal += noise * rows.transpose(0, 2, 1) @ rows
            right = right + noise * np.einsum("lax,la->lx", rows, residual)
        step = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        self.calibration = Calibration(
            self.calibration.identity,
            self.calibration.focal,
            self.calibration.landmark_offsets + step,
            self.tables.digest,
        )
        solver = self._solver()
        return [solver.step(state, seen) for state, seen in zip(states, self.frames, strict=True)]
