"""Frames of a video file, by PyAV, in the colours and the orientation they are meant to have."""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from app.capture.source import MAX_SIDE, Frame, Source, SourceError

FALLBACK_FPS = 25.0
"""For files that do not tell their frame rate."""
MIN_STEP_SECONDS = 1e-3
"""A frame whose timestamp does not exceed the one before it gets that much more: trackers need increasing times."""
UNSPECIFIED_COLORSPACE = 2
HD_HEIGHT = 720
"""From this height on, files that do not name their colour matrix mean BT.709, below it BT.601, as players assume."""

# Rounding and full horizontal chroma interpolation cost 0.2 ms at 256x256 and remove an error of up to 3 of 255.
INTERPOLATION = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class ClipSource(Source):
    """A video file, read as fast as it is asked for. Raises SourceError where it cannot be read."""

    is_live = False

    def __init__(self, path: str | Path, loop: bool = False) -> None:
        self.name = str(path)
        self._path = Path(path)
        self._loop = loop
        self._container: InputContainer | None = None
        with self._open() as container:
            stream = container.streams.video[0]
            self._converter = FrameConverter(float(stream.sample_aspect_ratio or 1))
            self.fps = float(stream.average_rate or stream.guessed_rate or FALLBACK_FPS)
            self.frame_count = None if loop else stream.frames or None
            self.duration = None if loop else stream_duration(container, stream)
            first = next(self._decode(container), None)
            if first is None:
                raise SourceError(f"the clip {self.name} holds no picture: record it again")
            self.height, self.width = self._converter.rgb(first).shape[:2]

    def frames(self) -> Iterator[Frame]:
        """Yield the frames from the beginning; with loop without end. Raises SourceError at a damaged place."""
        offset = 0.0
        index = 0
        while True:
            origin: float | None = None
            time = last = offset - MIN_STEP_SECONDS
            self.close()
            self._container = self._open()
            for picture in self._decode(self._container):
                time = picture.time if picture.time is not None else time + 1.0 / self.fps
                origin = time if origin is None else origin
                last = max(offset + time - origin, last + MIN_STEP_SECONDS)
                image = self._converter.rgb(picture)
                if image.shape != (self.height, self.width, 3):
                    raise SourceError(
                        f"the clip {self.name} changes its size after {last - offset:.1f} s: convert it to one size"
                    )
                yield Frame(image, last, index)
                index += 1
            self.close()
            if not self._loop:
                return
            offset = last + 1.0 / self.fps

    def close(self) -> None:
        """Close the file; a running :meth:`frames` must not be continued."""
        if self._container is not None:
            self._container.close()
            self._container = None

    def _open(self) -> InputContainer:
        """Open the file, check that it has a video stream of a size that we accept, and let the decoder use threads."""
        if not self._path.exists():
            raise SourceError(f"the clip {self.name} does not exist: check the path")
        if not self._path.is_file():
            raise SourceError(f"{self.name} is no file: give a video file or camera:0")
        try:
            # An absolute path is never taken for a URL, and a playlist in it may only name files.
            container = av.open(str(self._path.resolve()), options={"protocol_whitelist": "file"})
        except (av.FFmpegError, ValueError) as error:
            if isinstance(error, PermissionError):
                raise SourceError(f"the clip {self.name} may not be read: check its permissions") from error
            raise SourceError(f"{self.name} is no video that can be read: it is damaged or of another kind") from error
        streams = container.streams.video
        if not streams:
            container.close()
            raise SourceError(f"{self.name} holds no video: give a clip with a picture")
        context = streams[0].codec_context
        if not (0 < context.width <= MAX_SIDE and 0 < context.height <= MAX_SIDE):
            container.close()
            raise SourceError(
                f"the pictures of {self.name} are {context.width}x{context.height}: give at most {MAX_SIDE} a side"
            )
        streams[0].thread_type = "AUTO"
        return container

    def _decode(self, container: InputContainer) -> Iterator[VideoFrame]:
        time = 0.0
        try:
            for picture in container.decode(container.streams.video[0]):
                time = picture.time or time
                yield picture
        except av.FFmpegError as error:
            raise SourceError(
                f"the clip {self.name} is damaged after {time:.1f} s: use a whole copy or cut it there"
            ) from error


class FrameConverter:
    """Decoded frames to RGB. ``pixel_aspect`` is the width of a stored pixel over its height."""

    def __init__(self, pixel_aspect: float) -> None:
        self._pixel_aspect = pixel_aspect
        self._reformatter = VideoReformatter()

    def rgb(self, picture: VideoFrame) -> NDArray[np.uint8]:
        """Return ``picture`` as (H, W, 3) uint8 sRGB in full range, upright and with square pixels.

        The decoder's frame tells its range (limited, or full as in yuvj420p) and its matrix; swscale is told the matrix
        where the frame does not name one.
        """
        named = int(picture.colorspace) != UNSPECIFIED_COLORSPACE
        guess = Colorspace.ITU709 if picture.height >= HD_HEIGHT else Colorspace.ITU601
        converted = self._reformatter.reformat(
            picture,
            width=min(max(round(picture.width * self._pixel_aspect), 1), MAX_SIDE),
            format="rgb24",
            src_colorspace=None if named else guess,
            interpolation=INTERPOLATION,
            threads=1,
        )
        image = converted.to_ndarray()
        turns = round(picture.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(image, turns) if turns else image).astype(np.uint8, copy=False)


def stream_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """Return the length in seconds as the file says, None where it does not."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration is not None else None
