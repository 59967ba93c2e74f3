"""Still pictures as bits: HEVC intra frames by x265, in the colours and the payload of the benchmark's HEVC."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from app.bench.codecs.colour import MATRIX, ToRgb, to_yuv
from app.bench.codecs.payload import START_CODE, NalUnits, nal_units

QP_RANGE = (10, 51)
"""Quantisation parameters that are taken: HEVC's own go from 0 to 51."""
PRESET = "veryslow"

# Ten bits save a few per cent of the rate even for eight-bit pictures.
_PIXEL_FORMAT = "yuv420p10le"
# x265's ipratio would lower the parameter of intra frames; with 1 the number given is the number used.
_PARAMETERS = (
    "ipratio=1:keyint=1:bframes=0:rc-lookahead=0:frame-threads=1:wpp=0:pools=none:"
    "repeat-headers=1:info=0:aud=0:hrd=0:hash=0:log2-max-poc-lsb=4:log-level=none"
)
_FIRST_SET = 32
"""NAL unit types from here on are parameter sets, and below it pictures."""
_ANY_RATE = Fraction(25)


class StillError(ValueError):
    """Bits that are no picture."""


class StillEncoder:
    """Codes pictures of one size at one quantisation parameter, each alone.

    The parameter sets, which are the same for all of them, come with the first picture only.
    """

    def __init__(self, size: int, qp: int) -> None:
        if not QP_RANGE[0] <= qp <= QP_RANGE[1]:
            raise ValueError(f"A quantisation parameter of {qp} is not within {QP_RANGE[0]} to {QP_RANGE[1]}.")
        context = av.CodecContext.create("libx265", "w")
        assert isinstance(context, VideoCodecContext)
        context.width = context.height = size
        context.pix_fmt = _PIXEL_FORMAT
        context.time_base = 1 / _ANY_RATE
        context.colorspace = MATRIX
        context.color_range = ColorRange.MPEG
        context.options = {"preset": PRESET, "tune": "psnr", "x265-params": f"qp={qp}:{_PARAMETERS}"}
        self._context = context
        self._payload = NalUnits()
        self._sent_sets: list[bytes] | None = None
        self._count = 0

    def encode(self, picture: NDArray[np.uint8]) -> bytes:
        """Return the bits of a picture (S, S, 3), RGB."""
        (frame,) = to_yuv(picture[None], _PIXEL_FORMAT, _ANY_RATE)
        frame.pts, self._count = self._count, self._count + 1
        # Without look-ahead and with one thread each picture comes out at once.
        packets = list(self._context.encode(frame))
        if len(packets) != 1:
            raise StillError(f"x265 gave {len(packets)} packets for a still picture.")
        units = list(nal_units(bytes(packets[0])))
        sets = [unit for unit in units if nal_type(unit) >= _FIRST_SET]
        sent = [unit for unit in units if nal_type(unit) < _FIRST_SET or sets != self._sent_sets]
        self._sent_sets = sets
        return self._payload.strip(b"".join(START_CODE + unit for unit in sent))


class StillDecoder:
    """Reads back what one :class:`StillEncoder` wrote, in that order."""

    def __init__(self) -> None:
        context = av.CodecContext.create("hevc", "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1
        self._context = context
        self._payload = NalUnits()
        self._to_rgb = ToRgb()

    def decode(self, data: bytes) -> NDArray[np.uint8]:
        """Return the picture (S, S, 3), RGB; :class:`StillError` for bits that are none."""
        try:
            packet = av.Packet(self._payload.restore(data))
            frames = [*self._context.decode(packet), *self._context.decode(None)]
        except av.FFmpegError as error:
            raise StillError(f"The bits are no HEVC picture: {error}.") from error
        self._context.flush_buffers()
        if len(frames) != 1:
            raise StillError(f"The bits hold {len(frames)} pictures where one is expected.")
        return self._to_rgb(frames[0])


def coded_and_decoded(pictures: Iterable[NDArray[np.uint8]], size: int, qp: int) -> Iterator[NDArray[np.uint8]]:
    """Yield each picture as the receiver will see it."""
    encoder, decoder = StillEncoder(size, qp), StillDecoder()
    for picture in pictures:
        yield decoder.decode(encoder.encode(picture))


def nal_type(unit: bytes) -> int:
    """Return the type, 0..63, of a unit of HEVC without start code."""
    return unit[0] >> 1 & 63
