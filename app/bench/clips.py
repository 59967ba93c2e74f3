"""The footage of the benchmark: what an avatar was trained on, and what is held out."""

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from app.bench.codec import Frames
from app.bench.results import Clip
from app.capture.source import Source, SourceError, open_source
from app.enrolment.footage import HELD_OUT_SHARE
from app.enrolment.framing import Framing
from app.errors import UsageError, UserError
from app.progress import Progress
from app.tracking.segmenter import open_segmenter


class ClipError(UserError):
    """A clip does not serve the benchmark."""


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """A clip, and the second from which it is held out."""

    path: Path
    trained_to: float | None
    """Seconds; what comes before is enrolled. None: all but the last tenth."""

    @classmethod
    def parse(cls, text: str) -> "ClipSpec":
        """Read ``CLIP@SECONDS`` or ``CLIP``. Raises UsageError."""
        path, separator, seconds = text.rpartition("@")
        if not separator:
            return cls(Path(text), None)
        try:
            trained_to = float(seconds)
        except ValueError:
            trained_to = float("nan")
        if not path or not 1.0 <= trained_to <= 1e6:
            raise UsageError(f"{text} is no clip of the benchmark: write CLIP@SECONDS, as in me.mp4@60")
        return cls(Path(path), trained_to)

    @property
    def name(self) -> str:
        """Of the file, without folder and ending."""
        return self.path.stem

    def held_out_from(self) -> float:
        """Return the second from which frames are held out. Raises SourceError; ClipError where nothing is left."""
        with open_source(str(self.path)) as source:
            duration = source.duration
        if duration is None:
            raise ClipError(f"{self.path} does not tell its length: say from where it is held out, as in CLIP@60")
        start = (1.0 - HELD_OUT_SHARE) * duration if self.trained_to is None else self.trained_to
        if start >= duration:
            raise ClipError(f"{self.path} is {duration:.1f} s long: nothing is held out from {start:g} s on")
        return start


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Frames that no avatar and no network was trained on."""

    frames: Frames
    fps: float
    start: float
    """Second of the clip at which they begin."""


def held_out(spec: ClipSpec, framing: Framing, size: int, seconds: float | None = None) -> HeldOut:
    """Read the held-out frames of a clip.

    Args:
        spec: which clip, and where they begin.
        framing: the square that the person's avatar shows.
        size: side of the pictures in pixels.
        seconds: how much at most.

    Raises:
        SourceError: the clip cannot be read.
        ClipError: nothing of it is held out, or its pictures have another size than the framing was made for.
    """
    start = spec.held_out_from()
    pictures: list[Frames] = []
    with open_source(str(spec.path)) as source:
        _check_size(spec, source, framing)
        fps = source.fps
        most = None if seconds is None else round(seconds * fps)
        with Progress(source.frame_count, f"reading {spec.name}") as progress:
            for frame in source.frames():
                progress.update(frame.index)
                if frame.timestamp < start:
                    continue
                if len(pictures) == most:
                    break
                pictures.append(framing.cut(frame.image, size))
    if not pictures:
        raise ClipError(f"{spec.path} shows nothing from {start:g} s on")
    return HeldOut(np.stack(pictures), fps, start)


def held_out_clip(spec: ClipSpec, seconds: float | None = None, framing: Framing | None = None) -> Clip:
    """Describe the held-out frames of a clip by its packets, which takes no decoding.

    That counts right where each packet is a picture: not in every file, so what is measured counts for itself.

    Args:
        spec: which clip, and where they begin.
        seconds: how much at most.
        framing: the square that an avatar shows, if it must fit the clip's pictures.

    Raises:
        SourceError: the clip cannot be read.
        ClipError: nothing of it is held out, or its pictures have another size than the framing was made for.
    """
    start = spec.held_out_from()
    with open_source(str(spec.path)) as source:
        if framing is not None:
            _check_size(spec, source, framing)
        fps = source.fps
    times = _packet_times(spec.path)
    first = min(times, default=0.0)
    count = sum(time - first >= start for time in times)
    return Clip(spec.name, round(start, 3), count if seconds is None else min(count, round(seconds * fps)), fps)


def segment(frames: Frames, stride: int) -> NDArray[np.uint8]:
    """Return the classes (N, S, S) of every ``stride``-th frame's pixels: BACKGROUND, BODY, HEAD; elsewhere zeros."""
    masks = np.zeros(frames.shape[:3], np.uint8)
    chosen = range(0, len(frames), stride)
    with open_segmenter() as segmenter, Progress(len(chosen), "separating the head") as progress:
        for done, index in enumerate(chosen, 1):
            masks[index] = segmenter.segment(frames[index])
            progress.update(done)
    return masks


def _packet_times(path: Path) -> list[float]:
    """Return when the picture of each packet is shown, seconds, in the order of the file."""
    try:
        with av.open(str(path.resolve()), options={"protocol_whitelist": "file"}) as container:
            packets = [packet for packet in container.demux(container.streams.video[0]) if not packet.is_discard]
            # In the same steps as the time of a decoded picture, to the last bit.
            return [
                float(packet.pts) * packet.time_base.numerator / packet.time_base.denominator
                for packet in packets
                if packet.pts is not None
            ]
    except av.FFmpegError as error:
        raise SourceError(f"the clip {path} is damaged: use a whole copy") from error


def _check_size(spec: ClipSpec, source: Source, framing: Framing) -> None:
    if (source.width, source.height) != (framing.width, framing.height):
        raise ClipError(
            f"{spec.path} has {source.width}x{source.height} pixels and its avatar was enrolled from "
            f"{framing.width}x{framing.height}: give the clip it was enrolled from"
        )
