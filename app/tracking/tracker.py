"""The face tracker: pictures in, face states out; live frame by frame, or a whole recording in two passes."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from app.assets import asset_path
from app.capture.source import Frame
from app.tracking.calibration import Calibration, CalibrationError, calibrate
from app.tracking.estimator import APPEARING_ERROR, STRANGER_ERROR, StateEstimator
from app.tracking.landmark_tables import LandmarkTables
from app.tracking.landmarker import FACES, FaceLandmarker, Landmarks
from app.tracking.morphable_model import MorphableModel
from app.tracking.person import PersonModel
from app.tracking.torso_template import TorsoTemplate
from app.tracking.torso_tracker import TorsoTracker
from codec.face_state import FaceState

LANDMARKER_ASSET = "face_landmarker.task"
STRANGER_FRAMES = 40
"""Found frames after which a tracker without a calibration makes its own, once."""
STRANGER_KEY_FRAMES = 12
"""Frames fitted for that: it takes about half a second, during which a live picture stands still."""
STRANGER_STRIDE = 3
"""Every so many found frames one is kept for that: neighbours say the same."""

ReportProgress = Callable[[float, float], None]
"""Called with the work done and the work in all."""


def open_landmarker(faces: int = FACES) -> FaceLandmarker:
    """Load the landmarker's model file from the user's cache, bringing it there first if need be.

    Raises:
        AssetError: the file cannot be had.
    """
    return FaceLandmarker(asset_path(LANDMARKER_ASSET), faces)


def person_model(model: MorphableModel, calibration: Calibration) -> PersonModel:
    """Return the landmark model of the calibrated person.

    Raises:
        CalibrationError: the calibration was made with another morphable model.
    """
    tables = LandmarkTables.of(model)
    if calibration.model_digest != tables.digest or len(calibration.identity) != len(tables.identity):
        raise CalibrationError("the tracker's calibration was made with another morphable model; enrol again")
    return PersonModel(tables, calibration)


class FaceTracker:
    """Tracks one person's face live.

    Without a calibration it starts as the average person and calibrates itself once, after a few seconds of face: good
    enough to look at, but the coefficients change their meaning at that moment. An avatar brings its own calibration.
    """

    def __init__(
        self,
        calibration: Calibration | None,
        landmarker: FaceLandmarker | None = None,
        torso: TorsoTemplate | None = None,
    ) -> None:
        """Load the models; without a template of the torso, it is left at rest.

        Raises:
            AssetError: the landmarker's model file cannot be had.
            CalibrationError: the calibration was made with another morphable model.
        """
        self._model = MorphableModel.load()
        if calibration is None:
            tables = LandmarkTables.of(self._model)
            self.calibration = Calibration.mean_face(len(tables.identity), tables.digest)
        else:
            self.calibration = calibration
        self._person = person_model(self._model, self.calibration)
        self._landmarker = landmarker or open_landmarker()
        self._torso = None if torso is None else TorsoTracker(torso, self.calibration.focal)
        self._estimator: StateEstimator | None = None
        self._size = (0, 0)
        self._kept: list[Landmarks] | None = [] if calibration is None else None
        self._found = 0

    def track(self, image: NDArray[np.uint8], timestamp: float) -> FaceState:
        """Return the smoothed state of the face in the RGB picture (H, W, 3) taken at ``timestamp`` seconds.

        Pictures come in order. Where there is no face the last state is held, with ``present`` False.
        """
        height, width = image.shape[:2]
        if self._estimator is None or self._size != (width, height):
            # The focal length counts in picture heights, so that another size of the same picture is no matter.
            self._size = width, height
            limit = APPEARING_ERROR if self._kept is None else STRANGER_ERROR
            self._estimator = StateEstimator(self._person, width, height, appearing_error=limit)
        landmarks = self._landmarker.detect(image, timestamp)
        if landmarks is not None and self._kept is not None:
            self._get_to_know(landmarks)
        state = self._estimator.update(landmarks, timestamp)
        if self._torso is None:
            return state
        # Without a face the body may be anybody's.
        motion = self._torso.track(image, timestamp) if state.present else self._torso.held
        return replace(state, torso=motion)

    def close(self) -> None:
        """Free the landmarker."""
        self._landmarker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get_to_know(self, landmarks: Landmarks) -> None:
        assert self._kept is not None
        if self._found % STRANGER_STRIDE == 0:
            self._kept.append(landmarks)
        self._found += 1
        if len(self._kept) == STRANGER_FRAMES:
            self.calibration = calibrate(self._kept, *self._size, self._model, key_frames=STRANGER_KEY_FRAMES)
            self._person = person_model(self._model, self.calibration)
            self._estimator = StateEstimator(self._person, *self._size)
            self._kept = None


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkTrack:
    """The landmarks of a recording: what the first pass keeps of its pictures."""

    landmarks: list[Landmarks | None]
    """Of each frame; None without a face."""
    timestamps: list[float]
    """Seconds."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""

    @property
    def found(self) -> int:
        """Frames with a face."""
        return sum(landmarks is not None for landmarks in self.landmarks)

    def first(self, count: int) -> "LandmarkTrack":
        """Return the first ``count`` frames."""
        return LandmarkTrack(self.landmarks[:count], self.timestamps[:count], self.width, self.height)

    def calibrate(self, model: MorphableModel, progress: ReportProgress | None = None) -> Calibration:
        """Calibrate the person seen; raises NoFaceError where there is none."""
        return calibrate(self.landmarks, self.width, self.height, model, progress)

    def solve(
        self, calibration: Calibration, model: MorphableModel, progress: ReportProgress | None = None
    ) -> list[FaceState]:
        """Return the states of all frames, causal and smoothed: what `FaceTracker` gives for the same frames."""
        estimator = StateEstimator(person_model(model, calibration), self.width, self.height)
        states = []
        for index, (landmarks, timestamp) in enumerate(zip(self.landmarks, self.timestamps, strict=True), 1):
            states.append(estimator.update(landmarks, timestamp))
            if progress is not None:
                progress(index, len(self.timestamps))
        return states


def detect_landmarks(
    frames: Iterable[Frame], landmarker: FaceLandmarker, progress: Callable[[int], None] | None = None
) -> LandmarkTrack:
    """Find the landmarks of all ``frames`` of a recording; ``progress`` is called with the number of frames done."""
    landmarks: list[Landmarks | None] = []
    timestamps: list[float] = []
    width = height = 0
    for frame in frames:
        height, width = frame.image.shape[:2]
        landmarks.append(landmarker.detect(frame.image, frame.timestamp))
        timestamps.append(frame.timestamp)
        if progress is not None:
            progress(len(timestamps))
    return LandmarkTrack(landmarks, timestamps, width, height)


class Tracker(Protocol):
    """Finds the state of a face in pictures that come in order."""

    def track(self, image: NDArray[np.uint8], timestamp: float) -> FaceState:
        """Return the state in the RGB picture (H, W, 3)."""

    def close(self) -> None:
        """Free the models."""


def track_frames(
    frames: Iterable[Frame],
    tracker: Tracker,
    progress: Callable[[int], None] | None = None,
) -> list[FaceState]:
    """Track a recording in one pass and close the tracker; ``progress`` is called with the number of frames done."""
    states = []
    with closing(tracker):
        for frame in frames:
            states.append(tracker.track(frame.image, frame.timestamp))
            if progress is not None:
                progress(len(states))
    return states
