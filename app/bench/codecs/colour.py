"""RGB to the Y'CbCr 4:2:0 that video codecs code, and back.

BT.601's matrix in limited range, as players assume for pictures below 720 lines and as the footage itself is coded.
Chroma is scaled bicubically both ways, with exact rounding, and lies in the middle of its four pixels both ways. There
and back leaves real footage at 52 to 58 dB, far above every operating point of the comparison, and shifts no colour.
"""

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from app.bench.codec import Frames
from app.bench.codecs.errors import VideoCodecError

MATRIX = 6
"""SMPTE 170M, one of the two code points of BT.601's matrix in ITU-T H.273; streams are tagged with it."""
INTERPOLATION = (
    Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
)
FILTER = "scale=out_color_matrix=smpte170m:out_range=limited:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
"""The same as a filter of ffmpeg."""


def to_yuv(frames: Frames, pixel_format: str, fps: Fraction) -> Iterator[VideoFrame]:
    """Yield ``frames`` (N, H, W, 3), RGB, in limited-range BT.601; frame k has presentation time k, in 1/``fps``."""
    reformatter = VideoReformatter()
    for index, frame in enumerate(frames):
        picture = reformatter.reformat(
            VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24"),
            format=pixel_format,
            src_color_range=ColorRange.JPEG,
            dst_colorspace=Colorspace.ITU601,
            dst_color_range=ColorRange.MPEG,
            interpolation=INTERPOLATION,
            threads=1,
        )
        picture.pts = index
        picture.time_base = 1 / fps
        yield picture


class ToRgb:
    """Decoded pictures to RGB."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __call__(self, picture: VideoFrame) -> Frames:
        """Return ``picture`` as (H, W, 3) uint8. Raises VideoCodecError where it is not tagged as it was made."""
        if int(picture.colorspace) not in (MATRIX, Colorspace.ITU601) or picture.color_range != ColorRange.MPEG:
            raise VideoCodecError(
                f"a decoded picture has matrix {int(picture.colorspace)} and range {int(picture.color_range)} where "
                f"{MATRIX} and {int(ColorRange.MPEG)} were coded: another version of the codec is needed"
            )
        # Some decoders say where chroma lies although the stream does not, and half a pixel to the left of where it was
        # taken colours would be off. A copy of the samples alone says nothing.
        samples = VideoFrame.from_ndarray(picture.to_ndarray(), format=picture.format.name)
        converted = self._reformatter.reformat(
            samples,
            format="rgb24",
            src_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=INTERPOLATION,
            threads=1,
        )
        return converted.to_ndarray().astype(np.uint8, copy=False)
