"""Pictures to an H.264 video file."""

from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from app.errors import UsageError, UserError

SUFFIXES = (".mp4", ".mov", ".mkv")
QUALITY = "17"
"""x264's constant rate factor: no loss that one sees."""


class VideoWriterError(UserError):
    """The video cannot be written."""


def check_video_path(path: str | Path) -> Path:
    """Return ``path`` if a video can be written there, before any work is done for it.

    Raises:
        UsageError: the name has another ending, or the folder is not there.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{target}: the recording needs a name that ends in {', '.join(SUFFIXES)}")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: the folder {target.parent} does not exist; make it first")
    if target.is_dir():
        raise UsageError(f"{target} is a folder; give the name of a file")
    return target


class VideoWriter:
    """Writes pictures at a fixed frame rate.

    The file grows beside its final place and moves there when it is whole, so that a broken recording never stands
    where a good one was.
    """

    def __init__(self, path: str | Path, width: int, height: int, fps: float, quality: str = QUALITY) -> None:
        """Begin a video of pictures ``width`` by ``height`` pixels; ``quality`` is x264's constant rate factor.

        Raises:
            UsageError: the name or folder is wrong.
            VideoWriterError: the file cannot be opened.
        """
        self.path = check_video_path(path)
        self.frames = 0
        self._growing = self.path.with_name(f".{self.path.stem}.growing{self.path.suffix}")
        self._width, self._height = width, height
        try:
            self._container = av.open(str(self._growing), "w")
        except OSError as error:
            raise VideoWriterError(f"{self.path} cannot be written: {error.strerror}") from error
        stream = self._container.add_stream("libx264", rate=max(1, round(fps)))
        # 4:2:0 wants even sides: an odd picture is widened by its own last column or row.
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": quality, "preset": "veryfast"}
        # The renderer needs the cores more than the recording does.
        stream.codec_context.thread_count = 1
        stream.codec_context.colorspace = Colorspace.ITU709
        stream.codec_context.color_range = ColorRange.MPEG
        stream.codec_context.color_primaries = 1
        stream.codec_context.color_trc = 1
        self._stream = stream
        self._closed = False

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Append a picture (H, W, 3), RGB, of the size the video was begun with."""
        if picture.shape != (self._height, self._width, 3):
            raise ValueError(f"a picture {picture.shape} in a video of {(self._height, self._width, 3)}")
        odd = (self._height % 2, self._width % 2)
        if any(odd):
            picture = np.pad(picture, ((0, odd[0]), (0, odd[1]), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame = frame.reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG, interpolation="AREA"
        )
        frame.pts = self.frames
        self.frames += 1
        self._mux(frame)

    def close(self) -> None:
        """Finish the file and put it in its place; one without a picture is dropped."""
        if self._closed:
            return
        self._closed = True
        if self.frames:
            self._mux(None)
        self._container.close()
        if self.frames:
            self._growing.replace(self.path)
        else:
            self._growing.unlink(missing_ok=True)

    def _mux(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                self._container.mux(packet)
        except OSError as error:
            raise VideoWriterError(f"{self.path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
