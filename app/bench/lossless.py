"""Decoded video kept bit for bit, so that what was measured can be looked at and measured again.

H.264's lossless mode on RGB (``libx264rgb``, QP 0) in Matroska: a third smaller than FFV1 here, as it predicts from the
frame before, and every common player shows it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from app.errors import UserError

MAX_SIDE = 4096
"""Pixels; larger pictures are refused before they are allocated."""
MAX_FPS = 1000.0
MAX_BYTES = 4 << 30
"""Of all decoded pictures together: six minutes at 512 x 512 and 25 fps."""
_SUFFIX = ".mkv"
_REMEDY = "delete it and run the bench again"


class LosslessError(UserError):
    """A kept video cannot be written or read."""


def write_lossless(path: str | Path, frames: NDArray[np.uint8], fps: float) -> None:
    """Write ``frames`` (N, H, W, 3), uint8 RGB, N >= 1, to ``path`` (``*.mkv``), bit for bit.

    The file takes its place when it is whole. Raises ValueError for other shapes or rates, LosslessError where the file
    cannot be written.
    """
    target = Path(path)
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise ValueError(f"frames are (N, H, W, 3) uint8, not {frames.shape} {frames.dtype}")
    if not 0 < fps <= MAX_FPS or max(frames.shape[1:3]) > MAX_SIDE or target.suffix != _SUFFIX:
        raise ValueError(f"{target.name}: {frames.shape[2]}x{frames.shape[1]} at {fps} fps cannot be kept as {_SUFFIX}")
    growing = target.with_name(f".{target.stem}.growing{_SUFFIX}")
    try:
        # Bit-exact: without a random identity in the file the same frames give the same bytes.
        with av.open(str(growing), "w", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("libx264rgb", rate=Fraction(fps).limit_denominator(1001))
            stream.width, stream.height, stream.pix_fmt = frames.shape[2], frames.shape[1], "rgb24"
            stream.options = {"qp": "0", "preset": "veryfast"}
            # Cores are often shared with a training.
            stream.codec_context.thread_count = 1
            for index, frame in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
                picture.pts = index
                container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        os.replace(growing, target)
    except OSError as error:
        growing.unlink(missing_ok=True)
        raise LosslessError(f"{target} cannot be written ({error.strerror or error}): check the folder") from error


def read_lossless(
    path: str | Path, max_bytes: int = MAX_BYTES, max_frames: int | None = None
) -> tuple[NDArray[np.uint8], float]:
    """Return the frames (N, H, W, 3), uint8 RGB, of a file that :func:`write_lossless` wrote, and their rate in fps.

    With ``max_frames``, at least 1, those after the first so many are left out.

    Raises LosslessError where there is no such file, it is damaged, of another kind, or decodes to more than
    ``max_bytes`` bytes.
    """
    with _open(Path(path)) as container:
        fps = _rate(Path(path), container)
        frames: list[NDArray[np.uint8]] = []
        total = 0
        for picture in islice(_pictures(Path(path), container), max_frames):
            total += picture.nbytes
            if total > max_bytes:
                raise LosslessError(f"{path} holds more than {max_bytes >> 20} MiB of pictures: give a shorter clip")
            frames.append(picture)
    if not frames:
        raise LosslessError(f"{path} holds no picture: {_REMEDY}")
    return np.stack(frames), fps


@dataclass(frozen=True, slots=True)
class VideoShape:
    """What a kept video's header tells."""

    height: int
    width: int
    fps: float


def lossless_shape(path: str | Path) -> VideoShape:
    """Return what the file's header tells, without decoding it. Raises LosslessError."""
    with _open(Path(path)) as container:
        stream = container.streams.video[0]
        return VideoShape(stream.codec_context.height, stream.codec_context.width, _rate(Path(path), container))


def _rate(path: Path, container: InputContainer) -> float:
    fps = float(container.streams.video[0].average_rate or 0)
    if not 0 < fps <= MAX_FPS:
        raise LosslessError(f"{path} does not tell its frame rate: {_REMEDY}")
    return fps


def _open(path: Path) -> InputContainer:
    if not path.is_file():
        raise LosslessError(f"there is no video at {path}: run nerfcall bench quality first")
    try:
        # An absolute path is never taken for a URL; only this one container format and the file protocol are allowed.
        container = av.open(str(path.resolve()), format="matroska", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, ValueError) as error:
        raise LosslessError(f"{path} is no video of the benchmark or is damaged: {_REMEDY}") from error
    streams = container.streams.video
    context = streams[0].codec_context if streams else None
    if (
        context is None
        or context.name != "h264"
        or not (0 < context.width <= MAX_SIDE and 0 < context.height <= MAX_SIDE)
    ):
        container.close()
        raise LosslessError(f"{path} is no video of the benchmark: {_REMEDY}")
    return container


def _pictures(path: Path, container: InputContainer) -> Iterator[NDArray[np.uint8]]:
    stream = container.streams.video[0]
    size = (stream.codec_context.height, stream.codec_context.width, 3)
    try:
        for frame in container.decode(stream):
            # Any other pixel format would be converted here, and the pictures would no longer be those that were kept.
            if frame.format.name != "gbrp" or (frame.height, frame.width, 3) != size:
                raise LosslessError(f"{path} holds pictures that are not kept without loss: {_REMEDY}")
            yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    except av.FFmpegError as error:
        raise LosslessError(f"{path} is damaged: {_REMEDY}") from error
