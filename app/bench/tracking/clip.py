"""Measures the face tracker on one clip."""

import hashlib
import time
from dataclasses import dataclass, field
from pathlib import Path

import app.tracking
from app.assets import ASSETS
from app.bench import signals
from app.bench.clips import ClipError, ClipSpec, held_out_clip
from app.bench.environment import environment
from app.bench.options import ClipOptions
from app.bench.results import Clip, write
from app.bench.speed.load import OtherLoad
from app.bench.tracking import motion
from app.bench.tracking.motion import motion_figures
from app.bench.tracking.record import FIGURES, TrackingRecord, find_record, record_path
from app.capture.source import open_source
from app.progress import Progress
from app.tracking.calibration import Calibration, NoFaceError
from app.tracking.estimator import Estimate, StateEstimator
from app.tracking.filter import StateFilter
from app.tracking.landmarker import Landmarks
from app.tracking.morphable_model import MorphableModel
from app.tracking.tracker import LANDMARKER_ASSET, LandmarkTrack, open_landmarker, person_model


def record_of(spec: ClipSpec, options: ClipOptions) -> TrackingRecord:
    """Measure the tracker on a clip and write the record, unless it is there already.

    A clip whose packets are not a picture each is measured every time: its frames are not known before.

    Raises:
        SourceError, ClipError: the clip does not serve.
        NoFaceError: what comes before the held-out frames shows no face.
        ResultError: the record cannot be written.
    """
    path = record_path(options.folder, spec.name)
    expected = held_out_clip(spec, options.seconds)
    now, code = environment(), code_digest()
    there = find_record(options.folder, expected, code, now)
    if there is not None:
        print(f"{spec.name}: there already")
        return there
    start = spec.held_out_from()
    with OtherLoad() as load:
        detected = detect(spec, start, options.seconds)
        began = time.perf_counter()
        calibration = _calibration(spec, detected, start)
        calibrated = time.perf_counter()
        tracked, figures = measure(detected, calibration)
        measured = time.perf_counter()
    seconds = {"landmarks": detected.wall_seconds, "calibrate": calibrated - began, "measure": measured - calibrated}
    clip = Clip(spec.name, expected.held_out_from_s, detected.frames, expected.fps)
    rounded = {name: round(value, 3) for name, value in seconds.items()}
    record = TrackingRecord(clip, tracked, figures, rounded, code, now, load.cores)
    write(path, record)
    return record


def code_digest() -> str:
    """Return the SHA-256, in hex, of the tracker's code and tables, its landmarker and what measures it here."""
    folder = Path(app.tracking.__file__).parent
    files = [*sorted(folder.glob("*.py")), *sorted((folder / "data").iterdir())]
    files += [Path(file) for file in (__file__, motion.__file__, signals.__file__)]
    digest = hashlib.sha256(ASSETS[LANDMARKER_ASSET].sha256.encode())
    for file in files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


@dataclass(slots=True)
class Detected:
    """The landmarks of a clip."""

    track: LandmarkTrack
    """Of all frames that were read."""
    begin: int = 0
    """The first held-out frame."""
    smoothed: list[Landmarks | None] = field(default_factory=list)
    """Those that MediaPipe smooths, of the held-out frames."""
    decode_seconds: float = 0.0
    """Spent on the held-out frames."""
    detect_seconds: float = 0.0
    """Spent on the held-out frames, without the smoothed ones."""
    wall_seconds: float = 0.0
    """In all."""

    @property
    def frames(self) -> int:
        """Held-out frames."""
        return len(self.track.timestamps) - self.begin


def detect(spec: ClipSpec, start: float, seconds: float | None = None) -> Detected:
    """Find the landmarks of a clip.

    Args:
        spec: which clip.
        start: second from which frames are held out.
        seconds: of held-out footage at most.

    Raises:
        SourceError: the clip cannot be read.
        ClipError: it shows nothing from ``start`` on.
    """
    began = time.perf_counter()
    with (
        open_source(str(spec.path)) as source,
        open_landmarker() as landmarker,
        open_landmarker(faces=1) as default_landmarker,
    ):
        found = Detected(LandmarkTrack([], [], source.width, source.height))
        most = None if seconds is None else round(seconds * source.fps)
        total = source.frame_count
        if total is not None and most is not None:
            total = min(total, round(start * source.fps) + most)
        with Progress(total, f"tracking {spec.name}") as progress:
            before = time.perf_counter()
            for frame in source.frames():
                decoded = time.perf_counter()
                if frame.timestamp < start:
                    found.begin += 1
                elif found.frames == most:
                    break
                found.track.landmarks.append(landmarker.detect(frame.image, frame.timestamp))
                found.track.timestamps.append(frame.timestamp)
                detected = time.perf_counter()
                if frame.timestamp >= start:
                    found.decode_seconds += decoded - before
                    found.detect_seconds += detected - decoded
                    found.smoothed.append(default_landmarker.detect(frame.image, frame.timestamp))
                progress.update(len(found.track.timestamps))
                before = time.perf_counter()
    if not found.frames:
        raise ClipError(f"{spec.path} shows nothing from {start:g} s on")
    found.wall_seconds = time.perf_counter() - began
    return found


def _calibration(spec: ClipSpec, detected: Detected, start: float) -> Calibration:
    with Progress(1.0, "calibrating") as progress:
        try:
            return detected.track.first(detected.begin).calibrate(
                MorphableModel.load(), lambda done, work: progress.update(done / work)
            )
        except NoFaceError as error:
            raise NoFaceError(f"{spec.path} cannot be measured: before second {start:g} {error}") from error


def measure(detected: Detected, calibration: Calibration) -> tuple[int, dict[str, float]]:
    """Follow the person of ``calibration`` through all frames.

    Returns:
        Of the held-out frames, how many show the face, and the figures named in `app.bench.tracking.record.FIGURES`.
    """
    track, begin = detected.track, detected.begin
    estimator = StateEstimator(person_model(MorphableModel.load(), calibration), track.width, track.height)
    estimates: list[Estimate] = []
    estimate_seconds = 0.0
    with Progress(len(track.timestamps), "fitting the face") as progress:
        for index, (landmarks, timestamp) in enumerate(zip(track.landmarks, track.timestamps, strict=True)):
            started = time.perf_counter()
            estimates.append(estimator.estimate(landmarks, timestamp))
            if index >= begin:
                estimate_seconds += time.perf_counter() - started
            progress.update(index + 1)
    held_out = estimates[begin:]
    filter_seconds = _filter_seconds(held_out)
    milliseconds = {
        "decode_ms": detected.decode_seconds,
        "landmarks_ms": detected.detect_seconds,
        "solve_ms": estimate_seconds - filter_seconds,
        "filter_ms": filter_seconds,
    }
    milliseconds = {name: 1e3 * seconds / len(held_out) for name, seconds in milliseconds.items()}
    size = track.width, track.height
    figures = motion_figures(estimator.person, size, track.landmarks[begin:], held_out, detected.smoothed)
    figures |= {**milliseconds, "total_ms": sum(milliseconds.values())}
    return sum(estimate.state.present for estimate in held_out), {name: figures[name] for name in FIGURES}


def _filter_seconds(estimates: list[Estimate]) -> float:
    """Return how long the filter alone takes for all frames: it is too fast to be timed in between."""
    state_filter = StateFilter()
    started = time.perf_counter()
    for estimate in estimates:
        if estimate.solved is not None:
            state_filter.update(estimate.solved, estimate.state.timestamp)
    return time.perf_counter() - started
