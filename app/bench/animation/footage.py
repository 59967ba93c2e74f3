"""The frames that the animation codec is trained on: those of the avatar's enrolment, cut to the same square."""

import numpy as np
from numpy.typing import NDArray

from app.bench.animation.network import PICTURE_SIZE
from app.capture.source import open_source
from app.enrolment.footage import span
from app.enrolment.framing import Framing
from app.errors import UserError
from app.progress import Progress
from app.tracking.tracker import detect_landmarks, open_landmarker


def training_frames(clip: str, start: float, stop: float | None, framing: Framing | None) -> NDArray[np.uint8]:
    """Return all frames (N, 256, 256, 3) from second ``start`` to before ``stop``, or to the end.

    Without a framing the square is placed as enrolment places it: by the face's median position in these frames.
    Raises UserError where the clip shows nothing there, or was cut from another size.
    """
    end = float("inf") if stop is None else stop
    framing = framing or _framing(clip, start, end)
    pictures = []
    with open_source(clip) as source:
        if (source.width, source.height) != (framing.width, framing.height):
            raise UserError(f"{clip} has another size than the clip of the avatar: give that clip")
        with Progress(source.frame_count, "reading the clip") as progress:
            for frame in span(source.frames(), start, end):
                pictures.append(framing.cut(frame.image, PICTURE_SIZE))
                progress.update(frame.index)
    if not pictures:
        raise UserError(f"{clip} shows nothing from {start:g} s on: begin earlier")
    return np.stack(pictures)


def _framing(clip: str, start: float, stop: float) -> Framing:
    with open_source(clip) as source:
        width, height = source.width, source.height
        if width == height:
            return Framing(width, height, 0, 0, width)
        with open_landmarker() as landmarker, Progress(source.frame_count, "finding the face") as progress:
            track = detect_landmarks(span(source.frames(), start, stop), landmarker, progress.update)
    centres = [points.points.mean(0) for points in track.landmarks if points is not None]
    if not centres:
        raise UserError(f"{clip} shows no face: choose another span")
    return Framing.around(np.stack(centres), width, height)
