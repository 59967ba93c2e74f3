"""What our own tracker says of a video's face, frame by frame: what pose, landmark and expression metrics compare.

Both sides, reference and decoded, are tracked alike and as separate videos with the same person's calibration. Poses
are those of the frame itself, before the tracker's temporal filter, which would hide what trembles.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.capture.source import Frame
from app.tracking.calibration_record import Calibration
from app.tracking.estimator import StateEstimator
from app.tracking.landmarker import BLENDSHAPE_COUNT, LANDMARK_COUNT
from app.tracking.morphable_model import MorphableModel
from app.tracking.tracker import LandmarkTrack, detect_landmarks, open_landmarker, person_model

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFace:
    """One video."""

    found: NDArray[np.bool_]
    """(N,) whether the tracker holds on to the person's face."""
    points: Array
    """(N, 478, 2) pixels, NaN without a face."""
    angles: Array
    """(N, 3) yaw, pitch, roll in degrees, NaN without a face."""
    blendshapes: Array
    """(N, 52) scores in [0, 1], NaN without a face."""


def landmarks_of(frames: NDArray[np.uint8], fps: float) -> LandmarkTrack:
    """Find the landmarks in RGB frames (N, H, W, 3). Raises AssetError."""
    with open_landmarker() as landmarker:
        return detect_landmarks((Frame(frame, index / fps, index) for index, frame in enumerate(frames)), landmarker)


def tracked_face(track: LandmarkTrack, calibration: Calibration, model: MorphableModel) -> TrackedFace:
    """Solve the head pose of each frame of ``track``.

    Args:
        track: of a video.
        calibration: of the person, the focal length in heights of these pictures.
        model: the morphable model that the calibration was made with.

    Raises:
        CalibrationError: it was made with another one.
    """
    estimator = StateEstimator(person_model(model, calibration), track.width, track.height)
    count = len(track.timestamps)
    face = TrackedFace(
        np.zeros(count, bool),
        np.full((count, LANDMARK_COUNT, 2), np.nan),
        np.full((count, 3), np.nan),
        np.full((count, BLENDSHAPE_COUNT), np.nan),
    )
    for index, (landmarks, timestamp) in enumerate(zip(track.landmarks, track.timestamps, strict=True)):
        solved = estimator.estimate(landmarks, timestamp).solved
        if landmarks is None or solved is None:
            continue
        face.found[index] = True
        face.points[index] = landmarks.points
        face.angles[index] = euler_angles(solved.rotation)
        face.blendshapes[index] = landmarks.blendshapes
    return face


def euler_angles(rotation: Array) -> Array:
    """Return yaw, pitch and roll (3,) in degrees of a head-to-camera rotation (3, 3) = Ry(yaw) Rx(pitch) Rz(roll).

    Positive yaw turns the face towards the picture's right, positive pitch down, positive roll anticlockwise as seen.
    """
    yaw = np.arctan2(rotation[0, 2], rotation[2, 2])
    pitch = np.arcsin(np.clip(-rotation[1, 2], -1.0, 1.0))
    roll = np.arctan2(rotation[1, 0], rotation[1, 1])
    angles: Array = np.rad2deg(np.array([yaw, pitch, roll]))
    return angles
