"""A video codec of PyAV as the benchmark sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange

from app.bench.codec import Coded, Frames, Settings
from app.bench.codecs.colour import FILTER, MATRIX, to_yuv
from app.bench.codecs.decoding import decoded
from app.bench.codecs.errors import VideoCodecError
from app.bench.codecs.payload import Payload, Whole


@dataclass(frozen=True, slots=True)
class LibavCodec:
    """One encoder of PyAV with its decoder, at one operating point.

    It encodes on one thread: some encoders give other bits on several, and divide the picture for them.
    """

    name: str
    label: str
    point_setting: str
    """What the operating point is, "qp" or "crf"."""
    point: int
    encoder: str
    decoder: str
    pixel_format: str
    options: Mapping[str, str]
    """Of the encoder, as ffmpeg's command line names them."""
    file_format: str
    """ffmpeg's name of a file format for the equivalent command."""
    library: str
    """Beginning of the shared library's file name in PyAV's wheel, for its version."""
    payload: Payload = field(default_factory=Whole)
    extra_arguments: str = ""
    """Of the equivalent command, for what is dropped from the packets."""

    @property
    def settings(self) -> Settings:
        """The operating point, and the command that does the same to the frames that the quality bench keeps."""
        options = " ".join(f"-{key} {value}" for key, value in self.options.items())
        extra = f"{self.extra_arguments} " if self.extra_arguments else ""
        return {
            self.point_setting: self.point,
            "command": f"ffmpeg -i original.mkv -vf {FILTER},format={self.pixel_format} -c:v {self.encoder} {options} "
            f"-threads 1 {extra}-f {self.file_format} {self.name}.{self.file_format}",
        }

    def encode(self, frames: Frames, fps: float) -> Coded:
        """Code ``frames``; every packet is taken before the next frame is given.

        Raises VideoCodecError where the encoder is missing, refuses its settings or holds a frame back.
        """
        rate = exact_rate(fps)
        packets: list[bytes] = []
        try:
            context = self.encoder_context(frames.shape[1], rate)
            for index, picture in enumerate(to_yuv(frames, self.pixel_format, rate)):
                packets += [bytes(packet) for packet in context.encode(picture)]
                if len(packets) != index + 1:
                    raise VideoCodecError(
                        f"{self.label} gave {len(packets)} packets for {index + 1} frames, so it is not coding without "
                        "delay: another version of PyAV is needed"
                    )
            if context.encode(None):
                raise VideoCodecError(f"{self.label} gave more packets than frames: another version of PyAV is needed")
        except av.FFmpegError as error:
            raise VideoCodecError(f"{self.label} does not run in this PyAV: {error}") from error
        return Coded(tuple(self.payload.strip(packet) for packet in packets))

    def decode(self, coded: Coded, size: int) -> Frames:
        """Return the decoded frames, (N, size, size, 3). Raises VideoCodecError where they are not those coded."""
        return decoded(self.decoder, map(self.payload.restore, coded.packets), size)

    def versions(self) -> Mapping[str, str]:
        """Return the versions of PyAV, of the FFmpeg in it, and of the encoder's shared library."""
        return {"av": av.__version__, "ffmpeg": av.ffmpeg_version_info, self.library: library_version(self.library)}

    def encoder_context(self, size: int, rate: Fraction) -> VideoCodecContext:
        """Return the encoder for square pictures of ``size`` pixels. Raises av.FFmpegError where it is missing."""
        context = av.CodecContext.create(self.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width = context.height = size
        context.pix_fmt = self.pixel_format
        context.time_base = 1 / rate
        context.framerate = rate
        context.colorspace = MATRIX
        context.color_range = ColorRange.MPEG
        context.thread_count = 1
        context.options = dict(self.options)
        return context


def exact_rate(fps: float) -> Fraction:
    """Return a frame rate as encoders take it."""
    return Fraction(fps).limit_denominator(1001)


def library_version(name: str) -> str:
    """Return the version in the file name of a library that PyAV's wheel carries, as libx264 calls it 165."""
    folder = Path(av.__file__).resolve().parents[1]
    for path in sorted((*folder.glob("av.libs/*"), *folder.glob("av/.dylibs/*"))):
        if path.name.startswith(f"{name}-") or path.name.startswith(f"{name}."):
            return path.name.partition(".so.")[2] or path.name
    return "unknown"
