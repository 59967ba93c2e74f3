"""From a clip to what a field trains on: face tracked, cut to a square, segmented, torso tracked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from app.capture.source import Frame, open_source
from app.enrolment.framing import Framing
from app.enrolment.torso import learn_torso
from app.errors import UserError
from app.progress import Progress
from app.tracking.calibration_record import Calibration
from app.tracking.morphable_model import MorphableModel
from app.tracking.segmenter import segment_all
from app.tracking.torso_template import FrameCamera, TorsoTemplate, frame_picture
from app.tracking.torso_tracker import TorsoTracker
from app.tracking.tracker import detect_landmarks, open_landmarker
from codec.face_state import FaceState, HeadPose
from renderer.camera import Camera
from renderer.training.dataset import Footage

TRAINING_FRAMES = 750
"""Frames kept at most: neighbours at 25 fps say nearly the same, and each costs 60 ms of segmentation on a core."""
VALIDATION_FRAMES = 8
"""Frames that choose the field to keep."""
VALIDATION_SHARE = 0.04
"""Of the training span, its end: not trained on, and not held out either, whose figures are to be of no choice."""
HELD_OUT_FRAMES = 40
HELD_OUT_SHARE = 0.1
"""Of the enrolled span, where the clip does not go on after it."""
HELD_OUT_SECONDS = 20.0
"""Looked at most after the enrolled span."""
MIN_SECONDS = 4.0


class FootageError(UserError):
    """The clip does not hold what enrolment needs."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedSpan:
    """Every frame of a clip that was tracked, those after the enrolled span included."""

    clip: str
    """Its path."""
    start: float
    stop: float
    """Seconds between which its frames were tracked."""
    states: list[FaceState]
    """By landmarks, of every frame."""
    enrolled: int
    """How many of them belong to the enrolled span."""
    kept: NDArray[np.intp]
    """Which of them are kept as pictures: for training, for validation, held out."""


@dataclass(frozen=True, slots=True, eq=False)
class EnrolmentFootage:
    """Everything that is known of a person before training."""

    training: Footage
    validation: Footage
    """The end of the training span, which chooses the field to keep."""
    held_out: Footage
    """Later frames than any the training, the calibration or the tables saw."""
    calibration: Calibration
    torso: TorsoTemplate
    framing: Framing
    states: list[FaceState]
    """Of every frame of the training span that shows the face, for the codec's tables."""
    held_out_states: list[FaceState]
    """Of the held-out frames."""
    fps: float
    tracked: TrackedSpan
    refinements: NDArray[np.float32] | None = None
    """Of ``states``, see `Footage.refinements`."""

    def aligned(self, poses: list[HeadPose], refinements: NDArray[np.float32]) -> "EnrolmentFootage":
        """Return this footage with its faces aligned.

        Args:
            poses: of all its frames (`TrackedSpan.states`).
            refinements: (len(poses), E) of their expressions, see `Footage.refinements`.
        """
        kept = self.tracked.kept
        ends = np.cumsum([len(part) for part in (self.training, self.validation, self.held_out)])
        rotations = torch.from_numpy(np.stack([poses[index].rotation for index in kept]))
        translations = torch.from_numpy(np.stack([poses[index].translation for index in kept]))
        refined = torch.from_numpy(refinements[kept])

        def aligned(part: Footage, first: int, last: int) -> Footage:
            rows = slice(first, last)
            return replace(part, rotations=rotations[rows], translations=translations[rows], refinements=refined[rows])

        states = [replace(state, pose=pose) for state, pose in zip(self.tracked.states, poses, strict=True)]
        present = [index for index, state in enumerate(states[: self.tracked.enrolled]) if state.present]
        return replace(
            self,
            training=aligned(self.training, 0, ends[0]),
            validation=aligned(self.validation, ends[0], ends[1]),
            held_out=aligned(self.held_out, ends[1], ends[2]),
            states=[states[index] for index in present],
            held_out_states=[states[index] for index in kept[ends[1] :]],
            refinements=refinements[present],
        )


def span(frames: Iterator[Frame], start: float, stop: float) -> Iterator[Frame]:
    """Yield the frames with start <= timestamp < stop, and read no further."""
    for frame in frames:
        if frame.timestamp >= stop:
            return
        if frame.timestamp >= start:
            yield frame


def collect_footage(clip: str, start: float, stop: float | None, size: int) -> EnrolmentFootage:
    """Read a clip three times: landmarks, calibration and states; the pictures that are kept; the torso's motion.

    Args:
        clip: path of a clip.
        start: first second of the enrolled span.
        stop: its last second; None for the clip's end. What follows is held out, or else the span's last tenth.
        size: side of the training pictures in pixels.

    Raises:
        SourceError: the clip cannot be read.
        NoFaceError: nobody is seen.
        FootageError: too little is seen of the face.
    """
    model = MorphableModel.load()
    with open_source(clip) as source:
        end = source.duration or float("inf")
        wanted = min(end, stop + HELD_OUT_SECONDS) if stop is not None else end
        total = None if wanted == float("inf") else round((wanted - start) * source.fps)
        with open_landmarker() as landmarker, Progress(total, "finding the face") as progress:
            track = detect_landmarks(span(source.frames(), start, wanted), landmarker, progress.update)
        fps = source.fps
    times = np.array(track.timestamps)
    if len(times) == 0 or times[-1] - times[0] < MIN_SECONDS:
        raise FootageError(f"{clip} shows less than {MIN_SECONDS:.0f} seconds from {start:g} s on; enrol from a minute")
    if stop is None or times[-1] < stop + 1.0:
        stop = times[-1] - HELD_OUT_SHARE * (times[-1] - times[0])
    before = int(np.searchsorted(times, stop))
    calibration = track.first(before).calibrate(model)
    with Progress(len(times), "fitting the face") as progress:
        states = track.solve(calibration, model, lambda done, _: progress.update(done))
    present = np.array([state.present for state in states])
    shown = np.flatnonzero(present[:before])
    apart = max(VALIDATION_FRAMES, round(VALIDATION_SHARE * len(shown)))
    training, validation = _spread(shown[:-apart], TRAINING_FRAMES), _spread(shown[-apart:], VALIDATION_FRAMES)
    held_out = before + _spread(np.flatnonzero(present[before:]), HELD_OUT_FRAMES)
    if len(training) < MIN_SECONDS * fps / 2 or len(held_out) == 0:
        raise FootageError(f"{clip} shows the face too rarely; enrol from a minute in which it stays in the picture")
    centres = np.stack([points.points.mean(0) for points in track.landmarks[:before] if points is not None])
    framing = Framing.around(centres, track.width, track.height)
    kept = np.concatenate((training, validation, held_out))
    images, masks = _pictures(clip, start, wanted, set(kept.tolist()), framing, size)
    seen = slice(0, len(training))
    frames = [frame_picture(image, (0, 0, size))[0] for image in images[seen]]
    torso = learn_torso(frames, masks[seen], FrameCamera(*framing.camera(calibration.focal)))
    states = _with_torso(clip, start, wanted, torso, calibration.focal, states)
    footage = Footage(
        images=torch.from_numpy(images),
        masks=torch.from_numpy(masks),
        expressions=torch.from_numpy(np.stack([states[index].expression for index in kept])),
        rotations=torch.from_numpy(np.stack([states[index].pose.rotation for index in kept])),
        translations=torch.from_numpy(np.stack([states[index].pose.translation for index in kept])),
        torso_motions=torch.from_numpy(np.stack([states[index].torso for index in kept])),
        torso_modes=torch.from_numpy(torso.modes),
        camera=Camera(*framing.camera(calibration.focal)),
    )
    return EnrolmentFootage(
        footage.select(slice(0, len(training))),
        footage.select(slice(len(training), len(kept) - len(held_out))),
        footage.select(slice(len(kept) - len(held_out), len(kept))),
        calibration,
        torso,
        framing,
        [state for state in states[:before] if state.present],
        [states[index] for index in held_out],
        fps,
        TrackedSpan(clip, start, wanted, states, before, kept),
    )


def _spread(indices: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return at most so many of the indices, evenly."""
    if len(indices) <= most:
        return indices
    chosen: NDArray[np.intp] = indices[np.linspace(0, len(indices) - 1, most).round().astype(int)]
    return chosen


def _pictures(
    clip: str, start: float, stop: float, kept: set[int], framing: Framing, size: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    images = np.empty((len(kept), size, size, 3), np.uint8)
    masks = np.empty((len(kept), size, size), np.uint8)

    def cut(frames: Iterator[Frame]) -> Iterator[NDArray[np.uint8]]:
        chosen = (frame for index, frame in enumerate(frames) if index in kept)
        for place, frame in enumerate(chosen):
            images[place] = framing.cut(frame.image, size)
            yield images[place]

    with (
        open_source(clip) as source,
        Progress(len(kept), "separating head, body and background") as progress,
    ):
        found = segment_all(cut(span(source.frames(), start, stop)), torch.get_num_threads())
        for place, mask in enumerate(found):
            masks[place] = mask
            progress.update(place + 1)
    return images, masks


def _with_torso(
    clip: str, start: float, stop: float, template: TorsoTemplate, focal: float, states: list[FaceState]
) -> list[FaceState]:
    """Return the states with the motion of the torso, as a live tracker finds it."""
    tracker = TorsoTracker(template, focal)
    complete = []
    with open_source(clip) as source, Progress(len(states), "following the torso") as progress:
        for state, frame in zip(states, span(source.frames(), start, stop), strict=True):
            motion = tracker.track(frame.image, frame.timestamp) if state.present else tracker.held
            complete.append(replace(state, torso=motion))
            progress.update(len(complete))
    return complete
