"""Still pictures as bits: HEVC intra frames by x265."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

QP_RANGE = (10, 51)
"""Quantisation parameters that are taken: HEVC's own go from 0 to 51."""
PRESET = "veryslow"

_FIRST_SLICE = 32
"""NAL unit types from here on are parameter sets, delimiters and messages, and below it pictures."""
_PARAMETER_SETS = range(32, 35)
_INTERPOLATION = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class StillError(ValueError):
    """Bits that are no picture."""


class StillEncoder:
    """Codes pictures of one size at one quantisation parameter, each alone.

    The parameter sets, which are the same for all of them, come with the first picture only.
    """

    def __init__(self, size: int, qp: int) -> None:
        if not QP_RANGE[0] <= qp <= QP_RANGE[1]:
            raise ValueError(f"A quantisation parameter of {qp} is not within {QP_RANGE[0]} to {QP_RANGE[1]}.")
        self._context = av.CodecContext.create("libx265", "w")
        assert isinstance(self._context, VideoCodecContext)
        self._context.width = self._context.height = size
        self._context.pix_fmt = "yuv420p"
        self._context.time_base = Fraction(1, 25)
        # x265's ip-ratio would lower the parameter of intra frames; with 1 the number given is the number used.
        self._context.options = {
            "preset": PRESET,
            "tune": "psnr",
            "x265-params": f"qp={qp}:ipratio=1:keyint=1:bframes=0:rc-lookahead=0:frame-threads=1:pools=none:"
            "repeat-headers=1:info=0:hash=0:log-level=none",
        }
        self._reformatter = VideoReformatter()
        self._sent_sets: bytes | None = None
        self._count = 0

    def encode(self, picture: NDArray[np.uint8]) -> bytes:
        """Return the bits of a picture (S, S, 3), RGB."""
        frame = self._reformatter.reformat(
            av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            interpolation=_INTERPOLATION,
        )
        frame.pts, self._count = self._count, self._count + 1
        # Zero latency is the encoder's own: with no look-ahead and one thread each picture comes out at once.
        packets = list(self._context.encode(frame))
        if len(packets) != 1:
            raise StillError(f"x265 gave {len(packets)} packets for a still picture.")
        return self._without_known_sets(bytes(packets[0]))

    def _without_known_sets(self, stream: bytes) -> bytes:
        units = list(nal_units(stream))
        sets = b"".join(unit for unit in units if nal_type(unit) in _PARAMETER_SETS)
        pictures = b"".join(unit for unit in units if nal_type(unit) < _FIRST_SLICE)
        if sets == self._sent_sets:
            return pictures
        self._sent_sets = sets
        return sets + pictures


class StillDecoder:
    """Reads back what one :class:`StillEncoder` wrote, in that order."""

    def __init__(self) -> None:
        self._context = av.CodecContext.create("hevc", "r")
        assert isinstance(self._context, VideoCodecContext)
        self._context.thread_count = 1
        self._reformatter = VideoReformatter()

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Return the picture (S, S, 3), RGB; :class:`StillError` for bits that are none."""
        try:
            frames = [*self._context.decode(av.Packet(data)), *self._context.decode(None)]
        except av.FFmpegError as error:
            raise StillError(f"The bits are no HEVC picture: {error}.") from error
        self._context.flush_buffers()
        if len(frames) != 1:
            raise StillError(f"The bits hold {len(frames)} pictures where one is expected.")
        rgb = self._reformatter.reformat(
            frames[0],
            format="rgb24",
            src_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.MPEG,
            interpolation=_INTERPOLATION,
        )
        return rgb.to_ndarray().astype(np.uint8, copy=False)


def coded_and_decoded(pictures: Iterable[NDArray[np.uint8]], size: int, qp: int) -> Iterator[NDArray[np.uint8]]:
    """Yield each picture as the receiver will see it."""
    encoder, decoder = StillEncoder(size, qp), StillDecoder()
    for picture in pictures:
        yield decoder.decode(encoder.encode(picture))


def nal_units(stream: bytes) -> Iterator[bytes]:
    """Yield the units of an Annex B byte stream, each with its start code (of four bytes, where it has that)."""
    starts = []
    position = stream.find(b"\0\0\1")
    while position >= 0:
        starts.append(position - 1 if position > 0 and stream[position - 1] == 0 else position)
        position = stream.find(b"\0\0\1", position + 3)
    for start, end in zip(starts, [*starts[1:], len(stream)], strict=True):
        yield stream[start:end]


def nal_type(unit: bytes) -> int:
    """Return the type, 0..63, of a unit of HEVC."""
    return unit[unit.index(b"\0\0\1") + 3] >> 1 & 63
